#!/usr/bin/env bash
# Starts and stops PostgreSQL, Redis, RabbitMQ and Keycloak natively, from the
# packages of Debian or Ubuntu and Keycloak's zip: for tests, for CI and for a
# laptop without a container engine. `make engines-up` and `make engines-down`
# call it; deploy/README.md says what it leaves where.
#
# It owns nothing but what it starts: its engines listen on loopback, keep
# their data under build/engines and have their own users, node names and
# process ids, so that a PostgreSQL or a RabbitMQ of the system goes on beside
# them undisturbed. Every password here is for development and is no secret.
set -euo pipefail
umask 022

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
readonly ENV_FILE=$ROOT/build/engines/env

readonly KEYCLOAK_VERSION=26.7.3
readonly KEYCLOAK_SHA256=27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f
# Keycloak is supported on these, best first; others may work and nobody tells.
readonly KEYCLOAK_JAVAS=(25 21 17)
readonly POSTGRES_MIN=15
# Half the processor time until it answers; what runs for minutes only never
# gains from the slower, better compiler.
readonly KEYCLOAK_JAVA_OPTS=-XX:TieredStopAtLevel=1

# How long an engine may take until it answers. Keycloak's first start makes
# its database, which takes minutes where others keep the cores busy.
readonly READY_SECONDS=300
readonly STOP_SECONDS=30

readonly POSTGRES_PASSWORD=postgres-development
readonly KEYCLOAK_ADMIN=admin
readonly KEYCLOAK_ADMIN_PASSWORD=admin-development
readonly CLIENT_SECRET=${HAPPENING_OIDC_CLIENT_SECRET:-happening-development-secret}

readonly ENGINES=(postgres redis rabbitmq keycloak)

say() { echo "engines: $*"; }
fail() { echo "engines: $*" >&2; exit 1; }

# ── users and directories ──────────────────────────────────────────────────

# user_of ENGINE: who runs it when we are root; PostgreSQL refuses root, and
# the others have no use for it.
user_of() {
  case $1 in
    postgres) echo postgres ;;
    redis) echo redis ;;
    rabbitmq | epmd) echo rabbitmq ;;
    keycloak) echo nobody ;;
  esac
}

# as ENGINE COMMAND…: runs it as the engine's user, in the same process.
as() {
  local engine=$1
  shift
  if [ "$(id -u)" = 0 ]; then
    local user
    user=$(user_of "$engine")
    exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
  fi
  exec "$@"
}

# The state stands in the checkout, unless that lies where the engines' users
# may not go (a checkout under /root); each checkout then has a place of its own.
state_dir() {
  local inside=$ROOT/build/engines
  mkdir -p "$inside"
  if [ "$(id -u)" != 0 ] || (as keycloak test -x "$inside"); then
    echo "$inside"
  else
    echo "/var/lib/happening-engines/$(cksum <<<"$ROOT" | cut -d' ' -f1)"
  fi
}

# own ENGINE DIRECTORY…: makes directories that only the engine's user enters.
own() {
  local engine=$1
  shift
  install -d -m 700 "$@"
  if [ "$(id -u)" = 0 ]; then
    chown "$(user_of "$engine")": "$@"
  fi
}

# ── packages ───────────────────────────────────────────────────────────────

