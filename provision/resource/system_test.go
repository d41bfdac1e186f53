package resource_test

import (
	"net/netip"
	"testing"

	. "provision/provision/resource"
)

const (
	debian13  = "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n"
	meminfo4G = "MemTotal:        4030464 kB\nMemAvailable:    3000000 kB\n"
	df20G     = "Filesystem     1024-blocks    Used Available Capacity Mounted on\n/dev/vda1         41152736 2000000  20971520      10% /\n"
	noRoutes  = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
)

// answer is a system's record with some fields changed.
func answer(fields ...string) Fact {
	f := yes("os", debian13, "memory", meminfo4G, "disk", df20G, "listen", "", "listeners", "", "routes", noRoutes, OffsetField, "0.0")
	for i := 0; i+1 < len(fields); i += 2 {
		f.Fields[fields[i]] = fields[i+1]
	}
	return f
}

// engine is the engine's record with nothing in it, and some fields changed.
func engine(fields ...string) Fact {
	f := yes("versions", "26.1.5 26.1.5", "compose", "2.26.1", "containers", "", "networks", "", "volumes", "", "built", "", "images", "")
	for i := 0; i+1 < len(fields); i += 2 {
		f.Fields[fields[i]] = fields[i+1]
	}
	return f
}

func row(dev, dest, mask string) string {
	return noRoutes + dev + "\t" + dest + "\t00000000\t0001\t0\t0\t0\t" + mask + "\t0\t0\t0\n"
}

func TestSystemDiff(t *testing.T) {
	t.Parallel()
	s := &System{
		Host: "a", Server: "s", Ports: []int{80, 443}, PortsOf: "prefect-caddy", MinMemory: 900, MinDisk: 3000, Image: "i:1", MaxSkew: 10e9,
		Subnets: []netip.Prefix{netip.MustParsePrefix("10.210.0.0/24")}, NetworkIDs: []ID{NetworkID("a", "net")}, SubnetKeys: []string{"server"},
	}
	server := SystemID("s")
	docker := EngineID("a")
	listen443 := "   0: 00000000:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
	caddy := "/prefect-caddy|1|sha256:1|c|running||0|0|false|2026-01-01T00:00:00Z|d|m|p|caddy|False\n"
	ours := "net|9da1733b4401aaaa|10.210.0.0/24|false|prefect||false\n"
	named := "net|0123456789abaaaa|10.210.0.0/24|false|prefect|br-9da1733b4401|false\n"
	runDiff(t, s, []diffCase{
		{Name: "unknown", Facts: facts{s.ID(): unknown("x")}},
		{Name: "fits", Facts: facts{s.ID(): answer(), docker: no()}},
		{Name: "another system", Facts: facts{s.ID(): answer("os", "ID=alpine\nPRETTY_NAME=\"Alpine Linux v3.22\"\n"), docker: no()}, Want: "refuse: Alpine Linux v3.22 is not supported", Risk: Preflight},
		{Name: "no os-release", Facts: facts{s.ID(): answer("os", ""), docker: no()}, Want: "refuse: none is not supported", Risk: Preflight},
		{Name: "hostile os-release", Facts: facts{s.ID(): answer("os", "ID=x\nPRETTY_NAME=\"\x1b]0;x\a\"\n"), docker: no()}, Want: `refuse: \x1b]0;x\x07 is not supported`, Risk: Preflight},
		{Name: "memory", Facts: facts{s.ID(): answer("memory", "MemTotal: 500000 kB\n"), docker: no()}, Want: "refuse: the host has 488 MiB of memory; its roles need 900", Risk: Preflight},
		{Name: "memory not told", Facts: facts{s.ID(): answer("memory", ""), docker: no()}},
		{Name: "disk", Facts: facts{s.ID(): answer("disk", "x\n/dev/vda1 1 1 1048576 1% /\n"), docker: no()}, Want: "refuse: 1024 MiB are free", Risk: Preflight},
		{Name: "disk, the images are there", Facts: facts{s.ID(): answer("disk", "x\n/dev/vda1 1 1 1048576 1% /\n"), docker: engine("images", "sha256:1|i:1\n")}},
		{Name: "disk, the engine gives no answer", Facts: facts{s.ID(): answer("disk", "x\n/dev/vda1 1 1 1048576 1% /\n"), docker: unknown("x")}},
		{Name: "port", Facts: facts{s.ID(): answer("listen", listen443, "listeners", `LISTEN 0 511 0.0.0.0:443 0.0.0.0:* users:(("nginx",pid=1,fd=6))`), docker: no()}, Want: "refuse: port 443 is taken by nginx", Risk: Preflight},
		{Name: "port is our own", Facts: facts{s.ID(): answer("listen", listen443), docker: engine("containers", caddy)}},
		{Name: "port, the engine gives no answer", Facts: facts{s.ID(): answer("listen", listen443), docker: unknown("x")}},
		{Name: "port on loopback", Facts: facts{s.ID(): answer("listen", "   0: 0100007F:01BB 00000000:0000 0A 0\n"), docker: no()}},
		{Name: "overlap", Facts: facts{s.ID(): answer("routes", row("eth1", "0000D20A", "0000FFFF")), docker: no()}, Want: "refuse: the stack's network 10.210.0.0/24 overlaps 10.210.0.0/16 (interface eth1)", Risk: Preflight},
		{Name: "default route", Facts: facts{s.ID(): answer("routes", row("eth0", "00000000", "00000000")), docker: no()}},
		{Name: "our bridge", Facts: facts{s.ID(): answer("routes", row("br-9da1733b4401", "0000D20A", "00FFFFFF")), docker: engine("networks", ours)}},
		{Name: "our bridge, with a name of its own", Facts: facts{s.ID(): answer("routes", row("br-9da1733b4401", "0000D20A", "00FFFFFF")), docker: engine("networks", named)}},
		{Name: "a bridge of others", Facts: facts{s.ID(): answer("routes", row("br-0123456789ab", "0000D20A", "00FFFFFF")), docker: engine("networks", ours)}, Want: "refuse: the stack's network 10.210.0.0/24 overlaps", Risk: Preflight},
		{Name: "a bridge, the engine gives no answer", Facts: facts{s.ID(): answer("routes", row("br-9da1733b4401", "0000D20A", "00FFFFFF")), docker: unknown("x")}},
		{Name: "overlap, the engine gives no answer", Facts: facts{s.ID(): answer("routes", row("eth1", "0000D20A", "0000FFFF")), docker: unknown("x")}, Want: "refuse: the stack's network", Risk: Preflight},
		{Name: "clock ahead", Facts: facts{s.ID(): answer(OffsetField, "30"), server: answer(), docker: no()}, Want: "refuse: the clock is 30s ahead of that of s; at most 10s can be", Risk: Preflight},
		{Name: "clock behind", Facts: facts{s.ID(): answer(OffsetField, "-30"), server: answer(), docker: no()}, Want: "refuse: the clock is 30s behind that of s", Risk: Preflight},
		{Name: "both clocks wrong alike", Facts: facts{s.ID(): answer(OffsetField, "300"), server: answer(OffsetField, "301"), docker: no()}},
		{Name: "clock not told", Facts: facts{s.ID(): answer(OffsetField, ""), server: answer(), docker: no()}},
		{Name: "several", Facts: facts{s.ID(): answer("memory", "MemTotal: 500000 kB\n", OffsetField, "30"), server: answer(), docker: no()}, Want: "refuse: the host has 488\nrefuse: the clock", Risk: Preflight},
	})
}
