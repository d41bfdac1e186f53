# unit, text: the file of the unit, and what it is to hold. start is a function of the init system. The parameters are the rule.
command -v iptables >/dev/null || die "there is no iptables, which the engine's packages bring: install the package iptables"
t=$(mktemp /etc/systemd/system/.provision.XXXXXX); printf '%s' "$text" >"$t"; put "$t" "$unit" 0:0 0644
start
iptables -w -t raw -C "$@"
