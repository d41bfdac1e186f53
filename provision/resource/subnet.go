package resource

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math/bits"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// route is a row of the kernel's table of IPv4 routes; ours is the network of the stack that it stands in the way of.
type route struct {
	ours, net netip.Prefix
	dev       string
	gateway   bool
}

// A route that is wider than these names no network: it is a default route in halves, as VPNs have it, or the way to
// everything that a site may have somewhere.
const (
	widestLink    = 8
	widestGateway = 16
)

// counts says that there is a network where the route leads.
func (r route) counts() bool {
	return r.net.Bits() >= widestLink && (!r.gateway || r.net.Bits() >= widestGateway)
}

// routes reads /proc/net/route.
func routes(table string) (out []route) {
	for l := range strings.Lines(table) {
		f := strings.Fields(l)
		if len(f) < 8 {
			continue
		}
		addr, err1 := hex.DecodeString(f[1])
		flags, err2 := hex.DecodeString(f[3])
		mask, err3 := hex.DecodeString(f[7])
		if err1 != nil || err2 != nil || err3 != nil || len(addr) != 4 || len(flags) != 2 || len(mask) != 4 || f[7] == "00000000" {
			continue
		}
		slices.Reverse(addr)
		ones := 0
		for _, b := range mask {
			ones += bits.OnesCount8(b)
		}
		const viaGateway = 0x2
		out = append(out, route{net: netip.PrefixFrom(netip.AddrFrom4([4]byte(addr)), ones), dev: f[0], gateway: flags[1]&viaGateway != 0})
	}
	return out
}

// engineBridge is the name that the engine gives to a network's interface, and in its form ours have theirs.
var engineBridge = regexp.MustCompile(`^br-[0-9a-f]{12}$`)

// overlaps are the routes that conflict with the stack's networks, except those of the stack's own bridges. Whose a
// bridge is, only the engine can tell: bridges outlive a stopped one.
func (s *System) overlaps(all []route, d dockerFacts, engine Know) (out []route) {
	own := map[string]bool{}
	for _, id := range s.NetworkIDs {
		if n, ok := d.Networks[id.Name]; ok && len(n.ID) >= 12 {
			own[cmp.Or(n.Bridge, "br-"+n.ID[:12])] = true
		}
	}
	for _, r := range all {
		if own[r.dev] || engine == Unknown && engineBridge.MatchString(r.dev) || !r.counts() {
			continue
		}
		for _, ours := range s.Subnets {
			if ours.Overlaps(r.net) {
				out = append(out, route{ours: ours, net: r.net, dev: r.dev})
			}
		}
	}
	return out
}

// elsewhere proposes networks that are free on the host, all of the stack's here, as a line of stack.toml.
func (s *System) elsewhere(all []route) string {
	var taken []netip.Prefix
	for _, r := range all {
		if r.net.Bits() >= widestLink {
			taken = append(taken, r.net)
		}
	}
	var keys []string
	for n, ours := range s.Subnets {
		if slices.ContainsFunc(taken, ours.Overlaps) {
			free, ok := freeSubnet(taken, ours.Bits())
			if !ok {
				return "choose other networks in stack.toml, [docker] subnets"
			}
			ours = free
		}
		taken = append(taken, ours)
		keys = append(keys, fmt.Sprintf("%s = %q", s.SubnetKeys[n], ours))
	}
	return "choose others; these are free on this host, for [docker] in stack.toml: subnets = { " + strings.Join(keys, ", ") + " }"
}

// spaces are where networks for private use are; those that people use least come first.
var spaces = []netip.Prefix{
	netip.MustParsePrefix("10.208.0.0/12"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
}

// freeSubnet finds a network of this size for private use that overlaps none that is taken.
func freeSubnet(taken []netip.Prefix, size int) (netip.Prefix, bool) {
	for _, space := range spaces {
		if size < space.Bits() {
			continue
		}
		at, step := number(space.Addr()), uint64(1)<<(32-size)
		for end := at + uint64(1)<<(32-space.Bits()); at < end; {
			one := netip.PrefixFrom(address(at), size)
			i := slices.IndexFunc(taken, one.Overlaps)
			if i < 0 {
				return one, true
			}
			// Behind the one that is in the way, at the next place where a network of this size may begin.
			behind := number(taken[i].Masked().Addr()) + uint64(1)<<(32-taken[i].Bits())
			at = max(at+step, (behind+step-1)/step*step)
		}
	}
	return netip.Prefix{}, false
}

func number(a netip.Addr) uint64 {
	b := a.As4()
	return uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
}

func address(n uint64) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}
