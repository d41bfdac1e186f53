# S: the file of Docker's repository, K: that of its key, H: the first line of S if it is ours, C: the comment of K if that is ours,
# N: the file that lists what a running installation brings to the host, until it has ended well, causes: how a line begins that says why
# a program failed.
#
# This defines try, which runs apt-get and leaves the first line that says why it failed in cause; aptinstall, which takes back what
# it brought when it fails; and takeback, which removes what was added to the host's package sources.
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
held() { holder /var/lib/dpkg/lock-frontend || holder /var/lib/dpkg/lock || holder /var/lib/apt/lists/lock; }
heard() {
	rc=0; "$@" 2>"$work/errors" || rc=$?; cat "$work/errors" >&2
	cause=$(grep -E "^($causes)" "$work/errors" | head -n 1) || true
	cause=${cause:-exit status $rc}; cause=${cause#[EW]: }
	return $rc
}
try() { heard apt-get -q -y --no-install-recommends -o APT::Get::Remove=false -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o APT::Update::Error-Mode=any -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@"; }
aptinstall() {
	new=$(apt-get -q -s --no-install-recommends -o APT::Get::Remove=false install "$@" 2>/dev/null | sed -n 's/^Inst \([^ ]*\) (.*/\1/p') || true
	(umask 022; mkdir -p "${N%/*}")
	printf '%s\n' "$new" >"$N"; sync "$N"
	try install "$@" || { why=$cause; unpacked; takeback; die "apt-get install failed: $why"; }
	rm -f "$N"
}
unpacked() {
	[ -e "$N" ] || return 0
	left=
	while read -r p; do
		case $(dpkg-query -W -f '${db:Status-Status}' "${p:-.}" 2>/dev/null) in ''|not-installed|config-files) ;; *) left="$left $p" ;; esac
	done <"$N"
	# shellcheck disable=SC2086 # names of packages
	[ -z "$left" ] || heard dpkg --remove --force-remove-reinstreq $left || echo "these packages could not be removed again:$left: $cause" >&2
	rm -f "$N"
}
takeback() {
	rm -rf /etc/apt/.provision.*
	if [ -f "$S" ] && [ "$(head -n 1 "$S")" = "$H" ]; then rm -f "$S"; fi
	if grep -qs "^Comment: $C" "$K" && ! grep -rqsF "$K" /etc/apt/sources.list /etc/apt/sources.list.d; then rm -f "$K"; fi
}
