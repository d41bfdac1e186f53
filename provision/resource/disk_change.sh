# dev, dir, sub, fstab: as in disk_probe.sh. owner: that of the directory for the database.
n=0
until [ -e "$dev" ]; do
	[ $n -lt 60 ] || die "the volume did not appear as $dev within a minute"
	[ $((n % 10)) -ne 0 ] || echo "waiting for the volume to appear"
	n=$((n + 1)); sleep 1
done
# Whether it is blank is asked again right before it is formatted.
real=$(readlink -f "$dev")
rc=0; fs=$(blkid -p -o value -s TYPE "$real") || rc=$?
case "$rc $fs" in
'0 ext4') ;;
'2 ') echo "formatting the volume, which is blank"; mkfs.ext4 -q -m 1 -L provision "$real" ;;
*) die "the volume is not blank and not ext4 (${fs:-not known}); it is not formatted" ;;
esac
mkdir -p "$dir"
t=$(mktemp /etc/.provision.XXXXXX)
grep -v -F " $dir ext4 " /etc/fstab >"$t" || true
printf '%s\n' "$fstab" >>"$t"
put "$t" /etc/fstab 0:0 0644
systemctl daemon-reload
findmnt -n --mountpoint "$dir" >/dev/null || mount "$dir"
[ "$(findmnt -n -o SOURCE --mountpoint "$dir")" = "$real" ] || die "another file system is mounted at $dir"
resize2fs "$real" >/dev/null
[ -d "$dir/$sub" ] || { mkdir -m 0700 "$dir/$sub"; chown "$owner" "$dir/$sub"; }
sync "$dir"
