package digitalocean

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// CloudNetwork is the private network that the droplets of a region share. One that is named in the
// inventory has to be there; else one is made and never removed.
type CloudNetwork struct {
	D      *declared.Account
	Region string
}

var (
	_ resource.Resource = (*CloudNetwork)(nil)
	_ Looker            = (*CloudNetwork)(nil)
)

func (n *CloudNetwork) name() string {
	if n.D.VPC != "" {
		return n.D.VPC
	}
	return "provision-" + n.D.Name + "-" + n.Region
}

// OwnNetwork tells whether a private network is one that was made for the inventory; one that it names was there before.
func OwnNetwork(d *declared.Account, v *godo.VPC) bool {
	return v.Name != d.VPC && v.Name == (&CloudNetwork{D: &declared.Account{Name: d.Name}, Region: v.RegionSlug}).name()
}

func (n *CloudNetwork) ID() resource.ID        { return resource.ID{Kind: "vpc", Name: n.name()} }
func (n *CloudNetwork) Needs() []resource.ID   { return []resource.ID{CloudAccountID()} }
func (n *CloudNetwork) Probe(*resource.Script) {}

func (n *CloudNetwork) in(all []*godo.VPC) *godo.VPC {
	for _, v := range all {
		if v.Name == n.name() {
			return v
		}
	}
	return nil
}

func (n *CloudNetwork) Look(l *Listing) resource.Fact {
	v := n.in(l.VPCs)
	if v == nil {
		return absent()
	}
	return present("region", v.RegionSlug, "range", v.IPRange)
}

func (n *CloudNetwork) Diff(w resource.World) []resource.Change {
	rec, know := w.Fact(n.ID())
	switch {
	case know == resource.Yes && rec.Fields["region"] != n.Region:
		return []resource.Change{{
			ID: n.ID(), Act: resource.Refuse, Risk: resource.Cloud, Why: fmt.Sprintf("it is in %s, and droplets are to be created in %s", clean(rec.Fields["region"]), n.Region),
			Hint: "name a network of that region in digitalocean.vpc, or leave it empty to have one made",
		}}
	case know != resource.No:
		return nil
	case n.D.VPC != "":
		return []resource.Change{{ID: n.ID(), Act: resource.Refuse, Risk: resource.Cloud, Why: "the account has no private network of this name", Hint: "correct digitalocean.vpc, or leave it empty to have one made"}}
	}
	return []resource.Change{{ID: n.ID(), Act: resource.Add, Why: "the private network does not exist"}}
}

func (n *CloudNetwork) find(ctx context.Context, a *Account) (*godo.VPC, error) {
	all, err := a.Networks(ctx)
	return n.in(all), err
}

func (n *CloudNetwork) Do(ctx context.Context, r *resource.Run, _ resource.Change) error {
	_, err := once(ctx, r, n.ID(), func(ctx context.Context) (*godo.VPC, error) {
		return n.find(ctx, account(r))
	}, func(ctx context.Context) (*godo.VPC, error) {
		v, _, err := account(r).VPCs.Create(ctx, &godo.VPCCreateRequest{Name: n.name(), RegionSlug: n.Region, Description: "made by provision"})
		return v, err
	})
	return err
}

// CloudFirewall stands outside of the droplets, so that nothing on them can open what it closes. It
// goes by a tag and is there before the first droplet that carries it.
type CloudFirewall struct {
	D    *declared.Account
	Name string
	Tag  string
	// Inbound are "tcp 22"; the networks in From can use them.
	Inbound []string
	From    []string
	// Outbound lets everything out.
	Outbound bool
}

var (
	_ resource.Resource = (*CloudFirewall)(nil)
	_ Looker            = (*CloudFirewall)(nil)
)

// FirewallNames are what the firewalls of an inventory are called: that of all its droplets, and that of the server.
func FirewallNames(d *declared.Account) (all, server string) {
	return "provision-" + d.Name, "provision-" + d.Name + "-server"
}

// OwnFirewall tells whether a firewall is one that was made for the inventory.
func OwnFirewall(d *declared.Account, f godo.Firewall) bool {
	all, server := FirewallNames(d)
	return f.Name == all && slices.Contains(f.Tags, d.Tag()) || f.Name == server && slices.Contains(f.Tags, d.RoleTag(inventory.RoleServer))
}

func (f *CloudFirewall) ID() resource.ID { return resource.ID{Kind: "firewall", Name: f.Name} }
func (f *CloudFirewall) Needs() []resource.ID {
	return []resource.ID{CloudAccountID(), CloudTagID(f.Tag)}
}
func (f *CloudFirewall) Probe(*resource.Script) {}

// everywhere is every address of both families.
var everywhere = []string{"0.0.0.0/0", "::/0"}

