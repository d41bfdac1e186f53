# f: the file that is to be made, t: where its content is collected, size: that of the content, which follows on the input, mode: in
# octal digits. ln is the exclusive creation: it fails if the file is there. A content that ends early, as on a lost connection, has
# the wrong size and is removed, before anything is said: then nobody may listen any more.
umask 077
if [ -e "$f" ] || [ -L "$f" ]; then echo "file exists" >&2; exit 17; fi
cat >"$t"
got=$(wc -c <"$t")
if [ "${got:-0}" -eq "$size" ] && chmod "$mode" "$t" && ln "$t" "$f"; then rm -f "$t"; exit 0; fi
space=$(df -k "$t" 2>&1)
rm -f "$t"
printf '%s\n' "$space" "wrote ${got:-none} of $size bytes" >&2
exit 18
