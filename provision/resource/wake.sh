# stack: the name of the stack. Starts what drain.sh has stopped: the engine leaves that stopped when the machine comes up.
command -v docker >/dev/null || exit 0
t=0
until docker version >/dev/null 2>&1; do
	[ $t -lt 120 ] || die "Docker gives no answer since the machine was switched on"
	t=$((t + 1)); sleep 1
done
for c in postgres server caddy business-logic agent; do
	n=$stack-$c
	! docker inspect --type container "$n" >/dev/null 2>&1 || docker start "$n" >/dev/null
done
