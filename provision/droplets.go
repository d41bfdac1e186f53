package provision

import (
	"context"
	"fmt"
	"slices"

	"provision/provision/cloud"
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
	l, err := p.listing(ctx)
	if err != nil {
		return nil, err
	}
	have, facts := p.account.Holdings(l), Facts{}
	for _, r := range p.System.Resources {
		if fact, ok := l.Fact(r); ok {
			facts[r.ID()] = fact
		}
	}
	have.Declared, _ = p.System.cost(facts)
	return have, nil
}

// cost is what the declared part of the account costs, if that is known.
func (s *System) cost(facts Facts) (Cost, bool) {
	if s.cloud == nil {
		return Cost{}, false
	}
	return s.cloud.Cost(&world{facts: facts})
}

// account says what a plan leaves as it is in the account, and what all of it costs.
func (s *System) account(plan *Plan, facts Facts) *PlanAccount {
	ofAccount := func(r resource.Resource) bool { return r.ID().Host == "" }
	if s.cloud == nil || !slices.ContainsFunc(s.Resources, ofAccount) {
		return nil
	}
	out := &PlanAccount{}
	for _, r := range s.Resources {
		id := r.ID()
		if id.Host == "" && s.cloud.Role(r) == cloud.Thing && facts[id].Know == resource.Yes && !slices.ContainsFunc(plan.Changes, func(c Change) bool { return c.By == id }) {
			out.Unchanged++
		}
	}
	if cost, ok := s.cost(facts); ok {
		out.Monthly = &cost
	}
	return out
}

func (p *Pass) listing(ctx context.Context) (cloud.Listing, error) {
	p.start()
	if !p.System.hasCloud() {
		return nil, Usage("declare them: [digitalocean] and [droplets.NAME]", "%s has no [digitalocean]", p.System.Inventory.File)
	}
	a, err := p.cloud(ctx)
	if err != nil {
		return nil, err
	}
	l, err := a.List(ctx)
	if err != nil {
		return nil, p.cloudError("observe", err)
	}
	p.found(l)
	return l, nil
}

// CloudOnly is the system without what is done on its hosts. With names, it has only the droplets of
// these hosts, and what they are created with.
func (s *System) CloudOnly(names []string) (*System, error) {
	if !s.hasCloud() {
		return nil, Usage("declare them: [digitalocean] and [droplets.NAME]", "%s has no [digitalocean]", s.Inventory.File)
	}
	wanted := map[resource.ID]bool{}
	for _, name := range names {
		if h := s.Host(name); h == nil || h.Machine == nil {
			return nil, Usage("droplets are: "+fmt.Sprint(s.dropletNames()), "there is no droplet %s in %s", name, s.Inventory.File)
		}
		for _, id := range s.cloud.Of(name) {
			wanted[id] = true
			for _, need := range s.needs.of(id) {
				wanted[need] = true
			}
		}
	}
	only := *s
	only.Resources, only.cloudOnly = nil, true
	for _, r := range s.Resources {
		switch s.cloud.Role(r) {
		case cloud.Surplus: // what is not declared is not asked about here
		case cloud.Wait: // nothing that waits for it is done here
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
		if h.Machine != nil {
			names = append(names, h.Name)
		}
	}
	return names
}
