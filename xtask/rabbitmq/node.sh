# The processes of a broker: its nodes and its epmd. Sourced by `rabbitmq`.
# shellcheck shell=bash

# The pid in a pid file, if that process is alive and is the one meant, which its
# environment tells (a dead one's, and another's under a reused pid, do not).
alive() {     # alive PIDFILE VAR=VALUE
  local pid
  pid=$(cat "$1" 2>/dev/null) && is_number "$pid" || return 1
  { tr '\0' '\n' <"/proc/$pid/environ"; } 2>/dev/null |
    awk -v a="HOME=$DIR" -v b="$2" '$0 == a || $0 == b { n++ } END { exit n < 2 }' || return 1
  echo "$pid"
}
node_pid() { alive "$DIR/node$1/pid" "RABBITMQ_NODENAME=$NAME-$1@localhost"; }
epmd_pid() { alive "$DIR/epmd.pid" "ERL_EPMD_PORT=$((PORT + 3))"; }

any_up() {
  local k
  for ((k = 1; k <= NODES; k++)); do if node_pid "$k" >/dev/null; then return 0; fi; done
  return 1
}

# Environment shared by nodes and command-line tools: own cookie, own epmd.
common_env() {
  printf '%s\n' "HOME=$DIR" "ERL_EPMD_PORT=$((PORT + 3))" ERL_EPMD_ADDRESS=127.0.0.1 \
    "RABBITMQ_CONF_ENV_FILE=$DIR/none"
}

start_epmd() {
  local i env
  epmd_pid >/dev/null && return
  mapfile -t env < <(common_env)
  (
    cd /
    trap '' HUP
    DETACH=1 enter "${env[@]}" epmd -port $((PORT + 3)) -address 127.0.0.1
  ) </dev/null >>"$DIR/epmd.log" 2>&1 9>&- &
  echo $! >"$DIR/epmd.pid"
  disown $!
  for ((i = 0; i < 100; i++)); do
    listening $((PORT + 3)) && return
    sleep 0.1
  done
  tail -n 5 "$DIR/epmd.log" >&2
  stop_all
  die "epmd did not start; see $DIR/epmd.log"
}

# Start one node in the background. Every step from here on execs the next, so
# the pid taken is the Erlang VM's own.
launch_node() {
  local k=$1 dir=$DIR/node$1 port env
  port=$(port_of "$k")
  mapfile -t env < <(common_env)
  env+=("RABBITMQ_NODENAME=$NAME-$k@localhost" "RABBITMQ_NODE_PORT=$port"
    "RABBITMQ_DIST_PORT=$((port + 2))" "RABBITMQ_BASE=$dir"
    "RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf" "RABBITMQ_ADVANCED_CONFIG_FILE=$dir/advanced.config"
    "RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins" "RABBITMQ_GENERATED_CONFIG_DIR=$dir/config"
    "RABBITMQ_SCHEMA_DIR=$dir/schema" "RABBITMQ_MNESIA_BASE=$dir/data" "RABBITMQ_LOG_BASE=$dir/log"
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}"
    "ERL_CRASH_DUMP=$dir/erl_crash.dump" RUNNING_UNDER_SYSTEMD=true)
  mkdir -p "$dir/log"
  rm -f "$dir/pid"
  (
    cd /
    trap '' HUP
    DETACH=1 enter "${env[@]}" "$SCRIPTS/rabbitmq-server"
  ) </dev/null >>"$dir/log/stdout.log" 2>&1 9>&- &
  echo $! >"$dir/pid"
  disown $!
}

# ctl TOOL K ARGS...: run a RabbitMQ command-line tool against node K.
ctl() {
  local tool=$1 k=$2 env
  shift 2
  mapfile -t env < <(common_env)
  (
    cd /
    enter "${env[@]}" RABBITMQ_CTL_DIST_PORT_MIN=35672 RABBITMQ_CTL_DIST_PORT_MAX=35871 \
      "RABBITMQ_CTL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false +S 1:1" \
      "$SCRIPTS/$tool" --node "$NAME-$k@localhost" "$@"
  )
}

# Wait until the given nodes take AMQP connections and say that they are up.
await_nodes() {
  local k end=$((SECONDS + START_TIMEOUT)) pids=() p ok=0
  for k in "$@"; do
    until listening "$(port_of "$k")"; do
      [[ -e /proc/$(cat "$DIR/node$k/pid") ]] || { fail_node "$k" "ended while starting"; return 1; }
      ((SECONDS < end)) || { fail_node "$k" "did not start in $START_TIMEOUT s"; return 1; }
      sleep 0.1
    done
  done
  for k in "$@"; do
    ctl rabbitmqctl "$k" -q await_startup --timeout 60 >"$DIR/node$k/await" 2>&1 &
    pids+=("$!")
  done
  for p in "${pids[@]}"; do wait "$p" || ok=1; done
  ((ok == 0)) || { cat "$DIR"/node*/await >&2; return 1; }
  # A fresh cluster is whole only when each node sees all the others.
  if ((NODES > 1 && $# == NODES)); then
    ctl rabbitmqctl 1 -q await_online_nodes "$NODES" --timeout 60 >"$DIR/node1/await" 2>&1 ||
      { cat "$DIR/node1/await" >&2; return 1; }
  fi
}

fail_node() {
  say "node $1 of $NAME $2; the end of its log:"
  tail -n 15 "$DIR/node$1/log/rabbit.log" "$DIR/node$1/log/stdout.log" >&2 2>/dev/null || true
  return 1
}

# Stop the given nodes as `rabbitmqctl stop` does (SIGTERM), by force after 30 s.
stop_nodes() {
  local k pid i
  for k in "$@"; do
    if pid=$(node_pid "$k"); then
      kill -TERM "$pid" 2>/dev/null || true
      # One that is paused would not hear it.
      kill -CONT "$pid" 2>/dev/null || true
    fi
  done
  for k in "$@"; do
    for ((i = 0; i < 300; i++)); do
      node_pid "$k" >/dev/null || break
      sleep 0.1
    done
    if pid=$(node_pid "$k"); then
      say "node $k of $NAME did not stop; killing it"
      kill -KILL "$pid" 2>/dev/null || true
    fi
    rm -f "$DIR/node$k/pid"
  done
}

stop_all() {
  local all pid
  mapfile -t all < <(seq "$NODES")
  stop_nodes "${all[@]}"
  if pid=$(epmd_pid); then kill -TERM "$pid" 2>/dev/null || true; fi
  rm -f "$DIR/epmd.pid"
}
