# f: the file of the password. It is not there before the first apply.
[ -f "$f" ] || exit 3
cat "$f"