# The newest PostgreSQL that is new enough; empty where there is none.
postgres_bin() {
  local dir version best=0 found=
  for dir in "${HAPPENING_POSTGRES_BIN:-}" /usr/lib/postgresql/*/bin; do
    [ -n "$dir" ] && [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ] || continue
    version=$("$dir/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    if [ "$version" -ge "$POSTGRES_MIN" ] && [ "$version" -gt "$best" ]; then
      best=$version found=$dir
    fi
    # A directory that was named is not searched past.
    if [ -n "$found" ] && [ "$found" = "${HAPPENING_POSTGRES_BIN:-}" ]; then
      break
    fi
  done
  echo "$found"
}

java_major() { "$1/bin/java" -version 2>&1 | sed -nE 's/.* version "([0-9]+).*/\1/p' | head -n 1; }

# The Java to run Keycloak with: JAVA_HOME if it will do, else the best of
# what is installed; empty where there is none.
java_home() {
  local wanted dir path candidates=("${JAVA_HOME:-}")
  path=$(command -v java || true)
  for dir in /usr/lib/jvm/* /opt/*/ "${path:+$(dirname "$(dirname "$(readlink -f "$path")")")}"; do
    candidates+=("${dir%/}")
  done
  if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ] &&
    [[ " ${KEYCLOAK_JAVAS[*]} " == *" $(java_major "$JAVA_HOME") "* ]]; then
    echo "$JAVA_HOME"
    return
  fi
  for wanted in "${KEYCLOAK_JAVAS[@]}"; do
    for dir in "${candidates[@]}"; do
      if [ -n "$dir" ] && [ -x "$dir/bin/java" ] && [ "$(java_major "$dir")" = "$wanted" ]; then
        echo "$dir"
        return
      fi
    done
  done
}

# The broker's own program: Debian's wrapper in the PATH insists on the
# system's directories.
rabbitmq_server() {
  local program
  for program in /usr/lib/rabbitmq/bin/rabbitmq-server "$(command -v rabbitmq-server || true)"; do
    if [ -n "$program" ] && [ -x "$program" ]; then
      echo "$program"
      return
    fi
  done
}

