package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
)

// check says what does not work, from facts that are there already, which questions without an answer are asked again for. On hosts
// that --limit leaves out it is noted and is no error: nobody asked for their change.
func (p *Pass) check(ctx context.Context, facts plan.Facts) error {
	if err := p.unanswered(ctx, facts); err != nil {
		return err
	}
	w := &plan.World{Facts: facts, Options: p.Options}
	without := p.System.Without(p.fleet().Gone())
	var errs []error
	for _, r := range p.System.Resources {
		c, ok := r.(resource.Checker)
		if !ok || p.fleet().Absent(r.ID().Host) || without.Takes(r.ID()) {
			continue
		}
		if without.Needed(r.ID()) {
			continue // it may not work because that host is not there
		}
		for _, problem := range c.Check(w) {
			if !p.limitHas(problem.ID.Host) {
				p.emit(report.Event{Type: "note", Host: problem.ID.Host, Step: problem.ID.String(), Text: fmt.Sprintf("%s: %s (left out by --limit)", problem.ID, problem.What)})
				continue
			}
			errs = append(errs, &report.Error{
				Code: report.ExitUnhealthy, Host: problem.ID.Host, Step: problem.ID.String(), Cause: problem.What, Evidence: problem.Evidence,
				Hint: cmp.Or(problem.Hint, "provision apply fixes it, or says why it cannot"),
			})
		}
	}
	state := report.Done
	if errs != nil {
		state = report.Failed
	}
	p.emit(report.Event{Type: "verify", State: state})
	return errors.Join(errs...)
}

// limitHas tells whether changes of a host were asked for.
func (p *Pass) limitHas(host string) bool { return len(p.Limit) == 0 || slices.Contains(p.Limit, host) }

// Verify is the read-only proof: nothing differs, everything works, and the proxy lets the holders
// of tokens do what they may and nothing else. smoke names the agent hosts on which the built-in
// flow is run.
func (p *Pass) Verify(ctx context.Context, smoke []string) error {
	differs, facts, err := p.Plan(ctx)
	if err != nil {
		return err
	}
	if !differs.Empty() || len(differs.Unreachable) > 0 {
		p.emit(report.Event{Type: "plan", Plan: differs})
	}
	if !differs.Empty() {
		for _, host := range p.System.HostNames() {
			if who := resource.AtWork(&plan.World{Facts: facts}, host); who != "" {
				return errors.Join(&report.Error{
					Code: report.ExitChanges, Host: host, Cause: "what differs cannot be judged while another run applies: " + who,
					Hint: "wait until that has ended, then: provision verify",
				}, p.LeftOut(differs))
			}
		}
		return &report.Error{Code: report.ExitChanges, Cause: "the hosts differ from what the files say", Hint: "show the differences: provision plan; remove them: provision apply"}
	}
	if err := p.check(ctx, facts); err != nil {
		return errors.Join(err, p.LeftOut(differs))
	}
	return errors.Join(p.prove(ctx, smoke), p.LeftOut(differs))
}
