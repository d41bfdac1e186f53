package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	Reserved string           `json:"reserved_ip,omitempty"` // which the url's record leads to
	Size     string           `json:"size,omitempty"`
	Region   string           `json:"region,omitempty"`
	Roles    []inventory.Role `json:"roles,omitempty"`
	Monthly  float64          `json:"monthly,omitempty"` // dollars
	Declared bool             `json:"declared"`
	// SetUp says that the first login is done.
	SetUp bool `json:"set_up"`
}

// Spare is something of the inventory's beside droplets that costs money and that nothing declares.
type Spare = resource.Spare

// Holdings are what an account has of an inventory's, and what it should have.
type Holdings struct {
	Droplets []DropletStatus `json:"droplets"` // those that are declared, and those that carry the inventory's tag
	Left     []Spare         `json:"left"`
	Declared Cost            `json:"declared"` // what costs what is declared
	Existing Cost            `json:"existing"` // and what is there
}

// Cost is US dollars a month.
type Cost = resource.Cost

// Holdings lists them; nothing is done.
func (p *Pass) Holdings(ctx context.Context) (*Holdings, error) {
	l, err := p.listing(ctx)
	if err != nil {
		return nil, err
	}
	d := p.System.Inventory.DigitalOcean
	out := []DropletStatus{}
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
		for _, ip := range l.Addresses {
			if ip.Droplet != nil && ip.Droplet.ID == one.ID {
				s.Reserved = remote.Sanitize(ip.IP)
			}
		}
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
	have := &Holdings{Droplets: out, Left: resource.Undeclared(p.System.Inventory, l), Existing: resource.CostOf(p.System.Inventory, l)}
	facts := Facts{}
	for _, r := range p.System.Resources {
		if looker, ok := r.(resource.Looker); ok {
			facts[r.ID()] = looker.Look(l)
		}
	}
	have.Declared, _ = p.System.cost(facts)
	return have, nil
}

// cost is what the declared part of the account costs, if that is known.
func (s *System) cost(facts Facts) (Cost, bool) {
	account, ok := s.byID[resource.CloudAccountID()].(*resource.CloudAccount)
	if !ok {
		return Cost{}, false
	}
	return account.Cost(&world{facts: facts})
}

// account says what a plan leaves as it is in the account, and what all of it costs.
func (s *System) account(plan *Plan, facts Facts) *PlanAccount {
	looks := func(r resource.Resource) bool { _, ok := r.(resource.Looker); return ok }
	if !slices.ContainsFunc(s.Resources, looks) {
		return nil
	}
	out := &PlanAccount{}
	for _, r := range s.Resources {
		id := r.ID()
		switch r.(type) {
		case *resource.CloudAccount, *resource.Strays, *resource.SurplusDroplets, *resource.PublicName:
			continue
		}
		if id.Host == "" && facts[id].Know == resource.Yes && !slices.ContainsFunc(plan.Changes, func(c Change) bool { return c.By == id }) {
			out.Unchanged++
		}
	}
	if cost, ok := s.cost(facts); ok {
		out.Monthly = &cost
	}
	return out
}

func (p *Pass) listing(ctx context.Context) (*inventory.Listing, error) {
	p.start()
	if !p.System.cloudy() {
		return nil, Usage("declare them: [digitalocean] and [droplets.NAME]", "%s has no [digitalocean]", p.System.Inventory.File)
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
		return nil, Usage("declare them: [digitalocean] and [droplets.NAME]", "%s has no [digitalocean]", s.Inventory.File)
	}
	wanted := map[resource.ID]bool{}
	for _, name := range names {
		if h := s.Host(name); h == nil || h.Droplet == nil {
			return nil, Usage("droplets are: "+fmt.Sprint(s.dropletNames()), "there is no droplet %s in %s", name, s.Inventory.File)
		}
		for _, id := range []resource.ID{resource.HostKeyID(name), resource.ReservedIPID(name)} {
			wanted[id] = true
			for _, need := range s.needs.of(id) {
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