# install_packages PACKAGE…: as root from the distribution, else one line that
# names them. Debian starts the services that it installs, on the ports that
# we are about to use; policy-rc.d is how one forbids that.
install_packages() {
  [ $# -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    fail "not installed: $*; install with: sudo apt-get install --no-install-recommends $* (then stop the services that this starts)"
  fi
  command -v apt-get >/dev/null || fail "not installed: $*; this machine has no apt-get to get them with"
  say "installing $*"
  (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      trap 'rm -f "$policy"' EXIT
      trap 'exit 130' INT TERM
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod 755 "$policy"
    fi
    log=$(mktemp)
    # A fresh machine may be installing updates of its own, and a mirror may fail once.
    patient=(-o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
    if ! { apt-get "${patient[@]}" update -qq &&
      DEBIAN_FRONTEND=noninteractive apt-get "${patient[@]}" install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      exit 1
    fi
    rm -f "$log"
  ) || fail "apt-get could not install $*"
}

install_missing() {
  local packages=()
  [ -n "$(postgres_bin)" ] && command -v psql >/dev/null || packages+=(postgresql)
  command -v redis-server >/dev/null || packages+=(redis-server)
  [ -n "$(rabbitmq_server)" ] || packages+=(rabbitmq-server)
  [ -n "$(java_home)" ] || packages+=(default-jre-headless)
  command -v curl >/dev/null || packages+=(curl)
  if [ ! -e "$STATE/keycloak-$KEYCLOAK_VERSION/.ready" ]; then
    command -v mvn >/dev/null || packages+=(maven)
    command -v unzip >/dev/null || packages+=(unzip)
  fi
  install_packages "${packages[@]}"
  [ -n "$(postgres_bin)" ] || fail "PostgreSQL $POSTGRES_MIN or newer is needed; this distribution's package is older"
  [ -n "$(java_home)" ] || fail "Keycloak needs Java ${KEYCLOAK_JAVAS[*]}; set JAVA_HOME to one"
}

# What tests start by themselves, each on ports of its own.
install_tools() {
  local packages=()
  command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || packages+=(pgbouncer)
  command -v redis-sentinel >/dev/null || packages+=(redis-sentinel)
  command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || packages+=(haproxy)
  install_packages "${packages[@]}"
}

# ── processes ──────────────────────────────────────────────────────────────

# identity PID: what tells a process from a later one with the same number.
identity() {
  local stat
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  # The name, in parentheses, may hold anything; the start is the 20th after it.
  read -ra stat <<<"${stat##*) }"
  [ "${stat[0]}" != Z ] || return 1
  echo "${stat[19]}@$(</proc/sys/kernel/random/boot_id)"
}

# running NAME: the process id, if the process that we started still runs.
running() {
  local pid known
  [ -r "$STATE/run/$1.pid" ] || return 1
  read -r pid known <"$STATE/run/$1.pid" || return 1
  [ "$(identity "$pid")" = "$known" ] || return 1
  echo "$pid"
}

# launch NAME COMMAND…: starts it in a session of its own, so that neither a
# Ctrl-C nor the end of a CI step reaches it, and remembers it.
launch() {
  local name=$1 pid
  shift
  (as "$name" setsid "$@") >>"$STATE/log/$name.log" 2>&1 </dev/null 9>&- &
  pid=$!
  echo "$pid $(identity "$pid")" >"$STATE/run/$name.pid"
}

# halt NAME: stops what we started, orderly if it will, and only that.
halt() {
  local name=$1 pid signal=TERM deadline
  if ! pid=$(running "$name"); then
    rm -f "$STATE/run/$name.pid" "$STATE/run/$name.port"
    return 1
  fi
  # PostgreSQL's TERM waits for its clients to leave; INT sends them away.
  [ "$name" != postgres ] || signal=INT
  kill -s "$signal" "$pid" 2>/dev/null || true
  deadline=$((SECONDS + STOP_SECONDS))
  while running "$name" >/dev/null; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      say "$name does not stop; killed"
      kill -s KILL -- "-$pid" 2>/dev/null || kill -s KILL "$pid" 2>/dev/null || true
      break
    fi
    sleep 0.1
  done
  rm -f "$STATE/run/$name.pid" "$STATE/run/$name.port"
}

halt_engine() {
  local stopped=0
  halt "$1" || stopped=1
  # The name service of Erlang is ours as well; it goes after its node.
  if [ "$1" = rabbitmq ]; then
    halt epmd || true
  fi
  return "$stopped"
}

# await NAME PROBE…: until the probe succeeds, the process ends or time is up.
await() {
  local name=$1 started=$SECONDS told=$SECONDS
  shift
  until "$@" >/dev/null 2>&1; do
    if ! running "$name" >/dev/null; then
      tail -n 15 "$STATE/log/$name.log" | sed "s/^/  $name: /" >&2
      fail "$name ended while starting; see $STATE/log/$name.log"
    fi
    if [ $((SECONDS - started)) -ge "$READY_SECONDS" ]; then
      tail -n 15 "$STATE/log/$name.log" | sed "s/^/  $name: /" >&2
      fail "$name does not answer after $READY_SECONDS s; see $STATE/log/$name.log"
    fi
    if [ $((SECONDS - told)) -ge 10 ]; then
      told=$SECONDS
      say "$name is starting ($((SECONDS - started)) s)"
    fi
    sleep 0.2
  done
}

# ── ports ──────────────────────────────────────────────────────────────────

# The settings of an engine's ports, with the ports that everybody expects.
ports_of() {
  case $1 in
    postgres) echo "HAPPENING_ENGINES_POSTGRES_PORT:5432" ;;
    redis) echo "HAPPENING_ENGINES_REDIS_PORT:6379" ;;
    rabbitmq) echo "HAPPENING_ENGINES_AMQP_PORT:5672 HAPPENING_ENGINES_AMQP_MANAGEMENT_PORT:15672" ;;
    keycloak) echo "HAPPENING_ENGINES_KEYCLOAK_PORT:8080" ;;
  esac
}

listening() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null || (exec 3<>"/dev/tcp/::1/$1") 2>/dev/null
}

# holder PORT: who listens there, as far as we may know.
holder() {
  command -v ss >/dev/null || return 0
  ss -ltnpH "sport = :$1" 2>/dev/null | sed -nE 's/.*\(\("([^"]+)",pid=([0-9]+).*/ by \1 (process \2)/p' | head -n 1
}

# A port that nobody listens at, below those that the system gives to clients.
spare_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    if ! listening "$port"; then
      echo "$port"
      return
    fi
  done
}

