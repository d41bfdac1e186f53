package resource

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// wall is a chain of the host's firewall that drops everything that it does not name.
type wall struct {
	table, chain string // "inet filter", "forward"
	ufw          bool
}

func (w wall) String() string {
	return fmt.Sprintf("chain %s of table %s, policy drop", w.chain, w.table)
}

// chain is one that the kernel calls by itself, with its rules.
type chain struct {
	wall
	hook  string
	drop  bool
	rules []string
}

var (
	nftTable = regexp.MustCompile(`^table (\S+) (\S+) \{`)
	nftChain = regexp.MustCompile(`^\s+chain (\S+) \{`)
	nftHook  = regexp.MustCompile(`^\s+type filter hook (\S+) .*policy (\w+);`)
)

// nftChains reads `nft list ruleset`. The tables that iptables keeps there are left to iptables.
func nftChains(ruleset string) (out []chain) {
	table, name := "", ""
	var one *chain
	for l := range strings.Lines(ruleset) {
		switch {
		case nftTable.MatchString(l):
			m := nftTable.FindStringSubmatch(l)
			table = ""
			if (m[1] == "inet" || m[1] == "ip") && m[1]+" "+m[2] != "ip filter" {
				table = m[1] + " " + m[2]
			}
		case table == "":
		case strings.Contains(l, "flags dormant"):
			table = ""
		case nftChain.MatchString(l):
			name, one = nftChain.FindStringSubmatch(l)[1], nil
		case nftHook.MatchString(l):
			m := nftHook.FindStringSubmatch(l)
			out = append(out, chain{wall: wall{table: table, chain: name}, hook: m[1], drop: m[2] == "drop"})
			one = &out[len(out)-1]
		case strings.TrimSpace(l) == "}":
			one = nil
		case one != nil:
			one.rules = append(one.rules, strings.TrimSpace(l))
		}
	}
	return out
}

// inputChain reads the way in from `iptables -S`. The chains of ufw are part of it. What is forwarded is not asked for: there
// the engine's own rules stand first.
func inputChain(list string) chain {
	c := chain{wall: wall{table: "ip filter", chain: "INPUT"}, hook: "input"}
	for l := range strings.Lines(list) {
		f := strings.Fields(l)
		switch {
		case len(f) < 3:
		case f[0] == "-P" && f[1] == "INPUT":
			c.drop = f[2] == "DROP"
		case f[0] == "-A" && (f[1] == "INPUT" || strings.HasPrefix(f[1], "ufw-") && strings.Contains(f[1], "input")):
			c.ufw = c.ufw || strings.Contains(l, "ufw-")
			c.rules = append(c.rules, strings.TrimSpace(l))
		}
	}
	return c
}

var (
	accepts    = regexp.MustCompile(`(?i)\baccept\b`) // and ufw-user-limit-accept
	leads      = regexp.MustCompile(`\b(?:jump|goto|vmap|queue)\b|-[jg] (\S+)`)
	ctStates   = regexp.MustCompile(`(?i)(?:ct state|--ctstate) (?:\{ )?([a-z, ]+)`)
	ofLoopback = regexp.MustCompile(`iif(name)? "?lo"?\b|-i lo\b`)
	otherKind  = regexp.MustCompile(`(?i)icmp|\budp\b|-p udp`)
	dports     = regexp.MustCompile(`(?:dport|--dports?) (?:\{ )?([0-9][0-9,:\- ]*)`)
)

// mayPass says whether a rule may let something new pass, to this port where one is given. What is not understood may.
func mayPass(rule string, port int) bool {
	if !accepts.MatchString(rule) {
		m := leads.FindStringSubmatch(rule)
		return m != nil && !slices.Contains([]string{"DROP", "REJECT", "LOG", "NFLOG", "RETURN"}, m[1]) && !strings.HasPrefix(m[1], "ufw-")
	}
	if m := ctStates.FindStringSubmatch(rule); m != nil && !strings.Contains(strings.ToLower(m[1]), "new") || strings.Contains(rule, "ct status dnat") || ofLoopback.MatchString(rule) {
		return false
	}
	if port == 0 {
		return true
	}
	if otherKind.MatchString(rule) {
		return false
	}
	m := dports.FindStringSubmatch(rule)
	if m == nil {
		return true
	}
	for one := range strings.FieldsFuncSeq(m[1], func(r rune) bool { return r == ',' || r == ' ' }) {
		first, last, ranged := strings.Cut(strings.ReplaceAll(one, ":", "-"), "-")
		low, _ := strconv.Atoi(first)
		high, _ := strconv.Atoi(last)
		if low == port || ranged && low <= port && port <= high {
			return true
		}
	}
	return false
}

// walled finds a chain at a hook that certainly drops what is new, to this port where one is given.
func walled(rec Record, hook string, port int) (wall, bool) {
	for _, c := range append(nftChains(rec.Fields["ruleset"]), inputChain(rec.Fields["filter"])) {
		blocked := c.drop && c.hook == hook
		for _, rule := range c.rules {
			blocked = blocked && !mayPass(rule, port)
		}
		if blocked {
			return c.wall, true
		}
	}
	return wall{}, false
}

// firewall says what of the host's firewall stands between containers and what they need, and the line that lets it pass.
func (s *System) firewall(rec Record) (out [][2]string) {
	if w, ok := walled(rec, "forward", 0); ok {
		names := `"docker0"`
		for _, id := range s.NetworkIDs {
			names += `, "` + BridgeName(id.Name) + `"`
		}
		rule := func(key string) string {
			return fmt.Sprintf(`nft 'insert rule %s %s %s { %s } accept'`, w.table, w.chain, key, names)
		}
		out = append(out, [2]string{
			fmt.Sprintf("a firewall of the host drops what it forwards (%s): containers reach neither each other nor another host, and nobody reaches what they publish", w),
			rule("iifname") + "; " + rule("oifname") + " (and the same in the file that it is loaded from, usually /etc/nftables.conf)",
		})
	}
	if s.OwnPort == 0 {
		return out
	}
	if w, ok := walled(rec, "input", s.OwnPort); ok {
		hint := fmt.Sprintf(`nft 'insert rule %s %s iifname "%s" tcp dport %d accept' (and the same in the file that it is loaded from, usually /etc/nftables.conf)`, w.table, w.chain, s.OwnBridge, s.OwnPort)
		switch {
		case w.ufw:
			hint = fmt.Sprintf("ufw allow in on %s to any port %d proto tcp", s.OwnBridge, s.OwnPort)
		case w.table == "ip filter":
			hint = fmt.Sprintf("iptables -I INPUT -i %s -p tcp --dport %d -j ACCEPT (and keep it over a reboot as you keep your other rules)", s.OwnBridge, s.OwnPort)
		}
		out = append(out, [2]string{
			fmt.Sprintf("a firewall of the host drops what containers send to its own ports (%s): the agent's container cannot reach port %d, where the url leads", w, s.OwnPort), hint,
		})
	}
	return out
}
