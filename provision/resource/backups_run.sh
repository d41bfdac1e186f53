# Makes one backup. dir: of receipts and work, repository: of the backups, stack: its name, stackdir: its directory, project, at: the Compose project and its
# directory, container: the one in which each step runs, verify: which backups are proved by loading them. The first argument is a tag of a
# backup that is never removed by its age.
set -eu
umask 077
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
kind=${1:-}
case $kind in *[!a-z]*) echo 'usage: run [TAG]' >&2; exit 64 ;; esac
work=$dir/work began=$(date +%s) step='its begin' id='' pid=''
# The lock is this process's alone: what it leaves behind when it is killed, the next one ends. Who looks holds it for a moment, too.
exec 9>>"$dir/lock"
n=0
until flock -n 9; do
	n=$((n + 1))
	[ "$n" -lt 5 ] || { echo 'another backup is being made' >&2; exit 75; }
	sleep 1
done
put() { sync "$1"; mv -f "$1" "$2"; sync "${2%/*}"; }
tell() { { printf '%s\n' "began $began" "ended $(date +%s)" "step $step" "$@"; [ -z "$id" ] || printf 'id %s\n' "$id"; } >"$dir/last.new"; put "$dir/last.new" "$dir/last"; }
# begin says which step it is, to who waits and to who finds out later that it was killed in it.
begin() { echo "$step"; tell 'result running'; }
ended() {
	code=$?
	trap '' HUP INT TERM
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	timeout 60 docker rm -f "$container" >/dev/null 2>&1 || true
	rm -rf "$work/dump/database" "$work/proof/database" "$work/proof/cluster" "$work/fetched"
	[ "$code" -ne 0 ] || return 0
	cat "$work/said" >&2 || true
	why=$(grep . "$work/said" 2>/dev/null | tail -n 1 | cut -c1-400) || why=''
	# Only a backup that is not what it should be has failed. One that could not be judged is as it was before.
	[ "$step" != 'proving it' ] || [ "$code" -ne 65 ] || receipt failed "$why"
	tell 'result failed' "code $code" "why ${why:-it was ended}"
}
# once SERVICE [ARGUMENT...] runs a service to its end. A signal ends the wait at once.
once() {
	timeout 60 docker rm -f "$container" >/dev/null 2>&1 || true
	timeout 21600 docker compose --project-name "$project" --project-directory "$at" --file "$at/compose.yaml" --ansi never run --rm -T --no-deps --name "$container" "$@" </dev/null 2>"$work/said" 9>&- &
	pid=$!
	wait "$pid"
	pid=''
}
get() { sed -n "s/^$2 //p" "$1" | head -n 1; }
isid() { case $1 in *[!0-9a-f]* | '') return 1 ;; esac; }
# receipt VERDICT [WHY] is what is known of the backup from then on.
receipt() {
	{
		cat "$work/store/receipt.txt" "$work/stored"
		[ ! -f "$work/proof.txt" ] || cat "$work/fetched.txt" "$work/proof.txt" | grep -E '^(artifacts|proof_rows|load_seconds|compare_seconds|restore_seconds) [0-9]+$' || true
		echo "verdict $1"; [ -z "${2:-}" ] || echo "why $2"
	} >"$dir/receipts/.new"
	put "$dir/receipts/.new" "$dir/receipts/$id"
}
# judged VERDICT lists the backups of this instance with it that are in the repository: when each was begun, and its id.
judged() {
	for f in "$dir/receipts"/*; do
		if [ -f "$f" ] && [ "$(get "$f" verdict)" = "$1" ] && [ "$(get "$f" identity)" = "$identity" ] && [ -e "$repository/snapshots/${f##*/}" ] && [ "$(get "$f" began)" -le "$began" ]; then
			echo "$(get "$f" began) ${f##*/}"
		fi
	done | sort
}
# Backups are in the order in which they were begun.
while [ -f "$dir/last" ] && [ "$(get "$dir/last" began)" = "$began" ]; do sleep 1; began=$(date +%s); done
: >"$work/said"
trap ended EXIT
trap 'exit 143' HUP INT TERM
identity=$(cat "$stackdir/id")
if [ -f "$dir/made" ] && [ "$(cat "$dir/made")" = "$repository" ] && [ ! -f "$repository/config" ]; then
	echo "the backups in $repository are not there: is its disk mounted? Where they are gone for good, remove $dir/made" >"$work/said"
	exit 1
fi

step='the dump of the database'
begin
rm -f "$work/receipt" "$work/stored" "$work/fetched.txt" "$work/proof.txt"
once backup-dump >"$work/receipt"
{
	echo 'format 1'; echo "stack $stack"; echo "identity $identity"; echo "began $began"; echo "repository $repository"; [ -z "$kind" ] || echo "kind $kind"
	grep -E '^(postgres|alembic|extensions|tables|rows|dump_bytes|dump_seconds) [A-Za-z0-9_ .-]*$' "$work/receipt"
} >"$work/store/receipt.txt"

step='storing it in the repository'
begin
export KIND="$kind"
once ${kind:+-e KIND} backup-store store >"$work/stored.new"
grep -E '^(id [0-9a-f]+|added_bytes [0-9]+)$' "$work/stored.new" >"$work/stored"
id=$(get "$work/stored" id)
isid "$id"
printf '%s\n' "$repository" >"$dir/made.new"; put "$dir/made.new" "$dir/made"
receipt unproved
rm -rf "$work/dump/database"

last=$(judged proved | tail -n 1)
case $verify in daily) prove=yes ;; never) prove='' ;; *) prove=yes; [ -z "$last" ] || [ "$((began - ${last% *}))" -gt 518400 ] || prove='' ;; esac
if [ -n "$prove" ]; then
	step='proving it'
	begin
	t=$(date +%s)
	once backup-store fetch "$id" >"$work/fetched.txt"
	# shellcheck disable=SC2046 # extensions are words
	once backup-prove "$(get "$work/fetched.txt" postgres)" "$(get "$work/fetched.txt" alembic)" $(get "$work/fetched.txt" extensions) >"$work/proof.txt"
	echo "restore_seconds $(($(date +%s) - t))" >>"$work/proof.txt"
	receipt proved
fi

step='removing old backups'
keep=$(judged proved | tail -n 1)
[ "$verify" != never ] || keep="$began $id"
if [ -n "$keep" ]; then
	begin
	failed=$(judged failed | cut -d ' ' -f 2)
	# shellcheck disable=SC2086 # ids
	once backup-store forget "${keep#* }" $failed >"$work/removed"
	while read -r word old; do
		if [ "$word" = removed ] && isid "$old"; then rm -f "$dir/receipts/$old"; fi
	done <"$work/removed"
fi
step='its end'
tell 'result good'
