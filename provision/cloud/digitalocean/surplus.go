package digitalocean

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"provision/inventory"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// SurplusDroplets are those of this inventory's tags that it does not declare any more. They are
// named, and removed only where the operator allows it, one by one and by their numbers, after their
// agents have stopped taking runs. Volumes and reserved IPs stay.
type SurplusDroplets struct {
	Inventory *inventory.Inventory
	Stack     string
	After     []resource.ID // what is wanted is there before anything is removed
}

var (
	_ resource.Resource = (*SurplusDroplets)(nil)
	_ Looker            = (*SurplusDroplets)(nil)
	_ resource.Warner   = (*SurplusDroplets)(nil)
)

func (s *SurplusDroplets) ID() resource.ID        { return resource.ID{Kind: "surplus droplets", Name: ""} }
func (s *SurplusDroplets) Needs() []resource.ID   { return s.After }
func (s *SurplusDroplets) Probe(*resource.Script) {}

// Surplus tells whether a droplet with these tags is ours and no longer declared.
func Surplus(inv *inventory.Inventory, tags []string) bool {
	name := declared.In(inv).Account.HostOf(tags)
	return name != "" && !slices.ContainsFunc(inv.Hosts, func(h inventory.Host) bool { return h.Name == name && h.Machine != nil })
}

func (s *SurplusDroplets) Look(l *Listing) resource.Fact {
	var names []string
	for _, one := range l.Droplets {
		if Surplus(s.Inventory, one.Tags) {
			names = append(names, declared.In(s.Inventory).Account.HostOf(one.Tags)+" "+strconv.Itoa(one.ID))
		}
	}
	return present("droplets", strings.Join(names, "\n"))
}

func (s *SurplusDroplets) each(w resource.World, f func(name, id string)) {
	rec, _ := w.Fact(s.ID())
	for l := range strings.Lines(rec.Fields["droplets"]) {
		if name, id, ok := strings.Cut(strings.TrimSpace(l), " "); ok {
			f(clean(name), clean(id))
		}
	}
}

func (s *SurplusDroplets) Diff(w resource.World) (out []resource.Change) {
	if !w.Option("prune") {
		return nil
	}
	s.each(w, func(name, id string) {
		out = append(out, resource.Change{
			ID: resource.ID{Kind: "droplet", Name: name + " (id " + id + ")"}, Act: resource.Remove, Risk: resource.Interrupts, Why: "it is no longer declared",
			Note: "its agent stops first, and running flows have their time to end; a volume and a reserved IP stay",
		})
	})
	return out
}

// Warn names them where they stay.
func (s *SurplusDroplets) Warn(w resource.World) (out []string) {
	if w.Option("prune") {
		return nil
	}
	s.each(w, func(name, id string) {
		out = append(out, fmt.Sprintf("droplet %s (id %s) is no longer declared but still runs; to remove it: provision apply --prune", name, id))
	})
	return out
}

func (s *SurplusDroplets) Do(ctx context.Context, r *resource.Run, c resource.Change) error {
	l, err := account(r).List(ctx, s.Inventory)
	if err != nil {
		return err
	}
	d := declared.In(s.Inventory).Account
	for _, one := range l.Droplets {
		name := d.HostOf(one.Tags)
		if !Surplus(s.Inventory, one.Tags) || c.ID.Name != fmt.Sprintf("%s (id %d)", name, one.ID) {
			continue
		}
		if declared.BirthKey(one.Tags) == "" {
			if err := resource.Drain(ctx, r, name, s.Stack); err != nil {
				return errors.Join(err, fmt.Errorf("its agent could not be stopped; if the droplet is lost: provision droplet destroy %s", name))
			}
		}
		if err := Destroy(ctx, r, one); err != nil {
			return err
		}
		return account(r).DeleteTag(ctx, d.NameTag(name))
	}
	return nil
}
