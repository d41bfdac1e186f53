package resource_test

import (
	"net/netip"
	"strings"
	"testing"

	. "provision/provision/resource"

	"pgregory.net/rapid"
)

// TestFreeSubnet: what is proposed is for private use, has the size that was asked for, and overlaps nothing that is taken;
// where nothing is proposed, there is nothing.
func TestFreeSubnet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		taken := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) netip.Prefix {
			space := rapid.SampledFrom(Spaces).Draw(t, "space")
			size := rapid.IntRange(space.Bits(), 30).Draw(t, "size of one that is taken")
			within := rapid.Uint64Range(0, 1<<(32-space.Bits())-1).Draw(t, "within")
			return netip.PrefixFrom(Address(Number(space.Addr())+within), size)
		}), 0, 40).Draw(t, "taken")
		size := rapid.IntRange(8, 28).Draw(t, "size")
		got, ok := FreeSubnet(taken, size)
		if !ok {
			// Each that is taken is in the way of few: only one that is large can leave no room.
			for at := range uint64(1) << min(size-8, 12) {
				one := netip.PrefixFrom(Address(10<<24+at<<(32-size)), size)
				if !overlapsAny(one, taken) {
					t.Fatalf("%s is free beside %v, and was not found", one, taken)
				}
			}
			return
		}
		if got.Bits() != size || got != got.Masked() || overlapsAny(got, taken) {
			t.Fatalf("%s is proposed beside %v", got, taken)
		}
		if !got.Addr().IsPrivate() && !netip.MustParsePrefix("100.64.0.0/10").Contains(got.Addr()) {
			t.Fatalf("%s is not for private use", got)
		}
	})
}

func overlapsAny(one netip.Prefix, taken []netip.Prefix) bool {
	for _, p := range taken {
		if p.Overlaps(one) {
			return true
		}
	}
	return false
}

// TestRoutesThatCount: a default route in halves, and the way to all of a site, are no networks.
func TestRoutesThatCount(t *testing.T) {
	t.Parallel()
	s := &System{Host: "a", Subnets: []netip.Prefix{netip.MustParsePrefix("10.210.0.0/24"), netip.MustParsePrefix("10.210.1.0/24")}, SubnetKeys: []string{"server", "database"}}
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	line := func(dev, dest, gateway, flags, mask string) string {
		return head + dev + "\t" + dest + "\t" + gateway + "\t" + flags + "\t0\t0\t0\t" + mask + "\t0\t0\t0\n"
	}
	for name, c := range map[string]struct{ table, hint string }{
		"a VPN's default, lower half":            {table: line("tun0", "00000000", "0100080A", "0003", "00000080")},
		"a VPN's default, upper half, of a link": {table: line("wg0", "00000080", "00000000", "0001", "00000080")},
		"all of a site, through a gateway":       {table: line("eth0", "0000000A", "010013C6", "0003", "000000FF")},
		"a network through a gateway":            {table: line("eth0", "0000D20A", "010013C6", "0003", "0000FFFF"), hint: `subnets = { server = "10.208.0.0/24", database = "10.208.1.0/24" }`},
		"one of a link":                          {table: line("eth1", "0001D20A", "00000000", "0001", "00FFFFFF"), hint: `subnets = { server = "10.210.0.0/24", database = "10.208.0.0/24" }`},
		"all of a VPN, of a link":                {table: line("wg0", "0000000A", "00000000", "0001", "000000FF"), hint: `subnets = { server = "172.16.0.0/24", database = "172.16.1.0/24" }`},
		"another network":                        {table: line("eth1", "0000A8C0", "00000000", "0001", "0000FFFF")},
		"what is no route at all":                {table: head + "eth0\tzz\t0\t0\t0\t0\t0\tzz\t0\t0\t0\n"},
	} {
		w := world{Facts: facts{s.ID(): answer("routes", c.table), EngineID("a"): no()}}
		changes := s.Diff(w)
		if (len(changes) > 0) != (c.hint != "") {
			t.Errorf("%s: %+v", name, changes)
		}
		for _, change := range changes {
			if !strings.Contains(change.Hint, c.hint) {
				t.Errorf("%s: %s", name, change.Hint)
			}
		}
	}
}
