package provision

import (
	"errors"
	"slices"

	"provision/provision/resource"
)

// Plan is all changes in an order in which they can be carried out.
type Plan struct {
	Changes []Change `json:"changes"`
	// Later are resources that cannot be judged before a change of this plan is made.
	Later []Later `json:"later,omitempty"`
	// Unreachable are the hosts that the plan was made without.
	Unreachable []Unreachable `json:"unreachable,omitempty"`
	// Warnings are true of the whole stack and stop nothing.
	Warnings []string `json:"warnings,omitempty"`
	// Account is set where the inventory has a cloud account.
	Account *PlanAccount `json:"account,omitempty"`
}

// PlanAccount is what a plan leaves as it is in the cloud account, and what all that is declared
// there costs.
type PlanAccount struct {
	Unchanged int   `json:"unchanged"`
	Monthly   *Cost `json:"monthly,omitempty"` // none where a price is not known
}

// Change is a planned change in the form in which plans are shown and kept.
type Change struct {
	Host  string `json:"host"`
	Stage string `json:"stage"`
	Step  string `json:"step"`
	Act   string `json:"act"`
	Why   string `json:"why"`
	Diff  string `json:"diff,omitempty"`
	Note  string `json:"note,omitempty"`
	// Interrupts says that something stops for a while; Note says what, and for how long.
	Interrupts bool `json:"interrupts,omitempty"`
	// Planned is the change itself; By is the resource that asked for it and carries it out.
	Planned resource.Change `json:"-"`
	By      resource.ID     `json:"-"`
}

// Later is a resource that is checked after another one has changed.
type Later struct {
	Host  string `json:"host"`
	Step  string `json:"step"`
	After string `json:"after"`
}

// idOf is the resource that is checked later.
func (s *System) idOf(l Later) resource.ID {
	for _, r := range s.Resources {
		if id := r.ID(); id.Host == l.Host && id.String() == l.Step {
			return id
		}
	}
	return resource.ID{}
}

// Empty tells whether nothing differs.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 && len(p.Later) == 0 }

// Equal tells whether two plans announce the same changes. Notes do not count: they tell of what
// is happening at the moment, such as runs that may have ended since.
func (p *Plan) Equal(q *Plan) bool {
	same := func(a, b Change) bool {
		return a.Host == b.Host && a.Step == b.Step && a.Act == b.Act && a.Why == b.Why && a.Diff == b.Diff
	}
	return slices.EqualFunc(p.Changes, q.Changes, same) && slices.Equal(p.Later, q.Later)
}

// Facts are what is known of every resource of every host at one moment.
type Facts map[resource.ID]resource.Fact

// world is what a diff sees.
type world struct {
	facts   Facts
	pending map[resource.ID]bool
	options map[string]bool
	parsed  map[[2]string]any
}

func (w *world) Fact(id resource.ID) (resource.Record, resource.Know) {
	f := w.facts[id]
	return f.Record, f.Know
}
func (w *world) Pending(id resource.ID) bool { return w.pending[id] }
func (w *world) Option(name string) bool     { return w.options[name] }

func (w *world) Parsed(kind, host string, parse func() any) any {
	key := [2]string{kind, host}
	if v, ok := w.parsed[key]; ok {
		return v
	}
	if w.parsed == nil {
		w.parsed = map[[2]string]any{}
	}
	w.parsed[key] = parse()
	return w.parsed[key]
}

// diff makes the plan. It is a pure function of the desired resources, in order, and the facts of
// all hosts. A resource whose fact is unknown because of something that the plan changes is checked
// later, and so is what needs it; any other unknown is an error. Of hosts that are gone nothing is known
// or changed, and what needs them waits.
func diff(resources []resource.Resource, needs *needs, facts Facts, options map[string]bool, gone map[string]*Error) (*Plan, error) {
	w := &world{facts: facts, pending: map[resource.ID]bool{}, options: options}
	plan := &Plan{}
	later := map[resource.ID]bool{}
	without := newWaiting(needs, gone)
	firstLater, firstPending := newFirsts(needs, later), newFirsts(needs, w.pending)
	var errs []error
	for _, r := range resources {
		id := r.ID()
		if without.takes(id) {
			continue
		}
		wait := func(after resource.ID) {
			later[id] = true
			plan.Later = append(plan.Later, Later{id.Host, id.String(), after.String()})
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
			plan.Changes = append(plan.Changes, Change{
				Host: c.ID.Host, Stage: stage(c), Step: c.ID.String(), Act: string(c.Act), Why: c.Why, Diff: c.Diff, Note: c.Note,
				Interrupts: c.Risk == resource.Interrupts, Planned: c, By: id,
			})
			w.pending[id] = true
			if leader, ok := r.(resource.Leader); ok {
				for _, one := range leader.Leads(c) {
					plan.Later = append(plan.Later, Later{one.Host, one.String(), c.ID.String()})
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
		errs = append(errs, &Error{
			Code: ExitUnknown, Host: id.Host, Step: id.String(),
			Cause: "cannot be observed: " + why, Hint: "nothing was changed; see the host, then run the same command again",
		})
	}
	plan.Unreachable = without.hosts()
	return plan, errors.Join(errs...)
}
