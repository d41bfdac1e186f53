package digitaloceantest

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Firewall is a cloud firewall.
type Firewall struct {
	ID, Name          string
	Inbound, Outbound []Rule
	Droplets          []int
	Tags              []string
	CreatedAt         string
	waiting           bool
}

// Rule lets traffic through, or denies it. Ports is "0" for all of them.
type Rule struct {
	Protocol, Ports string
	Peer            Peer   // whom from, or to
	Action          string // "deny", or "" for one that lets through
}

// Peer is the other end of what a rule lets through.
type Peer struct {
	Addresses     []string `json:"addresses,omitempty"`
	Tags          []string `json:"tags,omitempty"`
	Droplets      []int    `json:"droplet_ids,omitempty"`
	LoadBalancers []string `json:"load_balancer_uids,omitempty"`
	Kubernetes    []string `json:"kubernetes_ids,omitempty"`
}

var firewallName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]+$`)

func showRules(rules []Rule, peer string) []object {
	out := []object{}
	for _, r := range rules {
		o := object{"protocol": r.Protocol, "ports": r.Ports, peer: r.Peer}
		if r.Action != "" {
			o["action"] = r.Action
		}
		out = append(out, o)
	}
	return out
}

func (c *Cloud) showFirewall(f *Firewall) object {
	changes := []object{}
	status := "succeeded"
	if f.waiting {
		f.waiting, status = false, "waiting"
		for _, d := range c.droplets {
			if f.covers(d) {
				changes = append(changes, object{"droplet_id": d.ID, "removing": false, "status": "waiting"})
			}
		}
	}
	return object{
		"id": f.ID, "name": f.Name, "status": status, "created_at": f.CreatedAt, "pending_changes": changes, "droplet_ids": array(f.Droplets), "tags": array(f.Tags),
		"inbound_rules": showRules(f.Inbound, "sources"), "outbound_rules": showRules(f.Outbound, "destinations"),
	}
}

func (f *Firewall) covers(d *Droplet) bool {
	return slices.Contains(f.Droplets, d.ID) || slices.ContainsFunc(f.Tags, func(t string) bool { return slices.Contains(d.Tags, t) })
}

func (c *Cloud) firewall(r *request) *Firewall {
	for _, f := range c.firewalls {
		if f.ID == r.PathValue("firewall") {
			return f
		}
	}
	return nil
}

func (c *Cloud) listFirewalls(r *request) answer {
	return page(r, "firewalls", c.firewalls, c.showFirewall)
}

func (c *Cloud) getFirewall(r *request) answer {
	f := c.firewall(r)
	if f == nil || c.hidden("do:firewall:"+f.ID, false) {
		return notFound
	}
	return ok(object{"firewall": c.showFirewall(f)})
}

func (c *Cloud) createFirewall(r *request) answer {
	f := &Firewall{}
	if a := c.fillFirewall(r, f); a.refused() {
		return a
	}
	f.ID, f.CreatedAt = c.uuid("firewall"), c.stamp()
	c.firewalls = append(c.firewalls, f)
	c.born("do:firewall:" + f.ID)
	return accepted(object{"firewall": c.showFirewall(f)})
}

func (c *Cloud) replaceFirewall(r *request) answer {
	f := c.firewall(r)
	if f == nil {
		return notFound
	}
	if a := c.fillFirewall(r, f); a.refused() {
		return a
	}
	return ok(object{"firewall": c.showFirewall(f)})
}

// fillFirewall takes a whole firewall from the body.
func (c *Cloud) fillFirewall(r *request, f *Firewall) answer {
	name := r.text("name")
	if !firewallName.MatchString(name) {
		return refuse(400, "name can only contain letters, numbers, dashes, and periods")
	}
	for _, o := range c.firewalls {
		if o != f && o.Name == name {
			return refuse(409, "duplicate name")
		}
	}
	inbound, outbound, a := c.rules(r)
	if a.refused() {
		return a
	}
	if len(inbound)+len(outbound) == 0 {
		return refuse(400, "must have at least one inbound or outbound rule")
	}
	tags, a := c.existing(r.texts("tags"))
	if a.refused() {
		return a
	}
	for _, id := range r.numbers("droplet_ids") {
		if c.droplet(id) == nil {
			return refuse(404, "droplet %d not found", id)
		}
	}
	f.Name, f.Inbound, f.Outbound, f.Tags, f.Droplets, f.waiting = name, inbound, outbound, tags, r.numbers("droplet_ids"), true
	return answer{}
}

// existing finds tags, which must be there.
func (c *Cloud) existing(names []string) ([]string, answer) {
	out := []string{}
	for _, name := range names {
		t := c.knownTag(name)
		if t == "" {
			return nil, invalid("tag %s does not exist", name)
		}
		out = append(out, t)
	}
	return out, answer{}
}

func (c *Cloud) rules(r *request) (in, out []Rule, a answer) {
	for _, v := range list(r.body["inbound_rules"]) {
		rule, a := c.rule(v, "sources")
		if a.refused() {
			return nil, nil, a
		}
		in = append(in, rule)
	}
	for _, v := range list(r.body["outbound_rules"]) {
		rule, a := c.rule(v, "destinations")
		if a.refused() {
			return nil, nil, a
		}
		out = append(out, rule)
	}
	return in, out, answer{}
}

func list(v any) []any {
	all, _ := v.([]any)
	return all
}

func (c *Cloud) rule(v any, peer string) (Rule, answer) {
	o, _ := v.(object)
	if a := (form{"protocol": "string!", peer: "object!"}).check(o); a.refused() {
		return Rule{}, a
	}
	rule := Rule{Protocol: o["protocol"].(string)}
	if action, given := o["action"]; given && action != "allow" && action != "deny" {
		return Rule{}, invalid("action must be one of allow, deny")
	} else if action == "deny" {
		rule.Action = "deny"
	}
	ports, given := o["ports"].(string)
	switch {
	case !slices.Contains([]string{"tcp", "udp", "icmp"}, rule.Protocol):
		return Rule{}, invalid("protocol must be one of tcp, udp, icmp")
	case !given:
		return Rule{}, invalid("ports is required")
	case rule.Protocol == "icmp":
		ports = "0" // which is how it reads back
	case !validPorts(ports): // "all" is none, whatever older documentation says: 0 is all ports
		return Rule{}, invalid("you must specify a valid range for ports")
	}
	rule.Ports = ports
	raw, _ := json.Marshal(o[peer]) // it came as JSON
	if err := json.Unmarshal(raw, &rule.Peer); err != nil {
		return Rule{}, invalid("%s: invalid", peer)
	}
	for _, a := range rule.Peer.Addresses {
		if _, err := netip.ParsePrefix(a); err != nil {
			if _, err := netip.ParseAddr(a); err != nil {
				return Rule{}, invalid("%s: %s is not a valid address", peer, a)
			}
		}
	}
	_, a := c.existing(rule.Peer.Tags)
	return rule, a
}

func validPorts(s string) bool {
	from, to, isRange := strings.Cut(s, "-")
	a, err := strconv.ParseUint(from, 10, 16)
	if err != nil || !isRange {
		return err == nil
	}
	b, err := strconv.ParseUint(to, 10, 16)
	return err == nil && a <= b
}

func (c *Cloud) deleteFirewall(r *request) answer {
	f := c.firewall(r)
	if f == nil {
		return notFound
	}
	c.firewalls = without(c.firewalls, f)
	return done
}
