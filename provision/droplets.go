package provision

import (
	"context"
	"fmt"

	"provision/provision/cloud"
	"provision/provision/fleet"
	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
)

// What a cloud's account has, as its package shows it.
type (
	DropletStatus = cloud.Machine
	Holdings      = cloud.Holdings
	Spare         = cloud.Spare
	Cost          = cloud.Cost
)

// Holdings lists them; nothing is done.
func (p *Pass) Holdings(ctx context.Context) (*Holdings, error) {
	a, l, err := p.fleet().Listing(ctx)
	if err != nil {
		return nil, err
	}
	have, facts := a.Holdings(l), plan.Facts{}
	for _, r := range p.System.Resources {
		if fact, ok := l.Fact(r); ok {
			facts[r.ID()] = fact
		}
	}
	have.Declared, _ = p.System.cost(facts)
	return have, nil
}

// CloudOnly is the system without what is done on its hosts. With names, it has only the droplets of
// these hosts, and what they are created with.
func (s *System) CloudOnly(names []string) (*System, error) {
	if !s.hasCloud() {
		return nil, fleet.NoCloud(s.Inventory)
	}
	wanted := map[resource.ID]bool{}
	for _, name := range names {
		if h := s.Host(name); h == nil || h.Machine == nil {
			return nil, report.Usage("droplets are: "+fmt.Sprint(s.dropletNames()), "there is no droplet %s in %s", name, s.Inventory.File)
		}
		for _, id := range s.cloud.Of(name) {
			wanted[id] = true
			for _, need := range s.Needs(id) {
				wanted[need] = true
			}
		}
	}
	only := *s
	only.cloudOnly = true
	only.Graph = s.Only(func(r resource.Resource) bool {
		switch s.cloud.Role(r) {
		case cloud.Surplus: // what is not declared is not asked about here
			return false
		case cloud.Wait: // nothing that waits for it is done here
			return false
		}
		return r.ID().Host == "" && (len(names) == 0 || wanted[r.ID()])
	})
	return &only, nil
}

// machinesLeft are those that are there, each with what destroys it.
func (p *Pass) machinesLeft() (out []string) {
	for _, name := range p.System.dropletNames() {
		if !p.fleet().Absent(name) {
			out = append(out, fmt.Sprintf("%s %s; to destroy it: provision droplet destroy %s", p.System.cloud.Noun(), name, name))
		}
	}
	return out
}

func (s *System) dropletNames() (names []string) {
	for _, h := range s.Inventory.Hosts {
		if h.Machine != nil {
			names = append(names, h.Name)
		}
	}
	return names
}
