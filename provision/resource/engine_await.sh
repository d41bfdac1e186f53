# status is a function of the init system that says how the engine is.
n=0
until timeout 20 docker version >/dev/null 2>&1; do
	[ $n -lt 30 ] || { status >&2 || true; die "the engine did not answer within 60 seconds"; }
	n=$((n + 1)); sleep 2
done
