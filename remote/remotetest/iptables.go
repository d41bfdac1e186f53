package remotetest

import (
	"io"
	"maps"
	"slices"
	"strings"
)

// iptablesMain keeps rules as the words that name them: -C, -I, -A and -D, and -F and -X for a chain.
func iptablesMain(p *proc) int {
	table, verb := "filter", ""
	var rule []string
	for args := p.Argv[1:]; len(args) > 0; args = args[1:] {
		switch a := args[0]; a {
		case "-w":
		case "-t":
			if args = args[1:]; len(args) > 0 {
				table = args[0]
			}
		case "-C", "-I", "-A", "-D", "-F", "-X", "-S", "-P":
			verb = a
		default:
			rule = append(rule, a)
		}
	}
	if verb == "" || len(rule) == 0 && verb != "-S" {
		p.Unsupported("iptables " + strings.Join(p.Argv[1:], " "))
	}
	key := table + " " + strings.Join(rule, " ")
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	switch have := p.host.rules[key]; {
	case verb == "-S" && len(rule) == 0:
		p.listRules(table)
	case verb == "-P" && len(rule) == 2:
		for _, policy := range []string{"ACCEPT", "DROP"} {
			delete(p.host.rules, table+" -P "+rule[0]+" "+policy)
		}
		p.host.addRule(table + " -P " + key[len(table)+1:])
	case verb == "-S", verb == "-P":
		p.Unsupported("iptables " + strings.Join(p.Argv[1:], " "))
	case verb == "-F", verb == "-X":
		p.host.flush(key)
	case verb == "-I", verb == "-A":
		p.host.addRule(key)
	case !have:
		return 1
	case verb == "-D":
		delete(p.host.rules, key)
	}
	return 0
}

// listRules prints a table as -S does.
func (p *proc) listRules(table string) {
	for _, chain := range []string{"INPUT", "FORWARD", "OUTPUT"} {
		if policy := "-P " + chain + " DROP"; p.host.rules[table+" "+policy] {
			p.Printf("%s\n", policy)
		} else {
			p.Printf("-P %s ACCEPT\n", chain)
		}
	}
	for _, r := range slices.Sorted(maps.Keys(p.host.rules)) {
		if words, ok := strings.CutPrefix(r, table+" "); ok && !strings.HasPrefix(words, "-P ") {
			p.Printf("-A %s\n", words)
		}
	}
}

// SetRuleset installs nftables on the host, with this ruleset.
func (h *Host) SetRuleset(text string) {
	h.mu.Lock()
	h.ruleset = text
	h.mu.Unlock()
	h.sys.AddProgram("/usr/sbin/nft")
}

// nftMain lists the ruleset.
func nftMain(p *proc) int {
	if strings.Join(p.Argv[1:], " ") != "-s list ruleset" {
		p.Unsupported("nft " + strings.Join(p.Argv[1:], " "))
	}
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.Printf("%s", p.host.ruleset)
	return 0
}

// iptablesRestoreMain is iptables-restore -n: it fills the chains that it names anew.
func iptablesRestoreMain(p *proc) int {
	o := p.Options("wn", "", map[string]string{"noflush": "n", "wait": "w"})
	if !o.Has("n") {
		p.Unsupported("iptables-restore that empties whole tables")
	}
	b, err := io.ReadAll(p.Stdin())
	if err != nil {
		return 1
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if lines[len(lines)-1] != "COMMIT" {
		p.Errorf("iptables-restore: COMMIT expected at line %d\n", len(lines)+1)
		return 1
	}
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	table := ""
	for _, l := range lines {
		word, rest, _ := strings.Cut(l, " ")
		switch {
		case strings.HasPrefix(l, "*"):
			table = l[1:]
		case strings.HasPrefix(l, ":"):
			p.host.flush(table + " " + word[1:])
		case word == "-A":
			p.host.addRule(table + " " + rest)
		case l != "COMMIT":
			p.Unsupported("iptables-restore with " + l)
		}
	}
	return 0
}

// flush empties a chain: "TABLE CHAIN". The host's lock is held, here and in addRule.
func (h *Host) flush(chain string) {
	maps.DeleteFunc(h.rules, func(rule string, _ bool) bool { return strings.HasPrefix(rule, chain+" ") })
}

func (h *Host) addRule(rule string) {
	if h.rules == nil {
		h.rules = map[string]bool{}
	}
	h.rules[rule] = true
}

// Rule tells whether a rule of iptables is in place: "raw PREROUTING -d ...".
func (h *Host) Rule(words string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rules[words]
}

// Rules are all rules of iptables.
func (h *Host) Rules() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.rules))
}
