# mark: the file that says that the engine is ours, sources and keyfile: those of Docker's repository, head: the first line of sources if it
# is ours, comment: that of the key if it is ours.
bad() { apt-get indextargets "$@" 2>&1 >/dev/null | grep '^E: ' | head -n 1; }
command -v apt-get >/dev/null || return
w=$(bad); [ -z "$w" ] || { v sources "$w"; return; }
[ -n "$only" ] && t=$(mktemp -d) || return
# others looks at what is there of others, which is left as it is.
others() {
	! grep -rqs docker /etc/apt/sources.list /etc/apt/sources.list.d || there=yes
	! apt-get indextargets --format '$(BASE_URI) $(COMPONENT)' 2>/dev/null | grep -qxF "$b/dists/$c/ stable" || { there=yes; return; }
	if [ -e "$sources" ]; then there=yes; grep -qs stable "$sources" || v named yes; return; fi
	mkdir "$t/parts"; for f in /etc/apt/sources.list.d/*; do [ ! -f "$f" ] || cp "$f" "$t/parts"; done
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: stable\nSigned-By: %s\n' "$b" "$c" "$keyfile" >"$t/parts/docker.sources"
	w=$(bad -o Dir::Etc::sourceparts="$t/parts"); [ -z "$w" ] || { there=yes; v beside "$w"; return; }
	if [ -z "$there" ] && [ -e "$keyfile" ] && ! grep -q "^Comment: $comment" "$keyfile"; then v kept "$(head -c 65536 "$keyfile" | base64 -w 0)"; fi
}
ask() {
	[ -e /etc/ssl/certs/ca-certificates.crt ] && [ -e /usr/lib/apt/apt-helper ] || return
	for u in gpg "dists/$c/Release"; do
		timeout 20 /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=8 -o Acquire::https::Timeout=8 download-file "$b/$u" "$t/${u##*/}" >/dev/null 2>"$t/said" && continue
		v unreachable "$(grep '^E: ' "$t/said" | head -n 1)"; break
	done
	[ ! -s "$t/gpg" ] || v key "$(head -c 65536 "$t/gpg" | base64 -w 0)"
}
# Ours is taken back first.
if [ "$(head -n 1 "$sources" 2>/dev/null)" != "$head" ] && ! { [ -e "$mark" ] && [ "$sources" -nt "$mark" ]; }; then others; fi
[ -n "$there" ] || ask
