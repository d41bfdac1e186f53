# container, dir, project, service: what is to be up. patience: how long a container that is not well may take to get well by itself
# before it is replaced; empty where it is not waited for. force: the option of Compose that replaces it, timeout: how long it may
# take to be healthy. variable: what gets the digest of its files, empty where it has none. The parameters are those of
# mountsdigest. before is a function, for what comes before the replacement.
cd "$dir"
if [ -n "$patience" ]; then
	n=0
	while [ "$n" -lt "$patience" ]; do
		[ "$(docker inspect --type container --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' "$container" 2>/dev/null)" != 'running healthy' ] || exit 0
		[ $n -ne 5 ] || echo "waiting for $container to get well by itself"
		n=$((n + 1)); sleep 1
	done
fi
if [ -n "$variable" ]; then digest=$(mountsdigest "$@"); export "$variable=$digest"; fi
before
said=$(mktemp -d); trap 'rm -rf "$said"' EXIT
file=compose.yaml
# Before Docker 25 the engine has no start_interval, and Compose refuses a file that asks for it.
case $(docker version --format '{{.Server.APIVersion}}' 2>/dev/null) in 1.[0-9] | 1.[1-3][0-9] | 1.4[0-3]) file=$said/compose.yaml; sed '/^ *start_interval: /d' compose.yaml >"$file" ;; esac
# shellcheck disable=SC2086 # force is one option or none
{ up=0; docker compose --project-name "$project" --project-directory . --file "$file" --ansi never --progress plain up --detach --no-deps --no-build --pull never --remove-orphans=false $force "$service" 2>&1 || up=$?; echo "$up" >"$said/rc"; } | tee "$said/out"
up=$(cat "$said/rc")
# Once it has failed there is nothing to wait for: what runs, if anything, is the container from before.
[ "$up" -eq 0 ] || die "docker compose failed with exit code $up: $(grep . "$said/out" | tail -n 1)"
# That compose ends with 0 says little (a container can die a second later), so the container itself is asked until it is
# healthy, twice in a row where it has no check.
n=0 good=0 gone=0
while :; do
	state=$(docker inspect --type container --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.RestartCount}} {{.State.ExitCode}} {{.State.OOMKilled}}' "$container" 2>&1) || { printf '%s\n' "$state" >"$said/inspect"; state="missing none 0 $up false"; }
	# shellcheck disable=SC2086 # five words
	set -- $state
	# An engine that is busy may give no answer for once: that is not yet a container that is not there.
	if [ "$1" = missing ]; then gone=$((gone + 1)); else gone=0; fi
	case "$1 $2" in
	'running healthy') break ;;
	'running none') good=$((good + 1)); [ $good -lt 3 ] || break ;;
	*) good=0 ;;
	esac
	if [ "$gone" -ge 5 ] || [ "$n" -ge "$timeout" ] || { [ "$3" -ge 3 ] && [ "$1" = restarting ]; }; then
		why="it is $1, health $2"
		[ "$1" != missing ] || why="compose did not make it: $(grep . "$said/inspect" | tail -n 1)"
		[ "$1" != restarting ] || why="it starts and ends again (exit code $4)"
		[ "$5" != true ] || why="$why; it was killed: out of memory"
		echo "last lines of $container:" >&2
		docker logs --tail 20 "$container" >&2 2>&1 || true
		[ "$2" != unhealthy ] || docker inspect --format '{{range .State.Health.Log}}{{.Output}}{{end}}' "$container" | tail -n 3 >&2
		# UnhealthyStatus in service.go
		printf '%s\n' "$why" >&2; exit 93
	fi
	[ $((n % 10)) -ne 9 ] || echo "waiting for $container to be healthy (it is $1, health $2), $n s so far"
	n=$((n + 1)); sleep 1
done
