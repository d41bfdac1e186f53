# project: that of the container which is to be replaced, once: a service of it that runs to its end, doing: what that does.
echo "$doing"
timeout 1800 docker compose --project-name "$project" --ansi never run --rm -T --no-deps "$once"
