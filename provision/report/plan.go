package report

import (
	"errors"
	"slices"

	"provision/provision/cloud"
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
	Unchanged int         `json:"unchanged"`
	Monthly   *cloud.Cost `json:"monthly,omitempty"` // none where a price is not known
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

// Unreachable is a host that a pass continues without, because it cannot be reached. Nothing is known
// of it, so nothing is changed on it or taken for absent.
type Unreachable struct {
	Host  string `json:"host"`
	Cause string `json:"cause"`
	// Waits are the changes elsewhere that need something of this host first.
	Waits []Waiting `json:"waits,omitempty"`
}

// Waiting is a change, or something to look at, that has to wait for an unreachable host.
type Waiting struct {
	Host string `json:"host"`
	Step string `json:"step"`
	Why  string `json:"why"`
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

// Refusals are the plan's refusals as errors. Where data is at stake the others are left out: what
// another stack on the host holds, its ports and networks, is not to be moved away.
func (p *Plan) Refusals() error {
	var errs, data []error
	for _, c := range p.Changes {
		if c.Planned.Act != resource.Refuse {
			continue
		}
		code := ExitPreflight
		switch c.Planned.Risk {
		case resource.Data:
			code = ExitData
		case resource.Cloud:
			code = ExitCloud
		}
		refused := &Error{Code: code, Host: c.Host, Step: c.Step, Cause: c.Why, Hint: c.Planned.Hint}
		errs = append(errs, refused)
		if code == ExitData {
			data = append(data, refused)
		}
	}
	if data != nil {
		return errors.Join(data...)
	}
	return errors.Join(errs...)
}
