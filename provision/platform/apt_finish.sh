# Finishes an installation that was interrupted, or takes back what it had unpacked.
# shellcheck disable=SC2010 # dpkg gives them names of digits
if [ -n "$(dpkg --audit 2>/dev/null)" ] || ls /var/lib/dpkg/updates 2>/dev/null | grep -q '^[0-9][0-9]*$'; then
	echo "finishing an interrupted package installation"
	heard dpkg --configure -a || { why=$cause; unpacked; [ -z "$(dpkg --audit 2>/dev/null)" ] || die "an interrupted package installation cannot be finished: $why"; }
fi
