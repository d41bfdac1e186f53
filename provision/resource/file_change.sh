# p, content, sum: the file, what it is to hold, and the digest of that. owner, mode: its. check is a function that judges the new
# content, in the file $new.
d=${p%/*}
(umask 022; mkdir -p "$d")
rm -f "$d"/.provision.*
# The staging name is in the same directory, so the rename stays on one file system.
new=$(mktemp "$d/.provision.XXXXXX")
printf '%s' "$content" >"$new"
written=$(sha256sum <"$new"); [ "${written%% *}" = "$sum" ] || die "the written file differs from what was sent (disk full?)"
check
put "$new" "$p" "$owner" "$mode"
