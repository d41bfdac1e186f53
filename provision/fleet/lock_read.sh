# note: the file that says who works here. This prints its age in seconds by the host's clock, when it was touched, who wrote it,
# and what was begun last.
[ -f "$note" ] || exit 0
t=$(stat -c %Y "$note") || exit 0
echo "$(( $(date +%s) - t )) $t"; head -n 3 "$note" | head -c 2000; tail -n +4 "$note" | tail -n 1 | head -c 500
