# dir: of the receipts. A receipt whose backup is gone from the repository that it names says so.
for receipt in "$dir/receipts"/*; do
	[ -f "$receipt" ] || continue
	cat "$receipt"
	[ -e "$(sed -n 's/^repository //p' "$receipt" | head -n 1)/snapshots/${receipt##*/}" ] || echo 'gone yes'
	echo
done
