# n: a network, stack: whose it is, label: which says so. The parameters are the stack's containers in the order in which they end, each with its own time
# to do so; then the network ends. Foreign containers stay, and so does everything else.
on=$(docker ps -a --filter network="$n" --format "{{.Label \"$label\"}}|{{.Names}}")
foreign=$(printf '%s\n' "$on" | grep -v "^$stack|" | sed 's/.*|//')
# shellcheck disable=SC2086 # one name after the other
[ -z "$foreign" ] || die "containers that do not belong to the stack are on it:" $foreign
for c in "$@" $(printf '%s\n' "$on" | sed 's/.*|//'); do
	printf '%s\n' "$on" | grep -qxF "$stack|$c" && docker inspect --type container "$c" >/dev/null 2>&1 || continue
	{ docker stop "$c" && docker rm "$c"; } || ! docker inspect --type container "$c" >/dev/null 2>&1 || die "$c cannot be removed"
done
! docker network inspect "$n" >/dev/null 2>&1 || docker network rm "$n"
