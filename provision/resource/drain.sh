# stack: the name of the stack. The agent takes no more runs, those that run have their time to end, and then the database writes
# what it holds to the volume, which outlives the machine. An engine that gives no answer is not one that runs nothing.
command -v docker >/dev/null || exit 0
timeout 20 docker version >/dev/null 2>&1 || die "Docker gives no answer, so it is not known what runs there"
for c in agent business-logic caddy server postgres; do
	n=$stack-$c
	! docker inspect --type container "$n" >/dev/null 2>&1 || docker stop "$n" >/dev/null
done
sync
