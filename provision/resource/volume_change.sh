# name, born, at, elsewhere: as in volume_probe.sh and volume_where.sh, stack: whose it is, label: which says so. make: no where only the mark is missing.
if [ -n "$at" ]; then
	# The engine mounts it when the container starts, and fails where the directory is not there.
	set -- --opt type=none --opt o=bind --opt "device=$at"
else set --; fi
[ "$make" = no ] || docker volume create --label "$label=$stack" "$@" "$name"
: >"$born"
[ -z "$elsewhere" ] || rm -f "$elsewhere"
