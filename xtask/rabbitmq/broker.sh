# One broker: its name, its ports and the files that configure it.
# Sourced by `rabbitmq`.
# shellcheck shell=bash

valid_name() { [[ $1 =~ ^[a-z][a-z0-9_-]*$ && $1 != root-* ]]; }

# load NAME: set NAME, DIR, VERSION, PORT, NODES and TLS of an existing broker.
load() {
  valid_name "${1:-}" || die "bad broker name: '${1:-}'"
  NAME=$1 DIR=$HOME_DIR/$1
  [[ -f $DIR/settings ]] || die "no such broker: $NAME"
  read -r VERSION PORT NODES TLS <"$DIR/settings"
  locate "$VERSION"
}

# The node argument, checked; all the node numbers where it is absent.
nodes_arg() {
  if [[ -z ${1:-} ]]; then seq "$NODES"; return; fi
  is_number "$1" && ((10#$1 >= 1 && 10#$1 <= NODES)) || die "$NAME has no node $1"
  echo "$((10#$1))"
}

port_of() { echo $((PORT + 10 * ($1 - 1))); }
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

print_urls() {    # print_urls [tls]
  local k
  for ((k = 1; k <= NODES; k++)); do
    if [[ ${1:-} == tls ]]; then
      echo "amqps://guest:guest@localhost:$(($(port_of "$k") + 1))/%2f"
    else
      echo "amqp://guest:guest@127.0.0.1:$(port_of "$k")/%2f"
    fi
  done
}

# Take a name and a block of ports, where not given, and make the broker's directory:
# under a lock, so that starts may run side by side.
claim() {
  local k
  exec 9>"$HOME_DIR/.lock"
  flock 9
  [[ -n $NAME ]] || NAME=$(free_name)
  valid_name "$NAME" || die "bad --name: $NAME (like: abc-1)"
  DIR=$HOME_DIR/$NAME
  if [[ -f $DIR/settings ]] && (load "$NAME" && any_up); then die "$NAME is already up"; fi
  if [[ -n $PORT ]]; then
    free_block "$PORT" "$NODES" asked || die "ports $PORT to $((PORT + 10 * NODES - 1)) are not all free"
  else
    PORT=$FIRST_PORT
    until free_block "$PORT" "$NODES"; do
      PORT=$((PORT + 10))
      ((PORT < 32000)) || die "no free block of ports"
    done
  fi
  rm -rf "$DIR"
  mkdir -p "$DIR"
  chmod 700 "$DIR"
  echo "$VERSION $PORT $NODES $TLS" >"$DIR/settings"
  for ((k = 1; k <= NODES; k++)); do mkdir -p "$DIR/node$k"; echo starting >"$DIR/node$k/pid"; done
  exec 9>&-
}

free_name() {
  local i name
  for ((i = 1; ; i++)); do
    name=r${VERSION//./}
    ((i == 1)) || name+=-$i
    [[ -f $HOME_DIR/$name/settings ]] || break
    if (load "$name" && ! any_up && [[ ! -e $DIR/node1/pid ]]); then break; fi
  done
  echo "$name"
}

# free_block P N [asked]: none of the block's ports is taken, nor kept by another broker.
free_block() {
  local p s port n
  for ((p = $1; p < $1 + 10 * $2; p++)); do
    if listening "$p"; then return 1; fi
  done
  for s in "$HOME_DIR"/*/settings; do
    [[ -f $s && $s != "$DIR/settings" ]] || continue
    read -r _ port n _ <"$s"
    if (($1 < port + 10 * n && port < $1 + 10 * $2)); then
      # A stopped broker keeps its block only until another asks for it by number.
      [[ -z ${3:-} ]] || compgen -G "${s%/settings}/node*/pid" >/dev/null || continue
      return 1
    fi
  done
}

make_cookie() {
  (umask 077; head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$DIR/.erlang.cookie")
  chmod 400 "$DIR/.erlang.cookie"
}

write_node() {      # write_node K CONF...
  local k=$1 dir=$DIR/node$1 port n
  shift
  port=$(port_of "$k")
  mkdir -p "$dir"
  echo '[].' >"$dir/enabled_plugins"
  {
    echo "listeners.tcp.1 = 127.0.0.1:$port"
    if [[ $TLS == tls ]]; then
      echo "listeners.ssl.1 = 127.0.0.1:$((port + 1))"
      echo "ssl_options.cacertfile = $DIR/tls/ca.pem"
      echo "ssl_options.certfile = $DIR/tls/server.pem"
      echo "ssl_options.keyfile = $DIR/tls/server.key"
      echo "ssl_options.verify = verify_peer"
      echo "ssl_options.fail_if_no_peer_cert = false"
    fi
    echo "log.console = false"
    echo "log.file = rabbit.log"
    if ((NODES > 1)); then
      echo "cluster_formation.peer_discovery_backend = classic_config"
      for ((n = 1; n <= NODES; n++)); do
        echo "cluster_formation.classic_config.nodes.$n = $NAME-$n@localhost"
      done
    fi
    (($# == 0)) || printf '%s\n' "$@"
  } >"$dir/rabbitmq.conf"
}

# A CA, and a server and a client certificate signed by it: PEM, keys in PKCS#8,
# and the client's also as PKCS#12 without a password.
make_tls() {
  local t=$DIR/tls
  mkdir -p "$t"
  openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 3650 -subj "/CN=rabbit test CA $NAME" \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
    -keyout "$t/ca.key" -out "$t/ca.pem" 2>/dev/null
  make_certificate server localhost serverAuth
  make_certificate client guest clientAuth
  openssl pkcs12 -export -passout pass: -in "$t/client.pem" -inkey "$t/client.key" \
    -certfile "$t/ca.pem" -out "$t/client.p12"
}

make_certificate() {      # make_certificate FILE COMMON_NAME EXTENDED_USAGE
  local t=$DIR/tls
  openssl req -new -newkey rsa:2048 -nodes -subj "/CN=$2" \
    -keyout "$t/$1.key" -out "$t/$1.csr" 2>/dev/null
  openssl x509 -req -in "$t/$1.csr" -CA "$t/ca.pem" -CAkey "$t/ca.key" -CAcreateserial \
    -days 3650 -sha256 -out "$t/$1.pem" 2>/dev/null -extfile <(
      printf '%s\n' 'basicConstraints=critical,CA:FALSE' "extendedKeyUsage=$3" \
        'keyUsage=critical,digitalSignature,keyEncipherment' \
        'subjectKeyIdentifier=hash' 'authorityKeyIdentifier=keyid' \
        'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1')
  rm -f "$t/$1.csr"
}
