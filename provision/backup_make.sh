# program: makes one backup; it is not there before the first apply.
[ -f "$program" ] || exit 66
exec /bin/sh "$program"
