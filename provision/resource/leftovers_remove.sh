# kind, n: what is removed from the engine.
case $kind in
# It ends as it would at a replacement: with its own time to do so.
container) { docker stop "$n" && docker rm "$n"; } || ! docker inspect --type container "$n" >/dev/null 2>&1 ;;
network) docker network rm "$n" || ! docker network inspect "$n" >/dev/null 2>&1 ;;
volume) docker volume rm "$n" || ! docker volume inspect "$n" >/dev/null 2>&1 ;;
image) docker image rm "$n" || ! docker image inspect "$n" >/dev/null 2>&1 ;;
esac
