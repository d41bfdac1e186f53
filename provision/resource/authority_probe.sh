# d: the directory of the authority, note: the file about it, next: the directory of the one that is to follow.
if [ -d "$d" ] && [ -f "$d/root.crt" ]; then
	f root; head -c 16384 "$d/root.crt"
	[ ! -f "$d/intermediate.crt" ] || { f intermediate; head -c 16384 "$d/intermediate.crt"; }
	[ -f "$note" ] && [ "$(cat "$note")" = "$(authoritynote "$d" 2>/dev/null)" ] && v whole yes
	[ -f "$next/root.crt" ] && v next yes
	v keymode "$(stat -c '%u %a' "$d/intermediate.key" 2>/dev/null)"
	yes
else no; fi
