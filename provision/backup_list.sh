# dir: of the receipts, repository: of the backups. A receipt whose backup is gone says so.
for receipt in "$dir/receipts"/*; do
	[ -f "$receipt" ] || continue
	cat "$receipt"
	[ -e "$repository/snapshots/${receipt##*/}" ] || echo 'gone yes'
	echo
done
