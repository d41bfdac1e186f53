# conflicting: packages that conflict with Docker's, sources and keyfile: those of Docker's repository, head: the first line of sources
# if it is ours, comment: that of the key if it is ours.
command -v dnf >/dev/null && command -v rpm >/dev/null || return
# shellcheck disable=SC2086 # names of packages
w=$(rpm -q --qf '%{NAME}\n' $conflicting 2>/dev/null | grep -v ' ' | tr '\n' ' '); [ -z "$w" ] || { v conflicts "$w"; return; }
t=$(mktemp -d) || return
if [ "$(head -n 1 "$sources" 2>/dev/null)" != "$head" ]; then
	! grep -qs docker /etc/yum.repos.d/*.repo || there=yes
	[ ! -e "$sources" ] || grep -qs '^\[docker-ce-stable\]' "$sources" || v named yes
	if [ -z "$there" ] && [ -e "$keyfile" ] && ! grep -q "^Comment: $comment" "$keyfile"; then v kept "$(head -c 65536 "$keyfile" | base64 -w 0)"; fi
fi
[ -z "$there" ] && [ -n "$only" ] && command -v curl >/dev/null || return
for u in gpg "$c/$(uname -m)/stable/repodata/repomd.xml"; do
	timeout 20 curl -fsSL --connect-timeout 8 -o "$t/${u##*/}" "$b/$u" 2>"$t/said" && continue
	v unreachable "$(head -n 1 "$t/said")"; break
done
[ ! -s "$t/gpg" ] || v key "$(head -c 65536 "$t/gpg" | base64 -w 0)"
