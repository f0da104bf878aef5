# Which RabbitMQ to run and where it comes from: the machine's own, or one unpacked
# from Debian packages into a root directory of its own. Sourced by `rabbitmq`.
# shellcheck shell=bash

# Debian suites that carry a version, in the order to try them.
suites_of() {
  case $1 in
    3.10) echo bookworm ;;
    4.0) echo trixie ;;
    4.3) echo forky sid ;;
    *) die "no such version: $1 (3.10, 4.0 or 4.3, or what rabbitmq-server on the PATH is)" ;;
  esac
}

default_version() {
  local codename
  if native_version "$(native_dir)"; then return; fi
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}") || codename=''
  case $codename in
    bookworm) echo 3.10 ;;
    trixie) echo 4.0 ;;
    forky) echo 4.3 ;;
    *) die "no rabbitmq-server on the PATH, and this is no Debian release known to package one" ;;
  esac
}

# The directory of the machine's own RabbitMQ scripts; nothing where there is none.
# What Debian puts on the PATH is a wrapper that insists on the user rabbitmq; the
# real scripts are where rabbitmq-env, their common part, really lies.
native_dir() {
  local candidate dir
  [[ -z ${LEVERET_RABBITMQ_NO_NATIVE:-} ]] && command -v erl >/dev/null || return 0
  for candidate in "$(type -P rabbitmq-server || true)" /usr/lib/rabbitmq/bin/rabbitmq-server; do
    [[ -n $candidate && -x $candidate ]] || continue
    dir=$(dirname -- "$(realpath -- "$candidate")")
    if [[ -e $dir/rabbitmq-env ]]; then
      dirname -- "$(realpath -- "$dir/rabbitmq-env")"
      return
    fi
  done
}

