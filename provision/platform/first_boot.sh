# Waits until cloud-init has ended what it does at the first boot of a machine.
n=0
while command -v cloud-init >/dev/null && s=$(cloud-init status 2>/dev/null || true) && case $s in *running*|*'not started'*|*'not run'*) true ;; *) false ;; esac; do
	[ $n -lt 180 ] || die "cloud-init did not end within 15 minutes: $s"
	[ $((n % 6)) -ne 0 ] || echo "waiting for cloud-init to end its first boot work"
	n=$((n + 1)); sleep 5
done
