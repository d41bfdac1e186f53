package provision

import (
	"context"
	"errors"

	"provision/provision/resource"
)

// check says what does not work, from facts that are there already.
func (p *Pass) check(facts Facts) error {
	w := &world{facts: facts, options: p.Options}
	var errs []error
	for _, r := range p.System.Resources {
		c, ok := r.(resource.Checker)
		if !ok || p.absent(r.ID().Host) {
			continue
		}
		for _, problem := range c.Check(w) {
			errs = append(errs, &Error{Code: ExitUnhealthy, Host: problem.ID.Host, Step: problem.ID.String(), Cause: problem.What, Evidence: problem.Evidence, Hint: problem.Hint})
		}
	}
	state := Done
	if errs != nil {
		state = Failed
	}
	p.emit(Event{Type: "verify", State: state})
	return errors.Join(errs...)
}

// Verify is the read-only proof: nothing differs, everything works, and the proxy lets the holders
// of tokens do what they may and nothing else. smoke names the agent hosts on which the built-in
// flow is run.
func (p *Pass) Verify(ctx context.Context, smoke []string) error {
	plan, facts, err := p.Plan(ctx)
	if err != nil {
		return err
	}
	if !plan.Empty() {
		p.emit(Event{Type: "plan", Plan: plan})
		return &Error{Code: ExitChanges, Cause: "the hosts differ from what the files say", Hint: "see it with: provision plan; mend it with: provision apply"}
	}
	if err := p.check(facts); err != nil {
		return err
	}
	return p.prove(ctx, smoke)
}
