#!/bin/bash
# Entry point of the lab's postgres image. It keeps to what users of the
# official image rely on: the POSTGRES_ variables and their _FILE forms, an
# empty data directory is initialised and then never touched again, any user id.
# It does not run scripts from /docker-entrypoint-initdb.d.
set -eu

die() {
	echo >&2 "error: $1"
	exit 1
}

# secret NAME DEFAULT: the value of $NAME, or the content of the file $NAME_FILE
# names, or DEFAULT.
secret() {
	local name=$1 file="${1}_FILE" value
	if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
		die "$name and $file are both set, and only one may be"
	fi
	value=${!name:-$2}
	if [ -n "${!file:-}" ]; then
		value=$(<"${!file}") || die "$file cannot be read"
	fi
	export "$name=$value"
	unset "$file"
}

prepare_directories() {
	mkdir -p "$PGDATA" /var/run/postgresql 2>/dev/null || :
	chmod 0700 "$PGDATA" || :
	chmod 0775 /var/run/postgresql 2>/dev/null || :
	if [ "$(id -u)" = 0 ]; then
		find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
		find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
	fi
}

initialise() {
	local auth=${POSTGRES_HOST_AUTH_METHOD:-md5} pid
	if [ -z "$POSTGRES_PASSWORD" ] && [ "$auth" != trust ]; then
		die "the database has no superuser password: set POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE), or POSTGRES_HOST_AUTH_METHOD=trust"
	fi
	local -a with=(--username="$POSTGRES_USER")
	if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
		with+=(--waldir="$POSTGRES_INITDB_WALDIR")
	fi
	# The password travels on a pipe; the arguments are words for initdb.
	eval 'initdb "${with[@]}" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"${POSTGRES_INITDB_ARGS:-}"
	printf '\nhost all all all %s\n' "$auth" >>"$PGDATA/pg_hba.conf"

	# Over the socket alone until the database exists.
	PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
	if [ "$POSTGRES_DB" != postgres ]; then
		PGPASSWORD=$POSTGRES_PASSWORD psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password \
			--username "$POSTGRES_USER" --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db" ;'
	fi
	PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
	echo
	echo "PostgreSQL init process complete; ready for start up."
	echo
}

if [ "${1:-}" = "" ] || [ "${1#-}" != "$1" ]; then
	set -- postgres "$@"
fi
if [ "$1" = postgres ]; then
	prepare_directories
	if [ "$(id -u)" = 0 ]; then
		exec gosu postgres "$0" "$@"
	fi
	if [ ! -s "$PGDATA/PG_VERSION" ]; then
		secret POSTGRES_PASSWORD ''
		secret POSTGRES_USER postgres
		secret POSTGRES_DB "$POSTGRES_USER"
		secret POSTGRES_INITDB_ARGS ''
		initialise
	else
		echo
		echo "PostgreSQL Database directory appears to contain a database; Skipping initialization"
		echo
	fi
	unset POSTGRES_PASSWORD
fi
exec "$@"
