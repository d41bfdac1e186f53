# ref: the image's name, from: where it is pulled from, busy and login: what is printed where a registry asks to wait, and where it wants
# a login. Limits of a registry and short outages are waited out; anything else fails at
# once.
private=$(mktemp -d); said=$private/said; : >"$said"; trap 'rm -rf "$private"' EXIT
# How many bytes it has fetched the engine tells a terminal alone: script(1), which Debian and Ubuntu always have, is one, unless
# there are none on the host. What is drawn on it is taken once in a while, without the line that is not whole yet: all of a long
# pull would be too much to print.
drawn() {
	while part=$(dd bs=64k count=1 status=none | tail -c 2000; echo .); [ "$part" != . ]; do
		printf '%s\n' "$part" | tr '\r' '\n' | sed -nE -e '$d' -e 's/.*([0-9a-f]{12}: [A-Z].*)/\1/p'
		sleep 0.5
	done
}
export from said SHELL=/bin/sh
# A client that asks for a login reads an empty line, and so fails.
command='exec docker pull "$from" 2>"$said" <<END

END
'
if script -qec : /dev/null </dev/null >/dev/null 2>&1; then
	fetch() { timeout 1500 script -qefc "$command" /dev/null; }
else
	fetch() { timeout 1500 sh -c "$command"; }
fi
pull() {
	{ fetch; echo "$?" >"$private/rc"; } | drawn
	[ "$(cat "$private/rc")" = 0 ]
}
printed() { printf '%s\n' "$out" | grep -qE "$1"; }
n=1
until pull; do
	out=$(cat "$said")
	if printed "$busy"; then
		[ $n -lt 4 ] || { printf '%s\n' "$out" >&2; die "the registry kept refusing; wait, log in to it on the host (docker login), or set image_mirror in the inventory"; }
		echo "the registry asks to wait, next try in $((n * 15)) s"; sleep $((n * 15)); n=$((n + 1))
	elif printed "$login"; then
		printf '%s\n' "$out" >&2; die "the registry wants a login for $from, or has no such image: docker login on the host, or image_mirror in the inventory"
	else
		[ "$(cat "$private/rc")" != 124 ] || out="no end within 25 minutes"; printf '%s\n' "$out" >&2; die "cannot pull $from"
	fi
done
[ "$from" = "$ref" ] || docker tag "$from" "$ref"
