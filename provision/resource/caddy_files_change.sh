# p, salt, dir, authority, named: as in caddy_files_probe.sh. before and after: what stands around the digest in the note.
# The parameters are what stands around the name of the authority in its file.
(umask 022; mkdir -p "${p%/*}")
rm -f "${p%/*}"/.provision.*
if [ -n "$authority" ]; then
	name=$(authorityname "$authority")
	t=$(mktemp "${p%/*}/.provision.XXXXXX")
	printf '%s' "$1" >"$t"; shift
	for part; do printf '%s%s' "$name" "$part" >>"$t"; done
	put "$t" "$named" 0:0 0644
fi
t=$(mktemp "${p%/*}/.provision.XXXXXX")
printf '%s%s%s' "$before" "$(caddydigest "$salt" "$dir")" "$after" >"$t"; put "$t" "$p" 0:0 0644