# chosen ENGINE: its ports, those in use if it runs already.
chosen() {
  local entry name ports=()
  if running "$1" >/dev/null && [ -r "$STATE/run/$1.port" ]; then
    cat "$STATE/run/$1.port"
    return
  fi
  for entry in $(ports_of "$1"); do
    name=${entry%%:*}
    ports+=("${!name:-${entry##*:}}")
  done
  echo "${ports[*]}"
}

# ── the engines ────────────────────────────────────────────────────────────

up_postgres() {
  local port=$1 bin data=$STATE/data/postgres
  bin=$(postgres_bin)
  own postgres "$STATE/data/postgres-run"
  if [ ! -e "$data/PG_VERSION" ]; then
    # Under another name first, so that what was cut off is not taken for whole.
    rm -rf "$data" "$data.new"
    own postgres "$data.new"
    (umask 077 && echo "$POSTGRES_PASSWORD" >"$STATE/data/postgres-run/password")
    [ "$(id -u)" != 0 ] || chown postgres: "$STATE/data/postgres-run/password"
    (cd / && as postgres "$bin/initdb" -D "$data.new" -U postgres -A scram-sha-256 \
      --pwfile="$STATE/data/postgres-run/password" --locale=C.UTF-8 -E UTF8) >>"$STATE/log/postgres.log" 2>&1 ||
      fail "initdb failed; see $STATE/log/postgres.log"
    mv "$data.new" "$data"
  fi
  if [ "$(<"$data/PG_VERSION")" != "$("$bin/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')" ]; then
    fail "$data was made by PostgreSQL $(<"$data/PG_VERSION"), $bin is another; set HAPPENING_POSTGRES_BIN, or remove the directory"
  fi
  # Durable as in production: Happening refuses a database that is not, and a
  # test on a faster one would prove nothing. No socket: its path could be too long.
  launch postgres "$bin/postgres" -D "$data" -p "$port" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c max_connections=300 -c shared_buffers=256MB \
    -c fsync=on -c synchronous_commit=on -c full_page_writes=on
  echo "$port" >"$STATE/run/postgres.port"

  export PGPASSWORD=$POSTGRES_PASSWORD
  local psql=(psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U postgres -d postgres)
  await postgres "${psql[@]}" -c 'SELECT 1'
  # An owner as a careful DBA would give one: no superuser, but able to make
  # the two plain roles that the application connects as.
  "${psql[@]}" >>"$STATE/log/postgres.log" 2>&1 <<'SQL' || fail "the database could not be made; see $STATE/log/postgres.log"
SELECT 'CREATE ROLE happening LOGIN CREATEROLE PASSWORD ''happening'''
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'happening') \gexec
SELECT 'CREATE DATABASE happening OWNER happening'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'happening') \gexec
SQL
}

up_redis() {
  local port=$1 data=$STATE/data/redis
  own redis "$data"
  # Nothing is written to disk: Happening rebuilds all that it keeps here from
  # PostgreSQL, and a Redis that comes back empty is what the tests want to see.
  # Nothing may be evicted, either: a hold that vanishes early is a lie.
  cat >"$data/redis.conf" <<CONF
bind 127.0.0.1
port $port
dir $data
daemonize no
save ""
appendonly no
maxmemory 512mb
maxmemory-policy noeviction
user default off
user happening on >happening ~* &* +@all
CONF
  [ "$(id -u)" != 0 ] || chown redis: "$data/redis.conf"
  chmod 600 "$data/redis.conf"
  launch redis redis-server "$data/redis.conf"
  echo "$port" >"$STATE/run/redis.port"
  await redis redis_answers "$port"
}

redis_answers() {
  local line
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'AUTH happening happening\r\nPING\r\n' >&3
  read -r -t 2 line <&3 && [[ $line == +OK* ]] && read -r -t 2 line <&3 && [[ $line == +PONG* ]]
}

