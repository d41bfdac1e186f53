# f: a file. This prints its size, the file, and its digest. The name is used as a redirection, so that one that begins with a dash is
# no option.
if [ -e "$f" ] && [ ! -f "$f" ]; then echo "not a regular file" >&2; exit 18; fi
size=$(wc -c <"$f") || exit 18
echo "$size"
cat <"$f" || exit 18
sum=$(sha256sum <"$f") || exit 18
printf '%s\n' "${sum%% *}"
