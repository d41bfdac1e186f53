# The parameters are containers, which may be absent. They are stopped.
for c in "$@"; do
	! docker inspect --type container "$c" >/dev/null 2>&1 || docker stop --time 10 "$c" >/dev/null
done
