# n: a network, stack: whose it is, label: which says so, subnet: its addresses, bridge: the option that names its interface. The parameters are other
# options.
docker network inspect "$n" >/dev/null 2>&1 || docker network create --driver bridge --ipv6=false --opt "$bridge" "$@" --subnet "$subnet" --label "$label=$stack" "$n"
