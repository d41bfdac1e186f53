# dev, dir: the device and where it is mounted, sub: the directory on it for the database, born: the mark that this host has had
# the database before, fstab: its line there.
[ -d "$dir/$sub" ] && v sub yes
[ -e "$born" ] && v born yes
grep -qxF "$fstab" /etc/fstab && v fstab yes
src=$(findmnt -n -o SOURCE --mountpoint "$dir") && v source "$src"
if [ ! -e "$dev" ]; then unknown "the volume is not attached ($dev is missing)"
else
	real=$(readlink -f "$dev"); v real "$real"
	fs=$(blkid -p -o value -s TYPE "$real"); rc=$?
	v fs "$fs"
	case $rc in
	0)
		v sizes "$(blockdev --getsize64 "$real") $(dumpe2fs -h "$real" 2>/dev/null | sed -n 's/^Block count: *//p;s/^Block size: *//p' | tr '\n' ' ')"
		if [ "$src" = "$real" ]; then yes; else no; fi ;;
	2) no ;;
	*) unknown "what is on $real cannot be told" ;;
	esac
fi
