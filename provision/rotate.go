package provision

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"path"
	"slices"

	"provision/inventory"
	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
	"provision/provision/stack"
)

// RotateNames are the names of secrets that can be replaced.
func RotateNames(inv *inventory.Inventory) []string { return stack.RotateNames(inv) }

// Rotating is the system in which the secrets of these names get new values. Who reads one of them at its start stops before it
// changes: until it is replaced, nothing works with a value that is refused.
func (s *System) Rotating(names []string) (*System, error) {
	wanted := map[resource.ID]bool{}
	var errs []error
	for _, name := range names {
		r := stack.Rotate(s.Inventory, s.Stack, name)
		if r.Why != "" {
			code := report.ExitUsage
			if r.Data {
				code = report.ExitData
			}
			errs = append(errs, &report.Error{Code: code, Step: "rotate " + name, Cause: r.Why, Hint: r.Hint})
			continue
		}
		for _, id := range r.Secrets {
			wanted[id] = true
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return s.replacing(wanted)
}

// replacing is the system in which these secrets get new values.
func (s *System) replacing(wanted map[resource.ID]bool) (*System, error) {
	paused := s.paused(wanted)
	var all []resource.Resource
	for _, r := range s.Resources {
		if f, ok := r.(*resource.SecretFile); ok && wanted[f.ID()] {
			later := *f
			later.After = slices.Clone(f.After)
			for _, p := range paused {
				if slices.Contains(p.Secrets, f.ID()) {
					later.After = append(later.After, p.ID())
				}
			}
			r = &later
		}
		all = append(all, r)
	}
	for _, p := range paused {
		all = append(all, p)
	}
	out := *s
	out.steady = s
	out.rotate = slices.SortedFunc(maps.Keys(wanted), func(a, b resource.ID) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Name, b.Name))
	})
	var err error
	out.Graph, err = plan.NewGraph(all)
	return &out, err
}

// paused are the stops of all that reads the secrets at its start, and of what is stopped with that, each after those that ask it.
func (s *System) paused(wanted map[resource.ID]bool) (out []*resource.Paused) {
	byID := map[resource.ID]*resource.Paused{}
	stop := func(c *resource.Service, secret resource.ID, why string) {
		p := byID[c.ID()]
		if p == nil {
			p = &resource.Paused{Host: c.Host, Container: c.Container, Why: why}
			byID[c.ID()] = p
			out = append(out, p)
		}
		p.Secrets = append(p.Secrets, secret)
	}
	for _, r := range s.Resources {
		c, ok := r.(*resource.Service)
		if !ok {
			continue
		}
		for _, id := range c.Files {
			secret := id
			if f, ok := s.ByID[id].(*resource.SecretFile); ok && f.Source != (resource.ID{}) {
				secret = f.Source
			}
			if _, certificate := s.ByID[secret].(*resource.SecretFile); !wanted[secret] || !certificate {
				continue
			}
			stop(c, secret, "it reads "+path.Base(id.Name)+", and no container works with a value that is refused")
			for _, name := range c.Stops {
				if with, ok := s.ByID[resource.ServiceID(c.Host, name)].(*resource.Service); ok {
					stop(with, secret, "it hands its work to "+c.Container+", which stops")
				}
			}
		}
	}
	order := func(p *resource.Paused) int {
		l, ok := s.ByID[resource.LeftoversID(p.Host)].(*resource.Leftovers)
		if !ok {
			return 0
		}
		return slices.IndexFunc(l.Order, func(o resource.Stopped) bool { return o.Container == p.Container })
	}
	slices.SortStableFunc(out, func(a, b *resource.Paused) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(order(a), order(b)))
	})
	for n, p := range out {
		for _, before := range out[:n] {
			if before.Host == p.Host {
				p.Before = append(p.Before, before.ID())
			}
		}
	}
	return out
}

