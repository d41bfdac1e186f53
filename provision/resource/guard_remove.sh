# unit: the file of the unit. disable and reread are functions of the init system. The parameters are the chains, each as FROM:CHAIN.
disable || true
for c; do { iptables -w -t mangle -D "${c%:*}" -j "${c#*:}"; iptables -w -t mangle -F "${c#*:}"; iptables -w -t mangle -X "${c#*:}"; } 2>/dev/null || true; done
rm -f "$unit"
reread
