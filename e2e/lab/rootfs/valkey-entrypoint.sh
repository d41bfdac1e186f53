#!/bin/sh
# Entry point of the lab's valkey image. It keeps to what users of the official
# image rely on: options alone go to valkey-server, any other command is run as
# it is; root steps down to the user valkey; and whoever else starts the server
# where it cannot write is told so, instead of losing data later.
set -eu

case ${1:-} in
-* | *.conf) set -- valkey-server "$@" ;;
esac
if [ "${1:-}" = valkey-server ]; then
	if [ "$(id -u)" = 0 ]; then
		find . ! -user valkey -exec chown valkey '{}' +
		exec setpriv --reuid=valkey --regid=valkey --clear-groups -- "$0" "$@"
	fi
	if [ ! -w . ]; then
		echo >&2 "error: $(pwd) is not writable by the user $(id -u)"
		exit 1
	fi
fi
[ "$(umask)" != 0022 ] || umask 0077
# shellcheck disable=SC2086 # words, as upstream takes them
exec "$@" ${VALKEY_EXTRA_FLAGS:-}
