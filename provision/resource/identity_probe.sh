# root: the directory of all stacks, base: that of this one.
salt=no
[ -s "$base/salt" ] && salt=yes; v salt "$salt"
[ -e "$base/born" ] && v born yes
for d in "$root"/*/; do [ -f "${d}id" ] && [ "$d" != "$base/" ] && v other "${d%/}"; done
if [ -f "$base/id" ]; then v id "$(head -c 200 "$base/id")"; yes
elif [ -e "$base/id" ] || { [ -e "$root" ] && [ ! -d "$root" ]; }; then unknown "$base/id is not a file"
else no; fi
