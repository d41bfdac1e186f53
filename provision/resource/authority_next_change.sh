# next: the directory of the authority that is to follow, which appears under its name when all of it is there: root,
# intermediate, key.
t=$next.new
rm -rf "$t"; mkdir "$t"; chmod 0700 "$t"
printf '%s' "$root" >"$t/root.crt"; sync "$t/root.crt"
printf '%s' "$intermediate" >"$t/intermediate.crt"; sync "$t/intermediate.crt"
printf '%s' "$key" >"$t/intermediate.key"; sync "$t/intermediate.key"
rm -rf "$next"; mv "$t" "$next"; sync "${next%/*}"