# MAJOR.MINOR of the RabbitMQ whose scripts are in a directory.
native_version() {
  local plugin
  for plugin in "${1:-/none}"/../plugins/rabbit-[0-9]*; do
    if [[ ${plugin##*/} =~ ^rabbit-([0-9]+\.[0-9]+) ]]; then echo "${BASH_REMATCH[1]}"; return; fi
  done
  return 1
}

# Set SCRIPTS to the directory of a version's scripts, and ROOT to the root directory
# that it lies in: empty for the machine's own.
locate() {
  SCRIPTS=$(native_dir) ROOT=''
  if [[ $(native_version "$SCRIPTS") != "$1" ]]; then
    ROOT=$HOME_DIR/root-$1 SCRIPTS=/usr/lib/rabbitmq/bin
  fi
}

# Make a version ready to run.
setup() {
  local version=$1
  locate "$version"
  [[ -n $ROOT && ! -e $ROOT/.ready ]] || return 0
  suites_of "$version" >/dev/null
  need unshare util-linux
  need flock util-linux
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    die "RabbitMQ $version is unpacked from Debian packages, which needs apt-get and dpkg-deb; or install rabbitmq-server"
  unshare "${NAMESPACE[@]}" true ||
    die "RabbitMQ $version runs in a mount namespace, which can't be made here: run as root, or install rabbitmq-server"
  (
    flock 8
    [[ -e $ROOT/.ready ]] || unpack "$version" "$ROOT"
  ) 8>"$HOME_DIR/.setup-$version.lock"
}

# A mount namespace; for an ordinary user within a user namespace.
NAMESPACE=(--mount --propagation private)
((EUID == 0)) || NAMESPACE+=(--map-root-user)

# Unpack a version with all it needs into its private root. apt resolves the
# packages against an empty system with lists and cache of its own, so the
# machine's apt state is neither read nor changed; no maintainer script runs.
unpack() {
  local version=$1 root=$2 work suite suites packages found=''
  suites=$(suites_of "$version")
  work=$(mktemp -d "$HOME_DIR/.apt-$version.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  trap 'exit 130' INT TERM HUP
  write_apt_conf "$work"
  for suite in $suites; do
    say "fetching RabbitMQ $version from Debian $suite, once"
    echo "deb [signed-by=$(keyring)] $(archive) $suite main" >"$work/sources.list"
    private_apt "$work" update >&2 || { say "apt-get update failed for $suite"; continue; }
    if [[ $(APT_CONFIG=$work/apt.conf apt-cache policy rabbitmq-server) == *"Candidate: $version."* ]]; then
      found=$suite
      break
    fi
  done
  [[ -n $found ]] || die "RabbitMQ $version is in none of: $suites"
  packages=$(packages_for "$work")
  grep -qx rabbitmq-server <<<"$packages" || die "apt could not resolve rabbitmq-server of $found"
  # shellcheck disable=SC2086
  (cd "$work/debs" && private_apt "$work" download $packages >&2) || die "download of RabbitMQ $version failed"
  build_root "$work/debs" "$work/root"
  rm -rf "$root"
  mv "$work/root" "$root"
}

# The archive is the one that the machine's own apt is set up with.
archive() {
  local codename uri
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  uri=$(apt-get update --print-uris | sed -n "s#^'\([^']*/\)dists/$codename/InRelease' .*#\1#p")
  uri=${uri%%$'\n'*}
  [[ -n $uri && $(. /etc/os-release && echo "$ID") == debian ]] ||
    die "found no Debian archive in the machine's apt sources; install rabbitmq-server instead"
  echo "$uri"
}

keyring() {
  local k
  for k in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    if [[ -e $k ]]; then echo "$k"; return; fi
  done
  die "no Debian archive keyring: install the package debian-archive-keyring"
}

write_apt_conf() {
  local work=$1
  mkdir -p "$work"/{lists,cache/archives}/partial "$work/debs"
  : >"$work/status"
  cat >"$work/apt.conf" <<END
Dir::State "$work"; Dir::State::lists "$work/lists"; Dir::State::status "$work/status";
Dir::Cache "$work/cache"; Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "/dev/null"; Dir::Etc::Preferences "/dev/null"; Dir::Etc::PreferencesParts "/dev/null";
APT::Install-Recommends "false"; APT::Sandbox::User "root"; Acquire::Retries "3";
Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
END
}

private_apt() {     # private_apt WORK ARGS...
  local work=$1
  shift
  APT_CONFIG=$work/apt.conf apt-get -qq "$@" </dev/null
}

# What RabbitMQ needs, and the tools its shell scripts call, less the parts that
# only matter to an installed service.
packages_for() {
  private_apt "$1" install -y --print-uris rabbitmq-server dash coreutils libc-bin sed grep base-files |
    sed -n "s/^'[^']*' \([^_]*\)_.*/\1/p" |
    grep -vE '^(python3.*|libpython3.*|systemd|libsystemd-shared|rabbitmqadmin.*|tzdata|openssl|perl.*|libperl.*|passwd|login.*|adduser|debconf|dpkg|tar|socat|logrotate|cron.*|libdb5.*|libsqlite.*|libpam.*|libsemanage.*|media-types|netbase|lsb-base|init-system-helpers|base-passwd|libmount.*|libc-gconv.*)$'
}

build_root() {      # build_root DEBS ROOT
  local debs=$1 root=$2 dir deb
  mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},etc,tmp,root,proc,sys,dev,var/lib,var/log,run}
  for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$root/$dir"; done
  chmod 1777 "$root/tmp"
  for deb in "$debs"/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink --no-same-owner \
      --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' \
      --exclude='./usr/share/info' --exclude='./usr/share/lintian' --exclude='./usr/share/bash-completion' \
      --exclude='./usr/lib/systemd' --exclude='./usr/share/perl5' --exclude='./dev'
  done
  ln -sf dash "$root/usr/bin/sh"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  echo 'hosts: files' >"$root/etc/nsswitch.conf"
  rm -f "$root/etc/hosts"; : >"$root/etc/hosts"   # the machine's is mounted over it
  (cd "$debs" && printf '%s\n' *.deb) >"$root/.ready"
}

# enter VAR=VALUE... COMMAND ARGS...: exec the command of the located version with
# just this environment; in a session of its own if DETACH is set (from a subshell,
# which leads no process group, so setsid does not fork). The mounts live in a
# namespace of their own: they end with the process and are never seen outside.
enter() {
  if [[ -z $ROOT ]]; then
    exec ${DETACH:+setsid} env -i "PATH=$PATH" LANG=C.UTF-8 "$@"
  fi
  mkdir -p "$ROOT$HOME_DIR"
  # shellcheck disable=SC2016
  exec ${DETACH:+setsid} unshare "${NAMESPACE[@]}" /bin/sh -ec '
    root=$1 home=$2
    shift 2
    mount --rbind /proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    mount --bind /etc/hosts "$root/etc/hosts"
    mount --bind "$home" "$root$home"
    exec chroot "$root" "$@"' sh "$ROOT" "$HOME_DIR" \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"
}
