# S: the file of Docker's repository, K: that of its key, H: the first line of S if it is ours, C: the comment of K if that is ours,
# causes: how a line begins that says why dnf failed.
#
# This defines try, which runs dnf and leaves the first line that says why it failed in cause; dnfinstall, which takes back what it
# brought when it fails; and takeback, which removes what was added to the host's package sources. An installation that was interrupted
# needs nothing: rpm knows a package when all of it is there.
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
running() { p=$(cat "$1" 2>/dev/null) && grep -qs dnf "/proc/$p/cmdline" && printf 'process %s (dnf)' "$p"; }
held() { holder /var/lib/rpm/.rpm.lock || running /var/lib/dnf/rpmdb_lock.pid || running /var/cache/dnf/metadata_lock.pid; }
heard() {
	rc=0; "$@" 2>"$work/errors" || rc=$?; cat "$work/errors" >&2
	cause=$(grep -E "^($causes)" "$work/errors" | head -n 1 | sed 's/^[ -]*//') || true
	cause=${cause:-exit status $rc}; cause=${cause#Error: }
	return $rc
}
try() { heard dnf -y --setopt=install_weak_deps=False "$@"; }
have() { rpm -qa --qf '%{NAME}\n' | sort -u | grep -vxF gpg-pubkey; }
dnfinstall() {
	have >"$work/before" || die "rpm lists no packages"
	try install "$@" || { why=$cause; unpacked; takeback; die "dnf install failed: $why"; }
}
unpacked() {
	left=
	for p in $(have); do grep -qxF "$p" "$work/before" || left="$left $p"; done
	# shellcheck disable=SC2086 # names of packages
	[ -z "$left" ] || heard rpm -e $left || echo "these packages could not be removed again:$left: $cause" >&2
}
takeback() {
	rm -rf "${S%/*}"/.provision.*
	if [ -f "$S" ] && [ "$(head -n 1 "$S")" = "$H" ]; then
		p=$(sed -n 's/^# \(gpg-pubkey-[0-9a-f]*\)$/\1/p' "$S")
		# What is still to be removed stays noted, without the repository.
		if [ -z "$p" ] || ! rpm -q "$p" >/dev/null 2>&1 || rpm -e "$p" >&2; then rm -f "$S"
		else t=$(mktemp "${S%/*}/.provision.XXXXXX"); head -n 2 "$S" >"$t"; put "$t" "$S" 0:0 0644; fi
	fi
	if grep -qs "^Comment: $C" "$K" && ! grep -qsF "$K" "${S%/*}"/*.repo; then rm -f "$K"; fi
}
