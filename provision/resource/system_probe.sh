# What a host is and has.
v clock "$(date +%s.%N)"
f os; head -c 8192 /etc/os-release 2>/dev/null
v arch "$(uname -m)"
v uid "$(id -u)"
v boot "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
f memory; grep -E '^Mem(Total|Available):' /proc/meminfo
p=/var/lib/docker; [ -d "$p" ] || p=/var/lib
f disk; df -P -k "$p"
f listen; grep -h ' 0A ' /proc/net/tcp /proc/net/tcp6 2>/dev/null
f listeners; ss -Hltnp 2>/dev/null
f routes; cat /proc/net/route 2>/dev/null
# What a firewall of the host does with what is forwarded and with what comes in. The table of iptables' own is read by iptables,
# which may be the old one.
f filter; iptables -w -S 2>/dev/null | head -c 65536
if command -v nft >/dev/null; then f ruleset; nft -s list ruleset 2>/dev/null | head -c 65536; fi
yes
