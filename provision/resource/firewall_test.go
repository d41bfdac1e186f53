package resource_test

import (
	"net/netip"
	"strings"
	"testing"

	. "provision/provision/resource"
)

// What the programs print on a real host: Debian's example of a workstation's nftables.conf, and ufw with its defaults and one port.
const (
	ownRuleset = `table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state { established, related } accept
		iif "lo" accept
		icmp type echo-request accept
		tcp dport { 22, 80 } accept
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
	}

	chain output {
		type filter hook output priority filter; policy accept;
	}
}
table ip filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		counter jump DOCKER-USER
	}
}
table ip6 filter {
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
`
	ufwRules = `-P INPUT DROP
-P FORWARD DROP
-P OUTPUT ACCEPT
-N ufw-before-input
-A INPUT -j ufw-before-logging-input
-A INPUT -j ufw-before-input
-A INPUT -j ufw-track-input
-A ufw-after-input -p udp -m udp --dport 137 -j ufw-skip-to-policy-input
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny
-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
-A ufw-before-input -j ufw-user-input
-A ufw-skip-to-policy-input -j DROP
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
`
)

// TestWalled has rules that certainly drop what containers need, and rules that may let it pass.
func TestWalled(t *testing.T) {
	t.Parallel()
	with := func(text, at, rule string) string {
		if !strings.Contains(text, at) {
			t.Fatalf("no %q", at)
		}
		return strings.Replace(text, at, rule+at, 1)
	}
	const inForward, inInput, last = "	}\n\n	chain output", "		tcp dport { 22", "-A ufw-user-input"
	for name, c := range map[string]struct {
		filter, ruleset, hook string
		want                  bool
	}{
		"nothing":                          {"-P INPUT ACCEPT\n", "", "input", false},
		"own nftables, forward":            {"", ownRuleset, "forward", true},
		"own nftables, input":              {"", ownRuleset, "input", true},
		"the engine's policy alone":        {"-P FORWARD DROP\n", ownRuleset[strings.Index(ownRuleset, "table ip filter"):], "forward", false},
		"answers only":                     {"", with(ownRuleset, inForward, "\t\tct state established,related accept\n"), "forward", true},
		"with the line":                    {"", with(ownRuleset, inForward, "\t\tiifname { \"br-x\", \"docker0\" } accept\n"), "forward", false},
		"it leads elsewhere":               {"", with(ownRuleset, inForward, "\t\tjump mine\n"), "forward", false},
		"published ones only":              {"", with(ownRuleset, inForward, "\t\tct status dnat accept\n"), "forward", true},
		"dormant":                          {"", strings.Replace(ownRuleset, "{\n", "{\n\tflags dormant\n", 1), "forward", false},
		"own nftables, the port is open":   {"", with(ownRuleset, inInput, "\t\ttcp dport 443 accept\n"), "input", false},
		"own nftables, a range":            {"", with(ownRuleset, inInput, "\t\ttcp dport { 22, 400-500 } accept\n"), "input", false},
		"own nftables, another range":      {"", with(ownRuleset, inInput, "\t\ttcp dport { 22, 500-600 } accept\n"), "input", true},
		"own nftables, an interface":       {"", with(ownRuleset, inInput, "\t\tiifname \"br-*\" accept\n"), "input", false},
		"own nftables, udp":                {"", with(ownRuleset, inInput, "\t\tudp dport 443 accept\n"), "input", true},
		"ufw":                              {ufwRules, "", "input", true},
		"ufw, with the line":               {with(ufwRules, last, "-A ufw-user-input -i br-x -p tcp -m tcp --dport 443 -j ACCEPT\n"), "", "input", false},
		"ufw, several ports":               {with(ufwRules, last, "-A ufw-user-input -p tcp -m multiport --dports 80,443 -j ACCEPT\n"), "", "input", false},
		"ufw, ports that are others":       {with(ufwRules, last, "-A ufw-user-input -p tcp -m multiport --dports 80,8000:9000 -j ACCEPT\n"), "", "input", true},
		"ufw, limited":                     {with(ufwRules, last, "-A ufw-user-input -p tcp -m tcp --dport 443 -j ufw-user-limit-accept\n"), "", "input", false},
		"ufw, all of a network":            {with(ufwRules, last, "-A ufw-user-input -s 10.0.0.0/8 -j ACCEPT\n"), "", "input", false},
		"iptables, a chain of one's own":   {"-P INPUT DROP\n-A INPUT -j mine\n", "", "input", false},
		"iptables, dropped and written":    {"-P INPUT DROP\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -j LOG\n", "", "input", true},
		"cut off in the middle of a table": {"", ownRuleset[:strings.Index(ownRuleset, "chain forward")], "forward", false},
	} {
		if w, ok := Walled(Record{Fields: map[string]string{"filter": c.filter, "ruleset": c.ruleset}}, c.hook, map[string]int{"input": 443}[c.hook]); ok != c.want {
			t.Errorf("%s: %t (%s)", name, ok, w)
		}
	}
}

// TestFirewallDiff: the plan names what stands between, and a line that can be typed.
func TestFirewallDiff(t *testing.T) {
	t.Parallel()
	s := &System{
		Host: "a", Subnets: []netip.Prefix{netip.MustParsePrefix("10.210.2.0/24")}, SubnetKeys: []string{"agent"}, NetworkIDs: []ID{NetworkID("a", "prefect-agent-network")},
		OwnPort: 443, OwnBridge: BridgeName("prefect-agent-network"),
	}
	const bridge = "br-f042e56523ac"
	for name, c := range map[string]struct {
		facts []string
		want  []string
	}{
		"nftables": {[]string{"ruleset", ownRuleset}, []string{
			"(chain forward of table inet filter, policy drop)", `nft 'insert rule inet filter forward iifname { "docker0", "` + bridge + `" } accept'; nft 'insert rule inet filter forward oifname { "docker0", "` + bridge + `" } accept'`,
			"port 443, where the url leads", `nft 'insert rule inet filter input iifname "` + bridge + `" tcp dport 443 accept'`,
		}},
		"ufw":      {[]string{"filter", ufwRules}, []string{"(chain INPUT of table ip filter, policy drop)", "ufw allow in on " + bridge + " to any port 443 proto tcp"}},
		"iptables": {[]string{"filter", "-P INPUT DROP\n"}, []string{"(chain INPUT of table ip filter, policy drop)", "iptables -I INPUT -i " + bridge + " -p tcp --dport 443 -j ACCEPT"}},
		"none":     {[]string{"filter", "-P INPUT ACCEPT\n"}, nil},
	} {
		text := ""
		for _, change := range s.Diff(world{Facts: facts{s.ID(): answer(c.facts...), EngineID("a"): no()}}) {
			text += change.Why + "\n" + change.Hint + "\n"
		}
		for _, w := range c.want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q is not said:\n%s", name, w, text)
			}
		}
		if c.want == nil && text != "" {
			t.Errorf("%s: %s", name, text)
		}
	}
}