up_rabbitmq() {
  local port=$1 management=$2 data=$STATE/data/rabbitmq epmd distribution
  own rabbitmq "$data" "$data/mnesia" "$data/config" "$data/home"
  epmd=$(spare_port)
  distribution=$(spare_port)
  cat >"$data/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$port
management.tcp.ip = 127.0.0.1
management.tcp.port = $management
default_user = happening
default_pass = happening
default_user_tags.administrator = true
CONF
  echo '[rabbitmq_management].' >"$data/enabled_plugins"
  # An empty one, so that the system's node's is not read.
  : >"$data/rabbitmq-env.conf"
  [ "$(id -u)" != 0 ] || chown -h rabbitmq: "$data"/rabbitmq.conf "$data"/enabled_plugins "$data"/rabbitmq-env.conf

  # Erlang's nodes find each other through epmd. Ours has one of its own, which
  # a node of the system neither sees nor loses when we stop.
  launch epmd epmd -port "$epmd" -address 127.0.0.1
  await epmd listening "$epmd"
  launch rabbitmq env \
    HOME="$data/home" LANG=C.UTF-8 \
    ERL_EPMD_PORT="$epmd" ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_NODENAME=happening-engines@localhost \
    RABBITMQ_DIST_PORT="$distribution" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" \
    RABBITMQ_CONF_ENV_FILE="$data/rabbitmq-env.conf" \
    RABBITMQ_CONFIG_FILE="$data/rabbitmq.conf" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$data/enabled_plugins" \
    RABBITMQ_MNESIA_BASE="$data/mnesia" \
    RABBITMQ_GENERATED_CONFIG_DIR="$data/config" \
    RABBITMQ_LOG_BASE="$data" RABBITMQ_LOGS=- \
    "$(rabbitmq_server)"
  echo "$port $management" >"$STATE/run/rabbitmq.port"
  await rabbitmq curl -sf -m 5 -u happening:happening "http://127.0.0.1:$management/api/health/checks/port-listener/$port"
}

up_keycloak() {
  local port=$1 data=$STATE/data/keycloak
  local home=$STATE/keycloak-$KEYCLOAK_VERSION url=http://localhost:$port java realm=$ROOT/deploy/keycloak/realm-happening.json
  java=$(java_home)
  unpack_keycloak "$home" "$java"

  # Keycloak imports a realm only once. A changed file is meant to be seen, and
  # nothing in here is worth more than that.
  if [ -e "$data/realm.sum" ] && [ "$(<"$data/realm.sum")" != "$(cksum <"$realm")" ]; then
    say "the realm file changed: Keycloak begins with a new database"
    rm -rf "$data"
  fi
  own keycloak "$data" "$data/import" "$data/tmp"
  cksum <"$realm" >"$data/realm.sum"
  install -m 644 "$realm" "$data/import/realm-happening.json"
  rm -rf "$home/themes/happening"
  cp -r "$ROOT/deploy/keycloak/theme/happening" "$home/themes/happening"

  launch keycloak env \
    JAVA_HOME="$java" HOME="$data" JAVA_OPTS_KC_HEAP="-Xms128m -Xmx768m" JAVA_OPTS_APPEND="$KEYCLOAK_JAVA_OPTS" \
    KC_BOOTSTRAP_ADMIN_USERNAME="$KEYCLOAK_ADMIN" KC_BOOTSTRAP_ADMIN_PASSWORD="$KEYCLOAK_ADMIN_PASSWORD" \
    HAPPENING_OIDC_CLIENT_SECRET="$CLIENT_SECRET" \
    "$home/bin/kc.sh" start --optimized --import-realm --cache=local \
    --http-enabled=true --http-host=127.0.0.1 --http-port="$port" --hostname="$url"
  echo "$port" >"$STATE/run/keycloak.port"
  await keycloak curl -sf -m 5 "$url/realms/happening/.well-known/openid-configuration"
  admit_tests "$url"
}

