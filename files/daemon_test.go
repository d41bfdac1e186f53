package files

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"provision/files/filestest"
)

func TestDaemon(t *testing.T) {
	t.Parallel()
	subnets := []netip.Prefix{netip.MustParsePrefix("10.210.0.0/24"), netip.MustParsePrefix("10.210.1.0/24"), netip.MustParsePrefix("192.168.7.0/24")}
	text, err := Daemon{Avoid: subnets}.Render()
	if err != nil {
		t.Fatal(err)
	}
	filestest.Golden(t, "daemon.json", text)
	text, err = Daemon{Avoid: subnets, Proxy: "http://proxy.example.org:3128", NoProxy: []string{"localhost", ".example.org"}}.Render()
	if err != nil {
		t.Fatal(err)
	}
	filestest.Golden(t, "daemon-proxy.json", text)

	for avoid, want := range map[string]string{
		"10.211.7.9/24":                "10.212.0.0/16",
		"10.0.0.0/8":                   "172.20.0.0/16",
		"10.0.0.0/8 172.20.0.1/32":     "172.21.0.0/16",
		"10.0.0.0/8 172.16.0.0/12":     "",
		"0.0.0.0/0":                    "",
		"10.211.0.0/16 2001:db8::1/64": "10.212.0.0/16",
	} {
		var d Daemon
		for _, p := range strings.Fields(avoid) {
			d.Avoid = append(d.Avoid, netip.MustParsePrefix(p))
		}
		text, err := d.Render()
		if (err != nil) != (want == "") || (want != "" && !strings.Contains(string(text), fmt.Sprintf("%q", want))) {
			t.Errorf("avoiding %s: %s, %v, want %s", avoid, text, err, want)
		}
	}
}
