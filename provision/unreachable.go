package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"provision/provision/plan"
	"provision/provision/report"
	"provision/remote"
)

// leave lets the pass continue without a host that cannot be reached, where that was asked for, or where
// --limit leaves the host out. It returns the error where it may not, and nil for none.
func (p *Pass) leave(ctx context.Context, host string, err error) error {
	limited := len(p.Limit) > 0 && !p.limitHas(host)
	if err == nil || ctx.Err() != nil || p.Saved != nil || !(p.SkipUnreachable || limited) || !away(err) {
		return err
	}
	e := *report.Errors(err)[0]
	e.Code = report.ExitUnreachable
	p.fleet().MarkGone(host, &e)
	text := "it cannot be reached; going on without it"
	if limited {
		text += " (left out by --limit)"
	}
	p.emit(report.Event{Type: "note", Host: host, Text: text})
	return nil
}

// away tells whether an error says that the host cannot be reached, or that the connection has ended.
func away(err error) bool {
	var re *remote.Error
	return errors.As(err, &re) && slices.Contains([]remote.Kind{remote.Unreachable, remote.Busy, remote.Lost, remote.Timeout}, re.Kind)
}

// dropLost continues without the hosts that went away in the middle of a change, where that was asked
// for. What became of those changes is not known, and the error that says so is kept for the end.
func (p *Pass) dropLost(err error) error {
	if !p.SkipUnreachable || p.Saved != nil {
		return err
	}
	var other []error
	for _, e := range report.Errors(err) {
		if unsure(e, e.Host) && p.System.Host(e.Host) != nil {
			p.fleet().MarkGone(e.Host, e)
			continue
		}
		other = append(other, e)
	}
	return errors.Join(other...)
}

// nobody returns the errors of all hosts if none of them can be reached.
func (p *Pass) nobody() error {
	gone := p.fleet().Gone()
	var errs []error
	for _, host := range p.System.HostNames() {
		if gone[host] == nil {
			return nil
		}
		errs = append(errs, gone[host])
	}
	return errors.Join(errs...)
}

// LeftOut is what a plan that is carried out does not do: an error for each host that it went on
// without, of which something was asked for.
func (p *Pass) LeftOut(plan *report.Plan) error {
	gone := p.fleet().Gone()
	var errs []error
	for _, u := range plan.Unreachable {
		e := *gone[u.Host]
		hint := "when it answers again: provision apply"
		if n := len(u.Waits); n > 0 {
			hint += fmt.Sprintf("; %s elsewhere waits for it, the first is %s%s", announce(n, "change"), u.Waits[0].Step, on(u.Waits[0].Host))
		}
		e.Hint = strings.TrimPrefix(e.Hint+"\n"+hint, "\n")
		errs = append(errs, &e)
	}
	return errors.Join(errs...)
}

// leaveSaved makes the pass continue without the hosts that the plan was made without, whether they answer by
// now or not: exactly what was shown is carried out.
func (p *Pass) leaveSaved(s *plan.Saved) {
	for _, u := range s.Unreachable {
		p.fleet().MarkGone(u.Host, &report.Error{Code: report.ExitUnreachable, Host: u.Host, Cause: "left out, because it could not be reached when the plan was made: " + u.Cause})
	}
}
