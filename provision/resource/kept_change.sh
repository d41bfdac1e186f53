# b, d: as in kept.sh. The parameters are the files.
[ -d "$d" ] || mkdir -m 0700 "$d"
for f; do gone "$f" || copykept "$b/$f" "$d/$f"; done
