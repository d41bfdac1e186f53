package provision

import (
	"errors"
	"slices"

	"provision/provision/resource"
)

// limited keeps the changes of the chosen hosts. If one of them needs a change elsewhere first, that
// is said and nothing is done.
func (p *Pass) limited(plan *Plan) (*Plan, error) {
	out := &Plan{Warnings: plan.Warnings, Account: plan.Account}
	gone := p.without()
	outside := map[resource.ID]bool{}
	firstOutside := newFirsts(p.System.needs, outside)
	said := map[[2]string]bool{} // the host, and that which it needs first
	var errs []error
	// possible tells whether nothing that is left out comes first.
	possible := func(id resource.ID) bool {
		first, ok := firstOutside.of(id)
		if pair := [2]string{id.Host, first.Host + " " + first.String()}; ok && !said[pair] {
			said[pair] = true
			errs = append(errs, Usage("add "+first.Host+" to --limit, or leave --limit out",
				"%s: %s needs %s on %s first, which --limit leaves out", id.Host, id, first, first.Host))
		}
		return !ok
	}
	for _, c := range plan.Changes {
		if !slices.Contains(p.Limit, c.Host) && !p.serves(c, p.Limit) {
			outside[c.By] = true
			continue
		}
		if possible(c.By) {
			out.Changes = append(out.Changes, c)
		}
	}
	for _, l := range plan.Later {
		if slices.Contains(p.Limit, l.Host) && possible(p.System.idOf(l)) {
			out.Later = append(out.Later, l)
		}
	}
	for _, u := range plan.Unreachable {
		u.Waits = slices.DeleteFunc(slices.Clone(u.Waits), func(w Waiting) bool { return !p.limitHas(w.Host) })
		if !p.limitHas(u.Host) && len(u.Waits) == 0 {
			continue // nothing that was asked for needs it
		}
		out.Unreachable = append(out.Unreachable, u)
		if !p.SkipUnreachable && p.Saved == nil {
			errs = append(errs, gone[u.Host])
		}
	}
	return out, errors.Join(errs...)
}

// serves tells whether a change of the cloud account is there for one of the hosts.
func (p *Pass) serves(c Change, hosts []string) bool {
	if c.Host != "" {
		return false
	}
	for _, r := range p.System.Resources {
		id := r.ID()
		chosen := slices.Contains(hosts, id.Host) || id.Kind == "host key" && slices.Contains(hosts, id.Name)
		if chosen && (id == c.By || slices.Contains(p.System.needs.of(id), c.By)) {
			return true
		}
	}
	return false
}
