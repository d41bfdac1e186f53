# unit: the file of the unit. guardenabled is a function of the init system that says whether it starts at boot. The parameters are
# the rules that have to be in place.
command -v iptables >/dev/null && command -v iptables-restore >/dev/null && v iptables yes
# shellcheck disable=SC2086 # a rule is words
held() { for rule; do iptables -w -t mangle -C $rule 2>/dev/null || return; done; }
if [ ! -e "$unit" ]; then no
elif sum=$(sha256sum <"$unit"); then
	v sum "${sum%% *}"
	v enabled "$(guardenabled 2>/dev/null)"
	held "$@" && v rules yes
	yes
else unknown 'the unit cannot be read'; fi
