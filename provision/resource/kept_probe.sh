# b, d: as in kept.sh. The parameters are the files.
if [ -d "$d" ]; then yes; else no; fi
for f; do gone "$f" || [ ! -e "$b/$f" ] || cmp -s "$b/$f" "$d/$f" || { v differ "$f"; break; }; done
