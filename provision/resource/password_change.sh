# hash, note, pw, salt: as in password_probe.sh. u, mode: the uid that reads the hash, and the mode of its directory, content: the
# hash.
d=${hash%/*}
secretdir "$d" "$u" "$mode"
t=$(mktemp "$d/.provision.XXXXXX"); printf '%s' "$content" >"$t"; put "$t" "$hash" "$u:$u" 0400
t=$(mktemp "${note%/*}/.provision.XXXXXX"); hashnote "$pw" "$salt" >"$t"; put "$t" "$note" 0:0 0400
