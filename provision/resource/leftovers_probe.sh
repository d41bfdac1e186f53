# b: the directory of the stack, unit: the file of the unit that closes networks, timer: that of the one that makes backups.
[ ! -e "$unit" ] || v guard yes
[ ! -e "$timer" ] || v backups yes
if [ ! -e "$b" ]; then no
elif x=$(find "$b" ! -type d ! -name '.provision.*' 2>&1); then v files "$x"; yes
else unknown "$x"; fi
