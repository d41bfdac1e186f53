# n: the note that says who holds the host's lock.
if [ -f "$n" ] && { read -r who; read -r since; read -r x p s; } <"$n" 2>/dev/null && [ "$x" = pid ] && [ "$(cut -d' ' -f22 "/proc/$p/stat" 2>/dev/null)" = "$s" ]; then
	v who "$who"; v since "$since"; v doing "$(tail -n +4 "$n" | tail -n 1 | head -c 500)"; yes
else no; fi