# unpack_keycloak HOME JAVA: fetches, checks, unpacks and builds it once.
unpack_keycloak() {
  local home=$1 java=$2 zip=$STATE/keycloak-quarkus-dist-$KEYCLOAK_VERSION.zip
  [ ! -e "$home/.ready" ] || return 0
  if [ ! -e "$zip" ] || ! sha256sum -c --quiet <<<"$KEYCLOAK_SHA256  $zip" >/dev/null 2>&1; then
    say "fetching Keycloak $KEYCLOAK_VERSION with Maven (170 MB)"
    mvn -q -B dependency:copy -Dartifact="org.keycloak:keycloak-quarkus-dist:$KEYCLOAK_VERSION:zip" \
      -DoutputDirectory="$STATE" >"$STATE/log/maven.log" 2>&1 ||
      fail "Maven could not fetch Keycloak; see $STATE/log/maven.log"
    sha256sum -c --quiet <<<"$KEYCLOAK_SHA256  $zip" >/dev/null 2>&1 ||
      fail "$zip is not the Keycloak $KEYCLOAK_VERSION that this script knows; remove it and try again"
  fi
  say "building Keycloak $KEYCLOAK_VERSION (once; half a minute)"
  rm -rf "$home" "$home.new"
  mkdir "$home.new"
  unzip -q "$zip" -d "$home.new"
  mv "$home.new/keycloak-$KEYCLOAK_VERSION" "$home"
  rmdir "$home.new"
  # A file for a database: what is tested here is Happening.
  JAVA_HOME=$java JAVA_OPTS_APPEND=$KEYCLOAK_JAVA_OPTS "$home/bin/kc.sh" build --db=dev-file >>"$STATE/log/keycloak-build.log" 2>&1 ||
    fail "Keycloak could not be built; see $STATE/log/keycloak-build.log"
  # The server stays as it was unpacked; what changes lies with the other data.
  rm -rf "$home/data"
  ln -s ../data/keycloak "$home/data"
  chmod -R go+rX "$home"
  touch "$home/.ready"
}

# admit_tests URL: what only tests need, and what therefore does not stand in
# the realm's file: a client that may exchange a password for tokens, and
# redirects to any port of this machine.
admit_tests() {
  local url=$1 token admin=$1/admin/realms/happening id status
  token=$(curl -sf "$url/realms/master/protocol/openid-connect/token" \
    -d grant_type=password -d client_id=admin-cli \
    -d username="$KEYCLOAK_ADMIN" -d password="$KEYCLOAK_ADMIN_PASSWORD" |
    sed -nE 's/.*"access_token":"([^"]+)".*/\1/p')
  [ -n "$token" ] || fail "Keycloak does not know its administrator; remove $STATE/data/keycloak and start again"
  status=$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
    "$admin/clients" --data-binary "@$ROOT/deploy/keycloak/test-client.json")
  [[ $status == 201 || $status == 409 ]] || fail "Keycloak refused the tests' client ($status)"
  id=$(curl -sf -H "Authorization: Bearer $token" "$admin/clients?clientId=happening" |
    sed -nE 's/^\[\{"id":"([^"]+)".*/\1/p')
  # An address without a port stands for every port of this machine.
  curl -sf -o /dev/null -X PUT -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$admin/clients/$id" \
    --data-binary '{"clientId":"happening","redirectUris":["http://localhost/*","http://127.0.0.1/*"]}' ||
    fail "Keycloak refused the tests' redirects"
}

write_env() {
  local postgres redis amqp management keycloak
  postgres=$(chosen postgres)
  redis=$(chosen redis)
  read -r amqp management <<<"$(chosen rabbitmq)"
  keycloak=$(chosen keycloak)
  cat >"$ENV_FILE.new" <<ENV
# Written by deploy/engines.sh: the engines that it started. Development passwords.
export DATABASE_URL='postgres://happening:happening@127.0.0.1:$postgres/happening?sslmode=disable'
export REDIS_URL='redis://happening:happening@127.0.0.1:$redis'
export AMQP_URL='amqp://happening:happening@127.0.0.1:$amqp/'
export OIDC_ISSUER_URL='http://localhost:$keycloak/realms/happening'
export OIDC_CLIENT_ID='happening'
export OIDC_CLIENT_SECRET='$CLIENT_SECRET'
# For tests only.
export POSTGRES_ADMIN_URL='postgres://postgres:$POSTGRES_PASSWORD@127.0.0.1:$postgres/postgres?sslmode=disable'
export RABBITMQ_MANAGEMENT_URL='http://happening:happening@127.0.0.1:$management'
export KEYCLOAK_ADMIN_URL='http://localhost:$keycloak'
export KEYCLOAK_ADMIN_USER='$KEYCLOAK_ADMIN'
export KEYCLOAK_ADMIN_PASSWORD='$KEYCLOAK_ADMIN_PASSWORD'
export KEYCLOAK_TEST_CLIENT_ID='happening-tests'
export KEYCLOAK_TEST_CLIENT_SECRET='happening-tests-development-secret'
ENV
  mv "$ENV_FILE.new" "$ENV_FILE"
}

