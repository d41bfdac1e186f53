# unit: the file of the unit. metadataenabled is a function of the init system that says whether it starts at boot. The parameters
# are the rule.
if [ ! -e "$unit" ]; then no
elif sum=$(sha256sum <"$unit"); then
	v sum "${sum%% *}"
	v enabled "$(metadataenabled 2>/dev/null)"
	iptables -w -t raw -C "$@" 2>/dev/null && v rule yes
	yes
else unknown 'the unit cannot be read'; fi
