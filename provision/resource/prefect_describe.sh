# t: the uploaded list of the deployments, dir, project: those of Compose, most: how many bytes are taken of the answer, which waits
# in a directory of root's.
cd "$dir"
{ timeout 600 docker compose --project-name "$project" --ansi never run --rm -T --no-deps describe <"$t"; echo "$?" >.provision.ended; } | head -c "$most" >.provision.described
rm -f "$t"
rc=$(cat .provision.ended); rm -f .provision.ended
[ "$rc" = 0 ] || { rm -f .provision.described; exit "$rc"; }
