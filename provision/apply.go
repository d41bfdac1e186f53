package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"provision/provision/resource"
)

// Report is what became of an apply.
type Report struct {
	Outcomes  []Outcome `json:"outcomes"`
	Unchanged int       `json:"unchanged"`
	Rounds    int       `json:"rounds"`
	Seconds   float64   `json:"seconds"`
	URL       string    `json:"url,omitempty"`
	User      string    `json:"user,omitempty"`
	Stats     Stats     `json:"stats"`
	ExitCode  int       `json:"exit_code"`
	Errors    []*Error  `json:"errors,omitempty"`
	// Unreachable are the hosts that it went on without.
	Unreachable []Unreachable `json:"unreachable,omitempty"`
}

// Stats counts what went over the wire.
type Stats struct {
	Connections int   `json:"connections"`
	Execs       int   `json:"execs"`
	BytesIn     int64 `json:"bytes_in"`
	BytesOut    int64 `json:"bytes_out"`
}

// maxRounds bounds the rounds of one apply. Two suffice where every fact can be known beforehand.
const maxRounds = 5

// ErrDeclined says that the operator did not confirm the plan.
var ErrDeclined = &Error{Code: ExitFailed, Cause: "not confirmed, nothing was changed"}

// Apply goes in rounds: diff, run, observe again, until nothing differs; then it verifies. The
// report is returned also beside an error. stop ends it after the changes in hand, ctx at once.
func (p *Pass) Apply(ctx, stop context.Context) (report *Report, err error) {
	begun := time.Now()
	report = &Report{URL: p.System.Inventory.URL, User: p.System.Stack.UI.User}
	defer func() {
		s := p.Stats()
		report.Seconds = time.Since(begun).Seconds()
		report.ExitCode, report.Errors = ExitCode(err), Errors(err)
		report.Stats = Stats{int(s.Connections), int(s.Execs), int64(s.BytesIn), int64(s.BytesOut)}
		p.emit(Event{Type: "report", Report: report, Seconds: report.Seconds})
	}()
	// What changes nothing is cut at once; only the changes themselves are waited for.
	looking, done := either(ctx, stop)
	defer done()
	p.start()
	if p.Saved != nil {
		p.Saved.leave(p)
	}
	plan, facts, err := p.Plan(looking)
	if plan != nil {
		e := Event{Type: "plan", Plan: plan}
		if p.Saved != nil {
			e.Text = p.Saved.allows()
		}
		p.emit(e)
	}
	if err != nil {
		return report, err
	}
	changed := map[resource.ID]bool{}
	if p.Saved != nil {
		if err := p.Saved.stale(p.System, plan, facts); err != nil {
			return report, err
		}
	}
	if !plan.Empty() {
		if plan, facts, err = p.confirmAndLock(looking, plan, facts); err != nil {
			return report, err
		}
	}
	for report.Rounds = 1; !plan.Empty(); report.Rounds++ {
		if report.Rounds > maxRounds {
			return report, notConverged(plan)
		}
		p.emit(Event{Type: "round", Round: report.Rounds, Text: announce(len(plan.Changes), "change")})
		known := len(p.without())
		if err := p.lockAll(looking, p.affected(plan)); err != nil {
			return report, err
		}
		if len(p.without()) > known { // one has gone away: what remains is another plan
			if plan, facts, err = p.again(looking); err != nil {
				return report, err
			}
			continue
		}
		outcomes, err := p.run(ctx, stop, plan, report.Rounds)
		report.Outcomes = append(report.Outcomes, outcomes...)
		for _, c := range plan.Changes {
			changed[c.By] = true
		}
		if stop.Err() != nil {
			err = errors.Join(err, interrupted(outcomes))
		} else {
			err = p.dropLost(err)
		}
		if err != nil {
			return report, err
		}
		if plan, facts, err = p.again(looking); err != nil {
			return report, err
		}
	}
	report.Unchanged = len(p.System.Resources) - len(changed)
	report.Unreachable = plan.Unreachable
	return report, errors.Join(p.check(facts), p.LeftOut(plan))
}

// again observes every host once more and says what still differs.
func (p *Pass) again(ctx context.Context) (*Plan, Facts, error) {
	facts, err := p.facts(ctx)
	if err == nil {
		err = p.nobody()
	}
	if err != nil {
		return nil, nil, err
	}
	plan, err := p.settle(ctx, facts)
	if err == nil {
		err = refusals(plan)
	}
	if err == nil && p.Saved != nil {
		err = p.Saved.announced(plan)
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
func (p *Pass) confirmAndLock(ctx context.Context, plan *Plan, facts Facts) (*Plan, Facts, error) {
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
			err = refusals(locked)
		}
		if err != nil {
			return nil, nil, err
		}
		if p.Saved != nil {
			return locked, again, p.Saved.stale(p.System, locked, again)
		}
		if locked.Equal(plan) || locked.Empty() {
			return locked, again, nil
		}
		p.emit(Event{Type: "plan", Plan: locked, Text: "the hosts have changed since the plan was made; this is what remains"})
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
		if host == "" || p.absent(host) || p.isGone(host) || p.held(host) != nil {
			continue
		}
		l, err := p.lock(ctx, host)
		if err != nil {
			if err = p.leave(ctx, host, err); err != nil {
				return err
			}
			continue
		}
		p.keep(host, l)
	}
	return nil
}

// allHeld tells whether the locks of all these hosts are held that have one.
func (p *Pass) allHeld(hosts []string) bool {
	return !slices.ContainsFunc(hosts, func(h string) bool { return h != "" && !p.absent(h) && p.held(h) == nil })
}

func (p *Pass) confirm(ctx context.Context, plan *Plan, changed bool) error {
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
func (p *Pass) affected(plan *Plan) []string {
	hosts := map[string]bool{}
	for _, c := range plan.Changes {
		hosts[c.Host] = true
		for _, n := range p.System.byID[c.By].Needs() {
			hosts[n.Host] = true
		}
	}
	for _, l := range plan.Later {
		hosts[l.Host] = true
	}
	return slices.Sorted(maps.Keys(hosts))
}

// interrupted says how far an interrupted run came.
func interrupted(outcomes []Outcome) error {
	done := 0
	for _, o := range outcomes {
		if o.State == Done {
			done++
		}
	}
	return &Error{Code: ExitInterrupted, Cause: fmt.Sprintf("interrupted after %d of %d changes", done, len(outcomes)), Hint: "run the same command again to continue"}
}

func notConverged(plan *Plan) error {
	var errs []error
	for _, c := range plan.Changes {
		errs = append(errs, &Error{
			Code: ExitStep, Host: c.Host, Step: c.Step, Cause: fmt.Sprintf("still differs after %d rounds: %s", maxRounds, c.Why),
			Hint: "something else on the host may be changing it",
		})
	}
	for _, l := range plan.Later {
		errs = append(errs, &Error{Code: ExitUnknown, Host: l.Host, Step: l.Step, Cause: fmt.Sprintf("still cannot be observed after %d rounds", maxRounds)})
	}
	return errors.Join(errs...)
}
