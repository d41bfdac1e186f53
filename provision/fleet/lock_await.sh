# label: that of the stack's containers. This waits for a migration or a registration that an interrupted run left: its client ends
# with the connection and frees the lock, but the container is the engine's and continues.
n=0
while command -v docker >/dev/null && c=$(timeout 20 docker ps -q --filter "label=$label" --filter label=com.docker.compose.oneoff=True 2>/dev/null) && [ -n "$c" ]; do
	[ $n -lt 1800 ] || { echo "a migration or registration that an interrupted run began did not end within 30 minutes: docker logs $c" >&2; exit 1; }
	[ $((n % 10)) -ne 0 ] || echo "waiting for the migration or registration that an interrupted run began"
	n=$((n + 1)); sleep 1
done
