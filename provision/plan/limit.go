package plan

import (
	"errors"
	"maps"
	"slices"

	"provision/provision/report"
	"provision/provision/resource"
)

// Limit is which hosts may be changed.
type Limit struct {
	Hosts []string
	// Gone are the hosts that cannot be reached. GoOn says that what needs them waits; otherwise it is an error.
	Gone map[string]*report.Error
	GoOn bool
}

// has tells whether changes of a host were asked for.
func (l Limit) has(host string) bool { return slices.Contains(l.Hosts, host) }

// Limit keeps the changes of the chosen hosts. If one of them needs a change elsewhere first, that
// is said and nothing is done.
func (g *Graph) Limit(plan *report.Plan, to Limit) (*report.Plan, error) {
	out := &report.Plan{Warnings: plan.Warnings, Account: plan.Account}
	outside := map[resource.ID]bool{}
	firstOutside := newFirsts(g.needs, outside)
	said := map[[2]string]bool{} // the host, and that which it needs first
	var errs []error
	// possible tells whether nothing that is left out comes first.
	possible := func(id resource.ID) bool {
		first, ok := firstOutside.of(id)
		if pair := [2]string{id.Host, first.Host + " " + first.String()}; ok && !said[pair] {
			said[pair] = true
			errs = append(errs, report.Usage("add "+first.Host+" to --limit, or leave --limit out",
				"%s: %s needs %s on %s first, which --limit leaves out", id.Host, id, first, first.Host))
		}
		return !ok
	}
	for _, c := range plan.Changes {
		if !to.has(c.Host) && !g.serves(c, to.Hosts) {
			outside[c.By] = true
			continue
		}
		if possible(c.By) {
			out.Changes = append(out.Changes, c)
		}
	}
	for _, l := range plan.Later {
		if to.has(l.Host) && possible(g.idOf(l)) {
			out.Later = append(out.Later, l)
		}
	}
	for _, u := range plan.Unreachable {
		u.Waits = slices.DeleteFunc(slices.Clone(u.Waits), func(w report.Waiting) bool { return !to.has(w.Host) })
		if !to.has(u.Host) && len(u.Waits) == 0 {
			continue // nothing that was asked for needs it
		}
		out.Unreachable = append(out.Unreachable, u)
		if !to.GoOn {
			errs = append(errs, to.Gone[u.Host])
		}
	}
	return out, errors.Join(errs...)
}

// serves tells whether a change of the cloud account is there for one of the hosts.
func (g *Graph) serves(c report.Change, hosts []string) bool {
	if c.Host != "" {
		return false
	}
	for _, r := range g.Resources {
		id := r.ID()
		chosen := slices.Contains(hosts, id.Host) || id.Kind == "host key" && slices.Contains(hosts, id.Name)
		if chosen && (id == c.By || slices.Contains(g.Needs(id), c.By)) {
			return true
		}
	}
	return false
}

// idOf is the resource that is checked later.
func (g *Graph) idOf(l report.Later) resource.ID {
	for _, r := range g.Resources {
		if id := r.ID(); id.Host == l.Host && id.String() == l.Step {
			return id
		}
	}
	return resource.ID{}
}

// SpareMachines takes the changes of the account out of a plan that are there for unreachable hosts alone, of all.
func (g *Graph) SpareMachines(plan *report.Plan, gone map[string]*report.Error, all []string) {
	if len(gone) == 0 {
		return
	}
	hosts := slices.Sorted(maps.Keys(gone))
	rest := slices.DeleteFunc(slices.Clone(all), func(h string) bool { return gone[h] != nil })
	plan.Changes = slices.DeleteFunc(plan.Changes, func(c report.Change) bool {
		if c.Planned.Act == resource.Refuse || !g.serves(c, hosts) || g.serves(c, rest) {
			return false
		}
		for i, u := range plan.Unreachable {
			if g.serves(c, []string{u.Host}) {
				plan.Unreachable[i].Waits = append(u.Waits, report.Waiting{Host: c.Host, Step: c.Step, Why: c.Why})
				break
			}
		}
		return true
	})
}