func (f *CloudFirewall) request() *godo.FirewallRequest {
	q := &godo.FirewallRequest{Name: f.Name, Tags: []string{f.Tag}, DropletIDs: []int{}, InboundRules: []godo.InboundRule{}, OutboundRules: []godo.OutboundRule{}}
	for _, in := range f.Inbound {
		protocol, port, _ := strings.Cut(in, " ")
		q.InboundRules = append(q.InboundRules, godo.InboundRule{Protocol: protocol, PortRange: port, Sources: &godo.Sources{Addresses: f.From}})
	}
	for _, protocol := range []string{"tcp", "udp", "icmp"} {
		if f.Outbound {
			q.OutboundRules = append(q.OutboundRules, godo.OutboundRule{Protocol: protocol, PortRange: "0", Destinations: &godo.Destinations{Addresses: everywhere}})
		}
	}
	return q
}

// rules writes what a firewall lets through and what it denies, a line each. All ports are called 0, "all", the whole
// range or nothing, depending on who writes it.
func rules(in []godo.InboundRule, out []godo.OutboundRule, tags []string) string {
	ports := func(p string) string {
		if p == "" || p == "0" || p == "1-65535" {
			return "all"
		}
		return p
	}
	verdict := func(a godo.FirewallRuleAction) string {
		if a == "" || a == godo.FirewallRuleActionAllow {
			return ""
		}
		return string(a) + " "
	}
	var lines []string
	others := func(tags, kubernetes, balancers []string, ids []int) (all []string) {
		for _, t := range tags {
			all = append(all, "tag "+t)
		}
		for _, id := range ids {
			all = append(all, fmt.Sprintf("droplet %d", id))
		}
		return slices.Concat(all, kubernetes, balancers)
	}
	for _, x := range in {
		s := x.Sources
		if s == nil {
			s = &godo.Sources{}
		}
		for _, from := range slices.Concat(s.Addresses, others(s.Tags, s.KubernetesIDs, s.LoadBalancerUIDs, s.DropletIDs)) {
			lines = append(lines, fmt.Sprintf("%sin %s %s from %s", verdict(x.Action), x.Protocol, ports(x.PortRange), from))
		}
	}
	for _, x := range out {
		d := x.Destinations
		if d == nil {
			d = &godo.Destinations{}
		}
		for _, to := range slices.Concat(d.Addresses, others(d.Tags, d.KubernetesIDs, d.LoadBalancerUIDs, d.DropletIDs)) {
			lines = append(lines, fmt.Sprintf("%sout %s %s to %s", verdict(x.Action), x.Protocol, ports(x.PortRange), to))
		}
	}
	for _, t := range tags {
		lines = append(lines, "for tag "+t)
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n") + "\n"
}

func (f *CloudFirewall) in(all []godo.Firewall) *godo.Firewall {
	for n := range all {
		if all[n].Name == f.Name {
			return &all[n]
		}
	}
	return nil
}

func (f *CloudFirewall) Look(l *Listing) resource.Fact {
	one := f.in(l.Firewalls)
	if one == nil {
		return absent()
	}
	return present("id", one.ID, "rules", rules(one.InboundRules, one.OutboundRules, one.Tags))
}

func (f *CloudFirewall) Diff(w resource.World) []resource.Change {
	rec, know := w.Fact(f.ID())
	q := f.request()
	want := rules(q.InboundRules, q.OutboundRules, q.Tags)
	switch {
	case know == resource.No:
		return []resource.Change{{ID: f.ID(), Act: resource.Add, Why: "the firewall does not exist", Diff: resource.TextDiff("", want, f.Name)}}
	case know == resource.Yes && rec.Fields["rules"] != want:
		return []resource.Change{{ID: f.ID(), Act: resource.Modify, Why: "it lets other things through", Diff: resource.TextDiff(rec.Fields["rules"], want, f.Name)}}
	}
	return nil
}

func (f *CloudFirewall) Do(ctx context.Context, r *resource.Run, _ resource.Change) error {
	find := func(ctx context.Context) (*godo.Firewall, error) {
		all, err := account(r).FirewallList(ctx)
		return f.in(all), err
	}
	mine := ""
	one, err := once(ctx, r, f.ID(), find, func(ctx context.Context) (*godo.Firewall, error) {
		made, _, err := account(r).Firewalls.Create(ctx, f.request())
		if err == nil {
			mine = made.ID
		}
		return made, err
	})
	if err != nil {
		return err
	}
	if mine != "" {
		// Two who came at once agree on the older one.
		first, err := find(ctx)
		if err != nil {
			return err
		}
		if first != nil && first.ID != mine {
			_, err := account(r).Firewalls.Delete(ctx, mine)
			return ignoreStatus(err, 404)
		}
		return nil
	}
	_, _, err = account(r).Firewalls.Update(ctx, one.ID, f.request())
	return err
}
