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
	outside := map[resource.ID]bool{}
	var errs []error
	for _, c := range plan.Changes {
		if !slices.Contains(p.Limit, c.Host) && !p.serves(c) {
			outside[c.By] = true
			continue
		}
		if first, ok := p.System.needs.firstOf(c.By, outside); ok {
			errs = append(errs, Usage("add "+first.Host+" to --limit, or leave --limit out",
				"%s: %s needs %s on %s first, which --limit leaves out", c.Host, c.Step, first, first.Host))
			continue
		}
		out.Changes = append(out.Changes, c)
	}
	for _, l := range plan.Later {
		if slices.Contains(p.Limit, l.Host) {
			out.Later = append(out.Later, l)
		}
	}
	return out, errors.Join(errs...)
}

// serves tells whether a change of the cloud account is there for a chosen host.
func (p *Pass) serves(c Change) bool {
	if c.Host != "" {
		return false
	}
	for _, r := range p.System.Resources {
		id := r.ID()
		chosen := slices.Contains(p.Limit, id.Host) || id.Kind == "host key" && slices.Contains(p.Limit, id.Name)
		if chosen && (id == c.By || slices.Contains(p.System.needs.of(id), c.By)) {
			return true
		}
	}
	return false
}
