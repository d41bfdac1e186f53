package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
)

// maxRounds bounds the rounds of one apply. Two suffice where every fact can be known beforehand.
const maxRounds = 5

// ErrDeclined says that the operator did not confirm the plan.
var ErrDeclined = &report.Error{Code: report.ExitFailed, Cause: "not confirmed, nothing was changed"}

// Apply goes in rounds: diff, run, observe again, until nothing differs; then it verifies. The
// report is returned also beside an error. stop ends it after the changes in hand, ctx at once.
func (p *Pass) Apply(ctx, stop context.Context) (*report.Report, error) {
	return p.carryOut(ctx, stop, nil)
}

// carryOut is Apply with a further proof at its end, from the facts of the last look.
func (p *Pass) carryOut(ctx, stop context.Context, proof func(context.Context, plan.Facts) error) (result *report.Report, err error) {
	begun := time.Now()
	result = &report.Report{URL: p.System.Inventory.URL, User: p.System.Stack.UI.User}
	defer func() {
		s := p.Stats()
		result.Seconds = time.Since(begun).Seconds()
		result.ExitCode, result.Errors = report.ExitCode(err), report.Errors(err)
		result.Stats = report.Stats{Connections: int(s.Connections), Execs: int(s.Execs), BytesIn: int64(s.BytesIn), BytesOut: int64(s.BytesOut)}
		p.emit(report.Event{Type: "report", Report: result, Seconds: result.Seconds})
	}()
	// What changes nothing is cut at once; only the changes themselves are waited for.
	looking, done := either(ctx, stop)
	defer done()
	if p.Saved != nil {
		p.leaveSaved(p.Saved)
	}
	plan, facts, err := p.Plan(looking)
	if plan != nil {
		e := report.Event{Type: "plan", Plan: plan}
		if p.Saved != nil {
			e.Text = p.Saved.Allows()
		}
		p.emit(e)
	}
	if err != nil {
		return result, err
	}
	changed := map[resource.ID]bool{}
	if p.Saved != nil {
		if err := p.Saved.Stale(p.System.digest(), plan, facts); err != nil {
			return result, err
		}
	}
	if !plan.Empty() {
		if plan, facts, err = p.confirmAndLock(looking, plan, facts); err != nil {
			return result, err
		}
	}
	for result.Rounds = 1; !plan.Empty(); result.Rounds++ {
		if result.Rounds > maxRounds {
			return result, notConverged(plan)
		}
		p.emit(report.Event{Type: "round", Round: result.Rounds, Text: announce(len(plan.Changes), "change")})
		known := len(p.fleet().Gone())
		if err := p.lockAll(looking, p.affected(plan)); err != nil {
			return result, err
		}
		if len(p.fleet().Gone()) > known { // one has gone away: what remains is another plan
			if plan, facts, err = p.again(looking); err != nil {
				return result, err
			}
			continue
		}
		outcomes, err := p.run(ctx, stop, plan, result.Rounds)
		result.Outcomes = append(result.Outcomes, outcomes...)
		for _, c := range plan.Changes {
			changed[c.By] = true
		}
		if stop.Err() != nil {
			err = errors.Join(err, interrupted(outcomes))
		} else {
			err = p.dropLost(err)
		}
		if err != nil {
			return result, err
		}
		if plan, facts, err = p.again(looking); err != nil {
			return result, err
		}
	}
	result.Unchanged = len(p.System.Resources) - len(changed)
	result.Unreachable = plan.Unreachable
	err = p.check(looking, facts)
	if err == nil && proof != nil {
		err = proof(looking, facts)
	}
	return result, errors.Join(err, p.LeftOut(plan))
}

// again observes every host once more and says what still differs.
func (p *Pass) again(ctx context.Context) (*report.Plan, plan.Facts, error) {
	facts, err := p.facts(ctx)
	if err == nil {
		err = p.nobody()
	}
	if err != nil {
		return nil, nil, err
	}
	plan, err := p.settle(ctx, facts)
	if err == nil {
		err = plan.Refusals()
	}
	if err == nil && p.Saved != nil {
		err = p.Saved.Announced(plan)
	}
	return plan, facts, err
}

