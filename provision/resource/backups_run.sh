# Makes one backup. dir: of receipts and work, stack: its name, stackdir: its directory, project, at: the Compose project and its directory, container: the
# one in which each step runs, verify: which backups are proved by loading them. The first argument is a tag of a backup that is never
# removed by its age.
set -eu
umask 077
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
kind=${1:-}
case $kind in *[!a-z]*) echo 'usage: run [TAG]' >&2; exit 64 ;; esac
work=$dir/work began=$(date +%s) step='its begin' id=''
# The lock is this process's alone: what it leaves behind when it is killed, the next one ends.
exec 9>>"$dir/lock"
flock -n 9 || { echo 'another backup is being made' >&2; exit 75; }
put() { sync "$1"; mv -fT "$1" "$2"; sync "${2%/*}"; }
tell() { { printf '%s\n' "began $began" "ended $(date +%s)" "step $step" "$@"; [ -z "$id" ] || printf 'id %s\n' "$id"; } >"$dir/last.new"; put "$dir/last.new" "$dir/last"; }
ended() {
	code=$?
	docker rm -f "$container" >/dev/null 2>&1 || true
	rm -rf "$work/dump/database" "$work/proof/database" "$work/proof/cluster" "$work/fetched"
	[ "$code" -ne 0 ] || return 0
	cat "$work/said" >&2 || true
	why=$(grep . "$work/said" 2>/dev/null | tail -n 1 | cut -c1-400) || why=''
	[ -z "$id" ] || receipt failed "$why"
	tell 'result failed' "code $code" "why ${why:-it was ended}"
}
# once SERVICE [ARGUMENT...] runs a service to its end.
once() {
	docker rm -f "$container" >/dev/null 2>&1 || true
	timeout 21600 docker compose --project-name "$project" --project-directory "$at" --file "$at/compose.yaml" --ansi never run --rm -T --no-deps --name "$container" "$@" </dev/null 2>"$work/said" 9>&-
}
get() { sed -n "s/^$2 //p" "$1" | head -n 1; }
# receipt VERDICT [WHY] is what is known of the backup from then on.
receipt() {
	{
		cat "$work/store/receipt.txt" "$work/stored"
		[ ! -f "$work/proof.txt" ] || cat "$work/fetched.txt" "$work/proof.txt" | grep -E '^(artifacts|proof_rows|load_seconds|compare_seconds|restore_seconds) ' || true
		echo "verdict $1"; [ -z "${2:-}" ] || echo "why $2"
	} >"$dir/receipts/.new"
	put "$dir/receipts/.new" "$dir/receipts/$id"
}
: >"$work/said"
trap ended EXIT
trap 'exit 143' HUP INT TERM
tell 'result running'

step='the dump of the database'
echo "$step"
rm -f "$work/receipt" "$work/stored" "$work/fetched.txt" "$work/proof.txt"
once backup-dump >"$work/receipt"
{ echo 'format 1'; echo "stack $stack"; echo "identity $(cat "$stackdir/id")"; echo "began $began"; [ -z "$kind" ] || echo "kind $kind"; cat "$work/receipt"; } >"$work/store/receipt.txt"

step='storing it in the repository'
echo "$step"
export KIND="$kind"
once ${kind:+-e KIND} backup-store store >"$work/stored"
id=$(get "$work/stored" id)
receipt unproved

case $verify in daily) prove=yes ;; never) prove='' ;; *) prove=yes; [ -z "$(find "$dir/receipts" -type f -mtime -6 -exec grep -l '^verdict proved' {} + 2>/dev/null)" ] || prove='' ;; esac
if [ -n "$prove" ]; then
	step='proving it'
	echo "$step"
	t=$(date +%s)
	once backup-store fetch "$id" >"$work/fetched.txt"
	# shellcheck disable=SC2046 # extensions are words
	once backup-prove "$(get "$work/fetched.txt" postgres)" "$(get "$work/fetched.txt" alembic)" $(get "$work/fetched.txt" extensions) >"$work/proof.txt"
	echo "restore_seconds $(($(date +%s) - t))" >>"$work/proof.txt"
	receipt proved
fi

step='removing old backups'
proved=$(grep -l '^verdict proved' "$dir/receipts"/* 2>/dev/null | while read -r f; do printf '%s %s\n' "$(get "$f" began)" "${f##*/}"; done | sort | tail -n 1)
if [ -n "$proved" ]; then
	echo "$step"
	once backup-store forget "${proved#* }" >"$work/removed"
	while read -r word old; do [ "$word" != removed ] || rm -f "$dir/receipts/$old"; done <"$work/removed"
fi
step='its end'
tell 'result good'
