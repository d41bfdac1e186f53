package plan

import (
	"errors"

	"provision/provision/report"
	"provision/provision/resource"
)

// Diff makes the plan. It is a pure function of the desired resources and the facts of
// all hosts. A resource whose fact is unknown because of something that the plan changes is checked
// later, and so is what needs it; any other unknown is an error. Of hosts that are gone nothing is known
// or changed, and what needs them waits.
func (g *Graph) Diff(facts Facts, options map[string]bool, gone map[string]*report.Error) (*report.Plan, error) {
	w := &World{Facts: facts, Options: options, pending: map[resource.ID]bool{}}
	out := &report.Plan{}
	later := map[resource.ID]bool{}
	without := g.Without(gone)
	firstLater, firstPending := newFirsts(g.needs, later), newFirsts(g.needs, w.pending)
	var errs []error
	for _, r := range g.Resources {
		id := r.ID()
		if without.Takes(id) {
			continue
		}
		wait := func(after resource.ID) {
			later[id] = true
			out.Later = append(out.Later, report.Later{Host: id.Host, Step: id.String(), After: after.String()})
		}
		changes := r.Diff(w)
		if len(changes) > 0 && changes[0].Act != resource.Refuse && without.holds(id, changes[0].Why) {
			continue
		}
		if first, ok := firstLater.of(id); ok && len(changes) > 0 && changes[0].Act != resource.Refuse {
			wait(first)
			continue
		}
		for _, c := range changes {
			out.Changes = append(out.Changes, report.Change{
				Host: c.ID.Host, Stage: report.StageOf(c), Step: c.ID.String(), Act: string(c.Act), Why: c.Why, Diff: c.Diff, Note: c.Note,
				Interrupts: c.Risk == resource.Interrupts, Planned: c, By: id,
			})
			w.pending[id] = true
			if leader, ok := r.(resource.Leader); ok {
				for _, one := range leader.Leads(c) {
					out.Later = append(out.Later, report.Later{Host: one.Host, Step: one.String(), After: c.ID.String()})
				}
			}
		}
		fact, probed := facts[id]
		why, unknown := fact.Why, probed && fact.Know == resource.Unknown
		if u, ok := r.(resource.Uncertain); ok && !unknown {
			why = u.WhyUnknown(w)
			unknown = why != ""
		}
		if !unknown || len(changes) > 0 || without.holds(id, "it cannot be judged before that") {
			continue
		}
		if after, ok := firstPending.of(id); ok {
			wait(after)
			continue
		}
		errs = append(errs, &report.Error{
			Code: report.ExitUnknown, Host: id.Host, Step: id.String(),
			Cause: "cannot be observed: " + why, Hint: "nothing was changed; see the host, then run the same command again",
		})
	}
	out.Unreachable = without.hosts()
	return out, errors.Join(errs...)
}
