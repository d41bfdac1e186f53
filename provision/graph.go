package provision

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"provision/provision/resource"
	"provision/remote"
)

// Outcome is what became of one change.
type Outcome struct {
	Host    string  `json:"host"`
	Stage   string  `json:"stage"`
	Step    string  `json:"step"`
	Act     string  `json:"act"`
	State   string  `json:"state"` // done, failed, skipped, unknown
	Why     string  `json:"why,omitempty"`
	Seconds float64 `json:"seconds"`
	Wire    Wire    `json:"wire"`
}

// States of an outcome.
const (
	Done    = "done"
	Failed  = "failed"
	Skipped = "skipped"
	// Unsure means that the connection ended while the change ran.
	Unsure = "unknown"
)

// run carries out the changes of a plan as a graph: the changes of one host follow each other in
// the plan's order, hosts work at the same time, and a change waits for what it needs on other
// hosts. A failed change stops what depends on it, and nothing else. After a change whose outcome is unknown (the
// connection or the shell ended while it ran), nothing else is started on that host.
//
// Canceling stop lets the change in hand end and starts no other; canceling ctx abandons it.
func (p *Pass) run(ctx, stop context.Context, plan *Plan, round int) ([]Outcome, error) {
	type node struct {
		outcome Outcome
		done    chan struct{}
	}
	nodes := make([]*node, len(plan.Changes))
	byID := map[resource.ID]*node{}
	byHost := map[string][]int{}
	for i, c := range plan.Changes {
		nodes[i] = &node{Outcome{Host: c.Host, Stage: c.Stage, Step: c.Step, Act: c.Act}, make(chan struct{})}
		byID[c.By] = nodes[i]
		line := c.Host
		if line == "" { // in the account only needs say what comes after what
			line = c.By.String()
		}
		byHost[line] = append(byHost[line], i)
	}
	logins := map[string]<-chan struct{}{}
	for i, c := range plan.Changes {
		if host, ok := resource.FirstLogin(c.By); ok {
			logins[host] = nodes[i].done
		}
	}
	p.logins = newLogins(logins)
	r := p.runner(round)
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for _, changes := range byHost {
		wg.Go(func() {
			lost := false
			for _, i := range changes {
				c, n := plan.Changes[i], nodes[i]
				// What it needs has waited in turn, and was skipped where something behind it was not done.
				for _, need := range p.System.needs.nearest(c.By, func(id resource.ID) bool { return byID[id] != nil }) {
					m := byID[need]
					<-m.done
					if m.outcome.State != Done && n.outcome.State == "" {
						n.outcome.State, n.outcome.Why = Skipped, "it needs "+m.outcome.Step+on(m.outcome.Host)
					}
				}
				if stop.Err() != nil && n.outcome.State == "" {
					n.outcome.State, n.outcome.Why = Skipped, "interrupted"
				}
				if lost && n.outcome.State == "" {
					n.outcome.State, n.outcome.Why = Skipped, "nothing more can be done on this host in this run"
				}
				if n.outcome.State == "" {
					if err := p.change(ctx, r, c, &n.outcome, round); err != nil {
						lost = unsure(err, c.Host)
						mu.Lock()
						errs = append(errs, err)
						mu.Unlock()
					}
				} else {
					p.emit(Event{Type: "change", Host: c.Host, Stage: c.Stage, Step: c.Step, Act: c.Act, State: Skipped, Text: n.outcome.Why, Round: round})
				}
				close(n.done)
			}
		})
	}
	wg.Wait()
	outcomes := make([]Outcome, len(nodes))
	for i, n := range nodes {
		outcomes[i] = n.outcome
	}
	return outcomes, errors.Join(errs...)
}

// runner is what changes may use.
func (p *Pass) runner(round int) *resource.Run {
	return &resource.Run{
		Resources: p.System.byID,
		OnNote:    func(host, line string) { p.emit(Event{Type: "note", Host: host, Text: line}) },
		Host: func(ctx context.Context, host string) (resource.Host, error) {
			if h := p.System.Host(host); h == nil || h.Machine != nil {
				return p.open(ctx, host)
			}
			l := p.held(host)
			if l == nil {
				return nil, fmt.Errorf("%s is not locked by this run", host)
			}
			return l, nil
		},
		OnProgress: func(id resource.ID, line string) {
			p.emit(Event{Type: "progress", Host: id.Host, Step: id.String(), Text: line, Round: round})
		},
		Account:       p.account,
		Redial:        p.redial,
		VerifyHostKey: p.verifyHostKey,
	}
}

func (p *Pass) change(ctx context.Context, r *resource.Run, c Change, o *Outcome, round int) error {
	about := Event{Host: c.Host, Stage: c.Stage, Step: c.Step, Act: c.Act, Round: round}
	tell := func(kind, state string, fill func(*Event)) {
		e := about
		e.Type, e.State = kind, state
		fill(&e)
		p.emit(e)
	}
	last := "" // what the host said last, for a change that is abandoned
	l := p.held(c.Host)
	if l != nil {
		l.mu.Lock()
		l.doing = c.Step
		l.mu.Unlock()
		m := &meter{building: c.Planned.ID.Kind == "image"}
		l.follow(func(line string) {
			last = line
			tell("progress", "", func(e *Event) { e.Text, e.Progress = m.line(line) })
		}, func(name string, done, total int64) {
			if up := m.upload(done, total); up != nil {
				tell("progress", "", func(e *Event) { e.Text, e.Progress = "uploading "+name, up })
			}
		})
	}
	tell("change", "start", func(e *Event) { e.Text = c.Why })
	start, before := time.Now(), p.wire(c.Host)
	err := p.System.byID[c.By].Do(ctx, r, c.Planned)
	if c.Host == "" {
		err = p.cloudError(c.Step, err)
	} else {
		err = hostError(c.Host, c.Step, ExitStep, err)
	}
	if l != nil {
		l.follow(nil, nil)
	}
	o.State, o.Seconds, o.Wire = Done, time.Since(start).Seconds(), p.wire(c.Host).minus(before)
	if err != nil {
		if ctx.Err() != nil && unsure(err, c.Host) {
			err = abandoned(c, last, err)
		}
		o.State, o.Why = Failed, err.Error()
		var e *Error
		if errors.As(err, &e) {
			o.Why = e.Cause
		}
		if unsure(err, c.Host) {
			o.State = Unsure
		}
	}
	tell("change", o.State, func(e *Event) { e.Text, e.Seconds, e.Wire = o.Why, o.Seconds, &o.Wire })
	return err
}

// on names the host of a step; what is in the cloud account is on none.
func on(host string) string {
	if host == "" {
		return ""
	}
	return " on " + host
}

// unsure tells whether the host may be doing what it was last told: the connection has ended, or
// was given up, while something ran on it.
func unsure(err error, host string) bool {
	var re *remote.Error
	return errors.As(err, &re) && (re.Kind == remote.Lost || re.Kind == remote.Timeout) && re.Of(host)
}

// abandoned says what is left behind where the operator would not wait for the change in hand.
func abandoned(c Change, last string, err error) error {
	return &Error{
		Code: ExitInterrupted, Host: c.Host, Step: c.Step, Cause: "abandoned as you asked; it may still be running there", Evidence: last,
		Hint: "run the same command again: it waits until what still runs has ended, finds out what became of it, and continues", Err: err,
	}
}
