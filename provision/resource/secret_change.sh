# p, content: the file and its value, u, m: its owner and mode, dirmode: the mode of its directory. place: put replaces it, new
# leaves one that is there, keep changes owner and mode alone.
# A generated value is created exclusively (ln fails if the name exists): two runs, or a run after a killed one, agree on the first.
# Everything else is replaced by a rename.
d=${p%/*}
secretdir "$d" "$u" "$dirmode"
t=$(mktemp "$d/.provision.XXXXXX")
printf '%s' "$content" >"$t"
case $place in
put) put "$t" "$p" "$u:$u" "$m" ;;
new) chown "$u:$u" "$t"; chmod "$m" "$t"; sync "$t"; ln "$t" "$p" 2>/dev/null || [ -f "$p" ]; rm -f "$t"; sync "$d" ;;
keep) rm -f "$t"; [ ! -L "$p" ] || die "$p has become a symbolic link"; chown -h "$u:$u" "$p"; chmod "$m" "$p" ;;
esac
