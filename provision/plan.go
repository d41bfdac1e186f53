package provision

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"provision/provision/resource"
)

// Plan is all changes in an order in which they can be carried out.
type Plan struct {
	Changes []Change `json:"changes"`
	// Later are resources that cannot be judged before a change of this plan is made.
	Later []Later `json:"later,omitempty"`
	// Warnings are true of the whole stack and stop nothing.
	Warnings []string `json:"warnings,omitempty"`
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

// Empty tells whether nothing differs.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 && len(p.Later) == 0 }

// Equal tells whether two plans announce the same changes. Notes do not count: they tell of what
// goes on at the moment, such as runs that may have ended since.
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
}

func (w *world) Fact(id resource.ID) (resource.Record, resource.Know) {
	f := w.facts[id]
	return f.Record, f.Know
}
func (w *world) Pending(id resource.ID) bool { return w.pending[id] }
func (w *world) Option(name string) bool     { return w.options[name] }

// diff makes the plan. It is a pure function of the desired resources, in order, and the facts of
// all hosts. A resource whose fact is unknown because of something that the plan changes is checked
// later, and so is what needs it; any other unknown is an error.
func diff(resources []resource.Resource, needs map[resource.ID][]resource.ID, facts Facts, options map[string]bool) (*Plan, error) {
	w := &world{facts, map[resource.ID]bool{}, options}
	plan := &Plan{}
	later := map[resource.ID]bool{}
	var errs []error
	for _, r := range resources {
		id := r.ID()
		wait := func(after resource.ID) {
			later[id] = true
			plan.Later = append(plan.Later, Later{id.Host, id.String(), after.String()})
		}
		changes := r.Diff(w)
		if first, ok := firstOf(needs[id], later); ok && len(changes) > 0 && changes[0].Act != resource.Refuse {
			wait(first)
			continue
		}
		for _, c := range changes {
			plan.Changes = append(plan.Changes, Change{
				Host: c.ID.Host, Stage: stage(c), Step: c.ID.String(), Act: string(c.Act), Why: c.Why, Diff: c.Diff, Note: c.Note,
				Interrupts: c.Risk == resource.Interrupts, Planned: c, By: id,
			})
			w.pending[id] = true
		}
		fact, probed := facts[id]
		why, unknown := fact.Why, probed && fact.Know == resource.Unknown
		if u, ok := r.(resource.Doubter); ok && !unknown {
			why = u.Doubt(w)
			unknown = why != ""
		}
		if !unknown || len(changes) > 0 {
			continue
		}
		if after, ok := firstOf(needs[id], w.pending); ok {
			wait(after)
			continue
		}
		errs = append(errs, &Error{
			Code: ExitUnknown, Host: id.Host, Step: id.String(),
			Cause: "cannot be observed: " + why, Hint: "nothing was changed; see the host, then run the same command again",
		})
	}
	return plan, errors.Join(errs...)
}

// firstOf returns the first of the needs that is in the set.
func firstOf(needs []resource.ID, set map[resource.ID]bool) (resource.ID, bool) {
	for _, n := range needs {
		if set[n] {
			return n, true
		}
	}
	return resource.ID{}, false
}

// order sorts resources so that each comes after what it needs, keeping their order otherwise, and
// returns for each all that it needs, directly or not.
func order(resources []resource.Resource) ([]resource.Resource, map[resource.ID][]resource.ID, error) {
	byID := make(map[resource.ID]resource.Resource, len(resources))
	for _, r := range resources {
		if _, ok := byID[r.ID()]; ok {
			return nil, nil, fmt.Errorf("two resources are called %s on %s", r.ID(), r.ID().Host)
		}
		byID[r.ID()] = r
	}
	var sorted []resource.Resource
	all := make(map[resource.ID][]resource.ID, len(resources))
	state := map[resource.ID]int{}
	var visit func(r resource.Resource, path []string) error
	visit = func(r resource.Resource, path []string) error {
		id := r.ID()
		switch path = append(path, id.String()); state[id] {
		case 1:
			return fmt.Errorf("resources need each other: %s", strings.Join(path, " -> "))
		case 2:
			return nil
		}
		state[id] = 1
		seen := map[resource.ID]bool{}
		add := func(n resource.ID) {
			if !seen[n] {
				seen[n] = true
				all[id] = append(all[id], n)
			}
		}
		for _, n := range r.Needs() {
			need, ok := byID[n]
			if !ok {
				continue
			}
			if err := visit(need, path); err != nil {
				return err
			}
			add(n)
			for _, m := range all[n] {
				add(m)
			}
		}
		state[id] = 2
		sorted = append(sorted, r)
		return nil
	}
	for _, r := range resources {
		if err := visit(r, nil); err != nil {
			return nil, nil, err
		}
	}
	return sorted, all, nil
}
