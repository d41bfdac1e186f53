# listing STACK CONTAINERS NETWORKS ALL IMAGES [IMAGE...] lists what the engine has, in the formats of docker.go. That an image is
# missing is an answer, which the engine prints; any other failure is read as such by parseDocker. What was listed may be gone when it
# is looked at (a one-shot that ends just then): it is listed again. label: the one that says whose a thing is.
listing() {
	for _ in 1 2 3; do
		a=$(timeout 20 docker ps -a --no-trunc --format "$4") || break
		ids=$(printf '%s\n' "$a" | sed -n "s/^\([0-9a-f]*\)|$1|.*/\1/p")
		c=''
		# shellcheck disable=SC2086 # ids are words of hexadecimal digits
		[ -z "$ids" ] || c=$(timeout 20 docker inspect --type container --format "$2" $ids) || { [ $? -eq 1 ] && continue; break; }
		v containers "$c"; v all "$a"; break
	done
	for _ in 1 2 3; do
		n=$(timeout 20 docker network ls -q --no-trunc) || break
		# shellcheck disable=SC2086 # as above
		n=$(timeout 20 docker network inspect --format "$3" $n) || { [ $? -eq 1 ] && continue; break; }
		v networks "$n"; break
	done
	[ "$V" = yes ] && v volumes "$VS"
	b=$(timeout 20 docker image ls --filter "label=$label=$1" --format '{{.Repository}}:{{.Tag}}|{{.CreatedAt}}') && v built "$b"
	a=$5; shift 5
	if [ $# -eq 0 ]; then v images ''
	else i=$(timeout 20 docker image inspect --format "$a" "$@" 2>&1); [ $? -le 1 ] && v images "$i"; fi
}
