# dir: of receipts and work, repository: of the backups, data: where the database is, unit, timer: the files of both units. backupsenabled
# and backupsactive are functions of the init system. The parameters are the directories that have to be there.
if [ ! -e "$timer" ] && [ ! -e "$dir" ]; then no
else
	v directories "$(for d; do stat -c '%u:%g %a %F' "$d" 2>/dev/null || echo none; done)"
	v sums "$(sha256sum "$unit" "$timer" 2>/dev/null | cut -c1-64)"
	v enabled "$(backupsenabled 2>/dev/null)"
	v active "$(backupsactive 2>/dev/null)"
	[ ! -f "$dir/last" ] || v last "$(head -c 4000 "$dir/last")"
	[ ! -f "$dir/lock" ] || flock -n "$dir/lock" true || v busy yes
	x=$(for receipt in "$dir/receipts"/*; do [ ! -f "$receipt" ] || { grep -q '^verdict failed' "$receipt" || [ ! -e "$repository/snapshots/${receipt##*/}" ] || printf '%s %s\n' "$(sed -n 's/^began //p' "$receipt" | head -n 1)" "$receipt"; }; done | sort | tail -n 1)
	[ -z "$x" ] || v newest "$(head -c 4000 "${x#* }")"
	[ "$(stat -c %d "$repository" 2>/dev/null)" != "$(stat -c %d "$data" 2>/dev/null)" ] || v samedisk yes
	if [ -f "$dir/made" ] && [ "$(cat "$dir/made")" = "$repository" ] && [ ! -f "$repository/config" ]; then v lost yes; fi
	yes
fi
