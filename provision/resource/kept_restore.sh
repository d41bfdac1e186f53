# b, d: as in kept.sh. The parameters are the files. What is kept and not there is put back: on a droplet that is new beside its data.
for f; do ! gone "$f" || copykept "$d/$f" "$b/$f"; done
