# Waits for other package managers, and says for which: held names the process that has a lock of theirs. Locks are never removed and
# nobody is killed.
n=0
while h=$(held); do
	[ $n -lt 120 ] || die "the package lock was not free within 10 minutes: $h holds it"
	[ $((n % 3)) -ne 0 ] || echo "waiting for the package lock: $h holds it"
	n=$((n + 1)); sleep 5
done
