# holder FILE names the process that holds a lock on a file.
holder() {
	ino=$(stat -c %i "$1" 2>/dev/null) || return 1
	while read -r _ _ _ _ pid dev _; do case $dev in *:"$ino") printf 'process %s (%s)' "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null)"; return 0 ;; esac; done </proc/locks
	return 1
}