// Rotated is what became of a rotation.
type Rotated struct {
	// Secrets have another value than before.
	Secrets []Place `json:"secrets"`
	// Replaced are the containers that were replaced because of it.
	Replaced []Place `json:"replaced"`
}

// Place is something on a host.
type Place struct {
	Host string `json:"host"`
	Name string `json:"name"`
}

// Rotate replaces the secrets of the system, as a plan like any other, and has every agent host prove what its tokens open.
func (p *Pass) Rotate(ctx, stop context.Context) (*Rotated, *report.Report, error) {
	out := &Rotated{Secrets: []Place{}, Replaced: []Place{}}
	result, err := p.carryOut(ctx, stop, func(ctx context.Context, facts plan.Facts) error {
		var errs []error
		for _, id := range p.System.rotate {
			if fact := facts[id]; fact.Know == resource.Yes && p.rotated.first[id] != "" && p.rotated.first[id] != resource.Digested(fact) {
				out.Secrets = append(out.Secrets, Place{id.Host, id.String()})
			} else if len(p.fleet().Gone()) == 0 {
				errs = append(errs, &report.Error{Code: report.ExitUnknown, Host: id.Host, Step: id.String(), Cause: "it still has the value from before", Hint: "run the same command again"})
			}
		}
		return errors.Join(append(errs, p.prove(ctx, nil))...)
	})
	if result != nil {
		for _, o := range result.Outcomes {
			if place := (Place{o.Host, o.Step}); o.State == report.Done && o.Act == string(resource.Replace) && o.Stage == "services" && !slices.Contains(out.Replaced, place) {
				out.Replaced = append(out.Replaced, place)
			}
		}
	}
	return out, result, err
}

// spare leaves out the secrets that a host reads which cannot be reached: it would be locked out of what it is to come back to.
func (p *Pass) spare() error {
	gone := p.fleet().Gone()
	if len(gone) == 0 || len(p.System.rotate) == 0 {
		return nil
	}
	wanted := map[resource.ID]bool{}
	for _, id := range p.System.rotate {
		wanted[id] = true
	}
	for _, r := range p.System.Resources {
		stop, ok := r.(*resource.Paused)
		if !ok || gone[stop.Host] == nil {
			continue
		}
		for _, id := range stop.Secrets {
			if wanted[id] {
				delete(wanted, id)
				p.emit(report.Event{Type: "note", Host: id.Host, Step: id.String(), Text: stop.Host + " cannot be reached and has a copy of it, so it is not replaced; when that answers again, rotate it once more"})
			}
		}
	}
	if len(wanted) == len(p.System.rotate) {
		return nil
	}
	var err error
	p.System, err = p.System.steady.replacing(wanted)
	return err
}

// rotation is what a pass remembers of the secrets that are to be replaced.
type rotation struct {
	first map[resource.ID]string // what was first seen of each
}

// asked are the pass's options, and with them that for each secret that has not been replaced yet. The wish is fulfilled as soon as the
// secret is seen with another value, whoever gave it that.
func (p *Pass) asked(facts plan.Facts) map[string]bool {
	if len(p.System.rotate) == 0 {
		return p.Options
	}
	if p.rotated.first == nil {
		p.rotated.first = map[resource.ID]string{}
	}
	options := maps.Clone(p.Options)
	if options == nil {
		options = map[string]bool{}
	}
	for _, id := range p.System.rotate {
		fact := facts[id]
		seen := resource.Digested(fact)
		if fact.Know == resource.Yes && p.rotated.first[id] == "" {
			p.rotated.first[id] = seen
		}
		if seen == p.rotated.first[id] {
			options[resource.RotateOption(id)] = true
		}
	}
	return options
}

// RefuseLimit says why a verb that changes several hosts for one purpose takes no --limit.
func RefuseLimit(verb string) error {
	return report.Usage("leave --limit out", "%s takes no --limit: hosts would be left behind that do not fit the others", verb)
}