# ── commands ───────────────────────────────────────────────────────────────

up() {
  local engine entry port names=() faults=0 began=$SECONDS
  STARTED=()
  for engine in "${ENGINES[@]}"; do
    running "$engine" >/dev/null || STARTED+=("$engine")
  done
  if [ ${#STARTED[@]} = 0 ]; then
    write_env
    say "all four run already; their addresses are in $ENV_FILE"
    return
  fi

  for engine in "${STARTED[@]}"; do
    # shellcheck disable=SC2207 # ports hold no spaces
    names=($(ports_of "$engine"))
    for port in $(chosen "$engine"); do
      entry=${names[0]}
      names=("${names[@]:1}")
      if listening "$port"; then
        echo "engines: port $port of $engine is taken$(holder "$port"); stop that or set ${entry%%:*}" >&2
        faults=1
      fi
    done
  done
  [ "$faults" = 0 ] || exit 1
  install_missing

  declare -A jobs=()
  # What this call started, it stops again if it can't bring up all of it.
  trap 'give_up' EXIT
  trap 'exit 130' INT TERM HUP
  for engine in "${STARTED[@]}"; do
    # The name service of a broker that died is of no use to the next one.
    [ "$engine" != rabbitmq ] || halt epmd || true
    : >"$STATE/log/$engine.log"
    # shellcheck disable=SC2046 # each port is an argument
    (trap - EXIT; "up_$engine" $(chosen "$engine"); say "$engine is ready on $(chosen "$engine") after $((SECONDS - began)) s") &
    jobs[$engine]=$!
  done
  for engine in "${STARTED[@]}"; do
    wait "${jobs[$engine]}" || faults=1
  done
  [ "$faults" = 0 ] || exit 1
  trap - EXIT
  write_env
  say "all four are ready after $((SECONDS - began)) s; their addresses are in $ENV_FILE"
}

give_up() {
  local engine job
  trap '' INT TERM HUP
  for job in $(jobs -p); do
    kill "$job" 2>/dev/null || true
  done
  wait || true
  for engine in "${STARTED[@]}"; do
    halt_engine "$engine" || true
  done
  say "nothing is left running that this call started" >&2
}

down() {
  local engine halts=() stopped=0 halt
  for engine in "${ENGINES[@]}"; do
    halt_engine "$engine" &
    halts+=($!)
  done
  for halt in "${halts[@]}"; do
    ! wait "$halt" || stopped=$((stopped + 1))
  done
  rm -f "$ENV_FILE"
  say "$stopped stopped; their data stays under $STATE/data"
}

[ -r /proc/self/stat ] && [ -r /proc/sys/kernel/random/boot_id ] ||
  fail "this is for Linux; elsewhere: docker compose -f deploy/compose.yaml up"
case ${1:-} in
  up | down)
    STATE=$(state_dir)
    readonly STATE
    mkdir -p "$STATE"/{run,log,data}
    [ "$STATE" = "$ROOT/build/engines" ] || say "the engines' users can't reach $ROOT; their data stands in $STATE"
    exec 9>"$STATE/lock"
    flock -w 300 9 || fail "another call is still at work"
    "$1"
    ;;
  tools) install_tools ;;
  *)
    echo "usage: $0 up | down | tools" >&2
    exit 2
    ;;
esac
