package digitalocean

import (
	"context"
	"slices"
	"strings"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// addressURN is how projects call a reserved IP, by its old name.
const addressURN = "do:floatingip:"

// CloudProject groups what was made in the account's pages and bills. It changes nothing else.
type CloudProject struct {
	Inventory *inventory.Inventory
	After     []resource.ID
}

var (
	_ resource.Resource = (*CloudProject)(nil)
	_ Looker            = (*CloudProject)(nil)
)

func (p *CloudProject) ID() resource.ID {
	return resource.ID{Kind: "project", Name: declared.In(p.Inventory).Account.Project}
}

func (p *CloudProject) Needs() []resource.ID {
	return append([]resource.ID{CloudAccountID()}, p.After...)
}
func (p *CloudProject) Probe(*resource.Script) {}

// members are the names under which projects know what is ours.
func (p *CloudProject) members(l *Listing) (urns []string) {
	d := declared.In(p.Inventory).Account
	for _, one := range l.Droplets {
		if d.HostOf(one.Tags) == "" {
			continue
		}
		urns = append(urns, one.URN())
		for _, ip := range l.Addresses {
			if ip.Droplet != nil && ip.Droplet.ID == one.ID {
				urns = append(urns, addressURN+ip.IP)
			}
		}
	}
	for _, v := range l.Volumes {
		urns = append(urns, v.URN())
	}
	return urns
}

func (p *CloudProject) missing(l *Listing) (urns []string) {
	for _, urn := range p.members(l) {
		if !slices.Contains(l.Members, urn) && !slices.Contains(l.Members, strings.Replace(urn, ":floatingip:", ":reservedip:", 1)) {
			urns = append(urns, urn)
		}
	}
	return urns
}

// withDroplets puts before a reserved IP the droplet that has it: without it the API does not move the address.
func withDroplets(l *Listing, urns []string) (out []string) {
	for _, urn := range urns {
		for _, ip := range l.Addresses {
			if urn == addressURN+ip.IP && ip.Droplet != nil && !slices.Contains(out, ip.Droplet.URN()) {
				out = append(out, ip.Droplet.URN())
			}
		}
		if !slices.Contains(out, urn) {
			out = append(out, urn)
		}
	}
	return out
}

func (p *CloudProject) Look(l *Listing) resource.Fact {
	if l.Project == nil {
		return absent()
	}
	return present("missing", strings.Join(p.missing(l), ", "))
}

func (p *CloudProject) Diff(w resource.World) []resource.Change {
	rec, know := w.Fact(p.ID())
	adds := slices.ContainsFunc(p.After, func(id resource.ID) bool { _, k := w.Fact(id); return k == resource.No })
	switch {
	case know == resource.No:
		return []resource.Change{{ID: p.ID(), Act: resource.Add, Why: "the project does not exist"}}
	case know == resource.Yes && rec.Fields["missing"] != "":
		return []resource.Change{{ID: p.ID(), Act: resource.Modify, Why: "not in it: " + clean(rec.Fields["missing"])}}
	case know == resource.Yes && adds:
		return []resource.Change{{ID: p.ID(), Act: resource.Modify, Why: "what is created goes into it"}}
	}
	return nil
}

func (p *CloudProject) Do(ctx context.Context, r *resource.Run, _ resource.Change) error {
	l, err := account(r).List(ctx, p.Inventory)
	if err != nil {
		return err
	}
	name := declared.In(p.Inventory).Account.Project
	project, err := once(ctx, r, p.ID(), func(ctx context.Context) (*godo.Project, error) {
		all, err := account(r).ProjectList(ctx)
		for n := range all {
			if all[n].Name == name {
				return &all[n], err
			}
		}
		return nil, err
	}, func(ctx context.Context) (*godo.Project, error) {
		made, _, err := account(r).Projects.Create(ctx, &godo.CreateProjectRequest{Name: name, Purpose: "Service or API", Environment: "Production"})
		return made, err
	})
	if err != nil {
		return err
	}
	var urns []any
	for _, urn := range withDroplets(l, p.missing(l)) {
		urns = append(urns, urn)
	}
	if len(urns) == 0 {
		return nil
	}
	_, _, err = account(r).Projects.AssignResources(ctx, project.ID, urns...)
	return err
}
