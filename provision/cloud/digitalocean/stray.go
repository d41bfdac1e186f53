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

// Strays are related objects that provision reports and never changes: foreign firewalls
// that apply to its droplets, and open what ours keep closed, since a droplet lets in what any of its
// firewalls does; and what was made for it and serves nothing any more.
type Strays struct {
	Inventory *inventory.Inventory
	Wanted    []resource.ID // firewalls and networks
}

var (
	_ resource.Resource = (*Strays)(nil)
	_ Looker            = (*Strays)(nil)
	_ resource.Warner   = (*Strays)(nil)
)

func (s *Strays) ID() resource.ID                                          { return resource.ID{Kind: "strays", Name: ""} }
func (s *Strays) Needs() []resource.ID                                     { return nil }
func (s *Strays) Probe(*resource.Script)                                   {}
func (s *Strays) Diff(resource.World) []resource.Change                    { return nil }
func (s *Strays) Do(context.Context, *resource.Run, resource.Change) error { return nil }

func (s *Strays) Look(l *Listing) resource.Fact {
	d := declared.In(s.Inventory).Account
	var out []string
	for _, f := range l.Firewalls {
		switch {
		case OwnFirewall(d, f):
			if !slices.Contains(s.Wanted, resource.ID{Kind: "firewall", Name: f.Name}) {
				out = append(out, fmt.Sprintf("firewall %s is unused; remove everything unused with: provision droplet destroy --all", f.Name))
			}
		case s.reaches(f, l.Droplets):
			out = append(out, fmt.Sprintf("firewall %s, which is not of this inventory, applies to its droplets, too: what it lets in, they let in", f.Name))
			if denied := denies(f); denied != "" {
				out = append(out, fmt.Sprintf("firewall %s, which is not of this inventory, denies its droplets %s, whatever others let through", f.Name, denied))
			}
		}
	}
	for _, v := range l.VPCs {
		if OwnNetwork(d, v) && !slices.Contains(s.Wanted, resource.ID{Kind: "vpc", Name: v.Name}) {
			out = append(out, fmt.Sprintf("vpc %s is left, and no droplet that is declared is in it; it can be deleted on the account's page", v.Name))
		}
	}
	for _, one := range Undeclared(s.Inventory, l) {
		out = append(out, spare(one))
	}
	slices.Sort(out)
	return present("strays", strings.Join(out, "\n"))
}

// denies says what a firewall denies, which counts before all that any firewall lets through.
func denies(f godo.Firewall) string {
	var lines []string
	for l := range strings.Lines(rules(f.InboundRules, f.OutboundRules, nil)) {
		if rule, ok := strings.CutPrefix(strings.TrimSpace(l), string(godo.FirewallRuleActionDeny)+" "); ok {
			lines = append(lines, rule)
		}
	}
	return strings.Join(lines, ", ")
}

// reaches tells whether a firewall applies to droplets of ours.
func (s *Strays) reaches(f godo.Firewall, droplets []godo.Droplet) bool {
	d := declared.In(s.Inventory).Account
	return slices.ContainsFunc(f.Tags, func(t string) bool { return t == d.Tag() || strings.HasPrefix(t, d.Tag()+":") }) ||
		slices.ContainsFunc(droplets, func(one godo.Droplet) bool {
			return slices.Contains(f.DropletIDs, one.ID) || slices.ContainsFunc(one.Tags, func(t string) bool { return slices.Contains(f.Tags, t) })
		})
}

func (s *Strays) Warn(w resource.World) (out []string) {
	rec, _ := w.Fact(s.ID())
	for l := range strings.Lines(rec.Fields["strays"]) {
		out = append(out, clean(strings.TrimSpace(l)))
	}
	return out
}