func announce(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// either returns a context that is cancelled as soon as a or b is.
func either(a, b context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(a)
	stop := context.AfterFunc(b, func() { cancel(context.Cause(b)) })
	return ctx, func() { stop(); cancel(nil) }
}

// confirmAndLock asks, takes the locks of all hosts that are affected, all or none and in the order
// of their names, and makes the plan again under them.
func (p *Pass) confirmAndLock(ctx context.Context, plan *report.Plan, facts plan.Facts) (*report.Plan, plan.Facts, error) {
	if err := p.confirm(ctx, plan, false); err != nil {
		return nil, nil, err
	}
	for {
		affected := p.affected(plan)
		if err := p.lockAll(ctx, affected); err != nil {
			return nil, nil, err
		}
		again := maps.Clone(facts)
		if err := p.observe(ctx, affected, again); err != nil {
			return nil, nil, err
		}
		locked, err := p.settle(ctx, again)
		if err == nil {
			err = locked.Refusals()
		}
		if err != nil {
			return nil, nil, err
		}
		if p.Saved != nil {
			return locked, again, p.Saved.Stale(p.System.digest(), locked, again)
		}
		if locked.Equal(plan) || locked.Empty() {
			return locked, again, nil
		}
		p.emit(report.Event{Type: "plan", Plan: locked, Text: "the hosts have changed since the plan was made; this is what remains"})
		if err := p.confirm(ctx, locked, true); err != nil {
			return nil, nil, err
		}
		plan, facts = locked, again
		if p.allHeld(p.affected(plan)) { // nobody else changes anything any more
			return plan, facts, nil
		}
	}
}

// lockAll takes the locks that are not held yet, in the order of the hosts' names. Close releases
// what was taken before one could not be had.
func (p *Pass) lockAll(ctx context.Context, hosts []string) error {
	for _, host := range hosts {
		// The account has no lock, and a droplet that does not exist is locked when it is opened.
		if host == "" || p.fleet().Absent(host) || p.fleet().IsGone(host) || p.fleet().Held(host) != nil {
			continue
		}
		l, err := p.fleet().Lock(ctx, host)
		if err != nil {
			if err = p.leave(ctx, host, err); err != nil {
				return err
			}
			continue
		}
		p.fleet().Keep(host, l)
	}
	return nil
}

// allHeld tells whether the locks of all these hosts are held that have one.
func (p *Pass) allHeld(hosts []string) bool {
	return !slices.ContainsFunc(hosts, func(h string) bool { return h != "" && !p.fleet().Absent(h) && p.fleet().Held(h) == nil })
}

func (p *Pass) confirm(ctx context.Context, plan *report.Plan, changed bool) error {
	if p.Saved != nil {
		return nil
	}
	if p.Confirm == nil {
		return nil
	}
	ok, err := p.Confirm(ctx, plan, changed)
	if err == nil && !ok {
		err = ErrDeclined
	}
	return err
}

// affected are the hosts that change, and those whose values the changes copy.
func (p *Pass) affected(plan *report.Plan) []string {
	hosts := map[string]bool{}
	for _, c := range plan.Changes {
		hosts[c.Host] = true
		for _, n := range p.System.ByID[c.By].Needs() {
			hosts[n.Host] = true
		}
	}
	for _, l := range plan.Later {
		hosts[l.Host] = true
	}
	return slices.Sorted(maps.Keys(hosts))
}

// interrupted says how far an interrupted run came.
func interrupted(outcomes []report.Outcome) error {
	done := 0
	for _, o := range outcomes {
		if o.State == report.Done {
			done++
		}
	}
	return &report.Error{Code: report.ExitInterrupted, Cause: fmt.Sprintf("interrupted after %d of %d changes", done, len(outcomes)), Hint: "run the same command again to continue"}
}

func notConverged(plan *report.Plan) error {
	var errs []error
	for _, c := range plan.Changes {
		errs = append(errs, &report.Error{
			Code: report.ExitStep, Host: c.Host, Step: c.Step, Cause: fmt.Sprintf("still differs after %d rounds: %s", maxRounds, c.Why),
			Hint: "something else on the host may be changing it",
		})
	}
	for _, l := range plan.Later {
		errs = append(errs, &report.Error{Code: report.ExitUnknown, Host: l.Host, Step: l.Step, Cause: fmt.Sprintf("still cannot be observed after %d rounds", maxRounds)})
	}
	return errors.Join(errs...)
}
