package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"provision/provision/resource"
	"provision/remote"
)

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

// leave lets the pass continue without a host that cannot be reached, where that was asked for, or where
// --limit leaves the host out. It returns the error where it may not, and nil for none.
func (p *Pass) leave(ctx context.Context, host string, err error) error {
	limited := len(p.Limit) > 0 && !p.limitHas(host)
	if err == nil || ctx.Err() != nil || p.Saved != nil || !(p.SkipUnreachable || limited) || !away(err) {
		return err
	}
	e := *Errors(err)[0]
	e.Code = ExitUnreachable
	p.markGone(host, &e)
	text := "it cannot be reached; going on without it"
	if limited {
		text += " (left out by --limit)"
	}
	p.emit(Event{Type: "note", Host: host, Text: text})
	return nil
}

// away tells whether an error says that the host cannot be reached, or that the connection has ended.
func away(err error) bool {
	var re *remote.Error
	return errors.As(err, &re) && slices.Contains([]remote.Kind{remote.Unreachable, remote.Busy, remote.Lost, remote.Timeout}, re.Kind)
}

func (p *Pass) markGone(host string, e *Error) {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	p.gone[host] = e
}

// without are the hosts that the pass continues without, and why.
func (p *Pass) without() map[string]*Error {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	return maps.Clone(p.gone)
}

func (p *Pass) isGone(host string) bool {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	return p.gone[host] != nil
}

// dropLost continues without the hosts that went away in the middle of a change, where that was asked
// for. What became of those changes is not known, and the error that says so is kept for the end.
func (p *Pass) dropLost(err error) error {
	if !p.SkipUnreachable || p.Saved != nil {
		return err
	}
	var other []error
	for _, e := range Errors(err) {
		if unsure(e, e.Host) && p.System.Host(e.Host) != nil {
			p.markGone(e.Host, e)
			continue
		}
		other = append(other, e)
	}
	return errors.Join(other...)
}

// nobody returns the errors of all hosts if none of them can be reached.
func (p *Pass) nobody() error {
	gone := p.without()
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
func (p *Pass) LeftOut(plan *Plan) error {
	gone := p.without()
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

// waiting fills in which hosts a plan does without, and takes the changes out of it that need them.
type waiting struct {
	gone  map[string]*Error
	left  map[resource.ID]bool // the resources of these hosts
	waits map[string][]Waiting
	first *firsts // of left
}

func newWaiting(needs *needs, gone map[string]*Error) *waiting {
	left := map[resource.ID]bool{}
	return &waiting{gone, left, map[string][]Waiting{}, newFirsts(needs, left)}
}

// takes tells whether the resource is one of an unreachable host, of which nothing is known.
func (g *waiting) takes(id resource.ID) bool {
	if id.Host == "" || g.gone[id.Host] == nil {
		return false
	}
	g.left[id] = true
	return true
}

// holds tells whether a change has to wait for an unreachable host.
func (g *waiting) holds(id resource.ID, why string) bool {
	first, ok := g.first.of(id)
	if ok {
		g.waits[first.Host] = append(g.waits[first.Host], Waiting{id.Host, id.String(), why})
	}
	return ok
}

func (g *waiting) hosts() (out []Unreachable) {
	for _, host := range slices.Sorted(maps.Keys(g.gone)) {
		cause := strings.TrimPrefix(g.gone[host].Error(), host+": ")
		out = append(out, Unreachable{host, cause, g.waits[host]})
	}
	return out
}

// spareMachines takes the changes of the account out of a plan that are there for unreachable hosts alone.
func (p *Pass) spareMachines(plan *Plan, gone map[string]*Error) {
	if len(gone) == 0 || !p.System.hasCloud() {
		return
	}
	hosts := slices.Sorted(maps.Keys(gone))
	rest := slices.DeleteFunc(slices.Clone(p.System.HostNames()), func(h string) bool { return gone[h] != nil })
	plan.Changes = slices.DeleteFunc(plan.Changes, func(c Change) bool {
		if c.Planned.Act == resource.Refuse || !p.serves(c, hosts) || p.serves(c, rest) {
			return false
		}
		for i, u := range plan.Unreachable {
			if p.serves(c, []string{u.Host}) {
				plan.Unreachable[i].Waits = append(u.Waits, Waiting{c.Host, c.Step, c.Why})
				break
			}
		}
		return true
	})
}
