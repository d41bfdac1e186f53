# p: the note, salt and dir: what its digest is made of. authority: the directory of the stack's authority, named: the file with its
# name; empty where there is none.
if [ -n "$authority" ]; then
	v name "$(authorityname "$authority" 2>/dev/null)"
	[ ! -f "$named" ] || { f named; head -c 4096 "$named"; }
fi
v want "$(caddydigest "$salt" "$dir" 2>/dev/null)"
if [ -f "$p" ]; then f content; head -c 4096 "$p"; yes; else no; fi
