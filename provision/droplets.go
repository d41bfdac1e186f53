package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/resource"
	"provision/remote"
)

// DropletStatus is one droplet, or one that is declared and does not exist.
type DropletStatus struct {
	Name     string           `json:"name"`
	ID       int              `json:"id,omitempty"`
	Status   string           `json:"status"` // as DigitalOcean names it; "missing" where it is declared only
	Address  string           `json:"address,omitempty"`
	Size     string           `json:"size,omitempty"`
	Region   string           `json:"region,omitempty"`
	Roles    []inventory.Role `json:"roles,omitempty"`
	Monthly  float64          `json:"monthly,omitempty"` // dollars
	Declared bool             `json:"declared"`
	// SetUp says that the first login is done.
	SetUp bool `json:"set_up"`
}

// Droplets are those that are declared, and those that carry the inventory's tag.
func (p *Pass) Droplets(ctx context.Context) ([]DropletStatus, error) {
	l, err := p.listing(ctx)
	if err != nil {
		return nil, err
	}
	d := p.System.Inventory.DigitalOcean
	var out []DropletStatus
	seen := map[string]bool{}
	for _, one := range l.Droplets {
		s := DropletStatus{Name: d.HostOf(one.Tags), ID: one.ID, Status: remote.Sanitize(one.Status), Size: remote.Sanitize(one.SizeSlug), SetUp: inventory.BirthKey(one.Tags) == ""}
		if s.Name == "" {
			s.Name = remote.Sanitize(one.Name) // it has the inventory's tag and no name of ours
		} else if h := p.System.Host(s.Name); h != nil && h.Droplet != nil {
			s.Declared, s.Roles = true, h.Roles
			seen[s.Name] = true
		}
		s.Address = placeOf(one).address
		if one.Size != nil {
			s.Monthly = one.Size.PriceMonthly
		}
		if one.Region != nil {
			s.Region = remote.Sanitize(one.Region.Slug)
		}
		out = append(out, s)
	}
	for _, h := range p.System.Inventory.Hosts {
		if h.Droplet != nil && !seen[h.Name] {
			s := DropletStatus{Name: h.Name, Status: "missing", Size: h.Droplet.Size, Region: h.Droplet.Region, Roles: h.Roles, Declared: true}
			if l.Catalog != nil {
				for _, size := range l.Catalog.Sizes {
					if size.Slug == s.Size {
						s.Monthly = size.PriceMonthly
					}
				}
			}
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b DropletStatus) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (p *Pass) listing(ctx context.Context) (*inventory.Listing, error) {
	p.start()
	if !p.System.cloudy() {
		return nil, Usage("declare them: [digitalocean] and [droplets.NAME]", "%s declares no droplets", p.System.Inventory.File)
	}
	a, err := p.cloud(ctx)
	if err != nil {
		return nil, err
	}
	l, err := a.List(ctx, p.System.Inventory)
	if err != nil {
		return nil, hostError("", "observe", ExitCloud, err)
	}
	p.found(l)
	return l, nil
}

// CloudOnly is the system without what is done on its hosts. With names, it has only the droplets of
// these hosts, and what they are created with.
func (s *System) CloudOnly(names []string) (*System, error) {
	if !s.cloudy() {
		return nil, Usage("declare them: [digitalocean] and [droplets.NAME]", "%s declares no droplets", s.Inventory.File)
	}
	wanted := map[resource.ID]bool{}
	for _, name := range names {
		if h := s.Host(name); h == nil || h.Droplet == nil {
			return nil, Usage("droplets are: "+fmt.Sprint(s.dropletNames()), "there is no droplet %s in %s", name, s.Inventory.File)
		}
		for _, id := range []resource.ID{resource.HostKeyID(name), resource.ReservedIPID(name)} {
			wanted[id] = true
			for _, need := range s.needs[id] {
				wanted[need] = true
			}
		}
	}
	only := *s
	only.Resources, only.cloudOnly = nil, true
	for _, r := range s.Resources {
		switch r.(type) {
		case *resource.SurplusDroplets: // what is not declared is not asked about here
		case *resource.PublicName: // nothing that waits for it is done here
		default:
			if r.ID().Host == "" && (len(names) == 0 || wanted[r.ID()]) {
				only.Resources = append(only.Resources, r)
			}
		}
	}
	return &only, nil
}

func (s *System) dropletNames() (names []string) {
	for _, h := range s.Inventory.Hosts {
		if h.Droplet != nil {
			names = append(names, h.Name)
		}
	}
	return names
}

// Doomed is what destroying one droplet would take, and what it would leave.
type Doomed struct {
	Droplet godo.Droplet
	Volume  string // its name; empty if it has none of ours
	volume  string
	Left    []string // what stays, in words
}

// Doom looks up what would be destroyed; nothing is done.
func (p *Pass) Doom(ctx context.Context, name string) (*Doomed, error) {
	l, err := p.listing(ctx)
	if err != nil {
		return nil, err
	}
	d := p.System.Inventory.DigitalOcean
	doomed := &Doomed{}
	for _, v := range l.Volumes {
		if v.Name == resource.CloudVolumeName(d, name) {
			doomed.Volume, doomed.volume = v.Name, v.ID
		}
	}
	for _, ip := range d.Addresses(l.Tags, name) {
		doomed.Left = append(doomed.Left, "the reserved IP "+ip+", which costs something as long as no droplet has it")
	}
	for _, one := range l.Droplets {
		if d.HostOf(one.Tags) == name {
			doomed.Droplet = one
			return doomed, nil
		}
	}
	if doomed.Volume != "" {
		return doomed, nil
	}
	return nil, Usage("provision droplet list", "there is no droplet %s with the tag %s", name, d.Tag())
}

// Destroy removes one droplet, and its volume if that is asked for. What works on it ends as at a
// replacement, as far as it can be reached.
func (p *Pass) Destroy(ctx context.Context, name string, doomed *Doomed, withVolume bool) error {
	r := p.runner(1)
	d := p.System.Inventory.DigitalOcean
	step := "destroy droplet " + name
	if one := doomed.Droplet; one.ID != 0 {
		if inventory.BirthKey(one.Tags) == "" && one.Status == "active" {
			p.emit(Event{Type: "progress", Host: name, Step: step, Text: "stopping what works on it"})
			if err := resource.Drain(ctx, r, name, p.System.Stack.Name); err != nil {
				if ctx.Err() != nil {
					return hostError("", step, ExitCloud, context.Cause(ctx))
				}
				p.emit(Event{Type: "note", Host: name, Text: "what works on it could not be stopped first: " + remote.Sanitize(err.Error())})
			}
		}
		p.emit(Event{Type: "progress", Host: name, Step: step, Text: fmt.Sprintf("deleting droplet %d", one.ID)})
		if err := resource.Destroy(ctx, r, one); err != nil {
			return hostError("", step, ExitCloud, err)
		}
	}
	if _, err := r.Account.Tags.Delete(ctx, d.NameTag(name)); err != nil && !inventory.Missing(err) {
		return hostError("", step, ExitCloud, err)
	}
	if doomed.volume == "" || !withVolume {
		return nil
	}
	p.emit(Event{Type: "progress", Host: name, Step: step, Text: "deleting the volume " + doomed.Volume})
	err := r.Account.Until(ctx, "the volume is free", func(ctx context.Context) (bool, error) {
		v, _, err := r.Account.Storage.GetVolume(ctx, doomed.volume)
		if inventory.Missing(err) {
			return true, nil
		}
		return err == nil && len(v.DropletIDs) == 0, err
	})
	if err == nil {
		err = r.Account.WhenFree(ctx, "the volume is deleted", func(ctx context.Context) error {
			_, err := r.Account.Storage.DeleteVolume(ctx, doomed.volume)
			if inventory.Missing(err) {
				return nil
			}
			return err
		})
	}
	return hostError("", step, ExitCloud, err)
}
