# unit, text: the file of the unit, and what it is to hold. start is a function of the init system. The parameters are the rules.
command -v iptables-restore >/dev/null || die "there is no iptables, which the engine's packages bring: install the package iptables"
t=$(mktemp /etc/systemd/system/.provision.XXXXXX); printf '%s' "$text" >"$t"; put "$t" "$unit" 0:0 0644
start
# shellcheck disable=SC2086 # a rule is words
for rule; do iptables -w -t mangle -C $rule; done
