# The programs this needs beyond a bare Debian: installed if that can be done
# unasked, else named. Sourced by `rabbitmq`.
# shellcheck shell=bash

need() {      # need COMMAND PACKAGE
  command -v "$1" >/dev/null && return
  if ((EUID == 0)) && command -v apt-get >/dev/null; then
    say "installing $2, for $1"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install "$2"; } >&2 </dev/null ||
      die "could not install $2"
  else
    die "$1 is missing: install the package $2"
  fi
}
