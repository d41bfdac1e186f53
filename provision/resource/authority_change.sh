# d, note, next: as in authority_probe.sh. u, mode: the uid that reads the key, and the mode of the directory.
# act: change has the next authority take the place of this one; else root, intermediate and key are the new one.
place() { put "$t" "$d/$1" "$u:$u" 0400; }
new() { t=$(mktemp "$d/.provision.XXXXXX"); }
secretdir "$d" "$u" "$mode"; mkdir -p "${note%/*}"
if [ "$act" = change ]; then
	for x in root.crt intermediate.crt intermediate.key; do new; cat "$next/$x" >"$t"; place "$x"; done
else
	# Meanwhile it may have been put back, from beside the data.
	if [ "$act" = add ] && [ -f "$d/root.crt" ] && [ "$(cat "$note" 2>/dev/null)" = "$(authoritynote "$d")" ]; then exit 0; fi
	new; printf '%s' "$key" >"$t"; place intermediate.key
	new; printf '%s' "$intermediate" >"$t"; place intermediate.crt
	# The root comes last: without it there is no authority.
	new; printf '%s' "$root" >"$t"; place root.crt
fi
t=$(mktemp "${note%/*}/.provision.XXXXXX"); authoritynote "$d" >"$t"; put "$t" "$note" 0:0 0400
rm -rf "$next"
