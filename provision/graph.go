package provision

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"provision/provision/report"
	"provision/provision/resource"
	"provision/remote"
)

// run carries out the changes of a plan as a graph: the changes of one host follow each other in
// the plan's order, hosts work at the same time, and a change waits for what it needs on other
// hosts. A failed change stops what depends on it, and nothing else. After a change whose outcome is unknown (the
// connection or the shell ended while it ran), nothing else is started on that host.
//
// Canceling stop lets the change in hand end and starts no other; canceling ctx abandons it.
func (p *Pass) run(ctx, stop context.Context, plan *report.Plan, round int) ([]report.Outcome, error) {
	type node struct {
		outcome report.Outcome
		done    chan struct{}
	}
	nodes := make([]*node, len(plan.Changes))
	byID := map[resource.ID]*node{}
	byHost := map[string][]int{}
	for i, c := range plan.Changes {
		nodes[i] = &node{report.Outcome{Host: c.Host, Stage: c.Stage, Step: c.Step, Act: c.Act}, make(chan struct{})}
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
	p.fleet().Logins(logins)
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
				for _, need := range p.System.Nearest(c.By, func(id resource.ID) bool { return byID[id] != nil }) {
					m := byID[need]
					<-m.done
					if m.outcome.State != report.Done && n.outcome.State == "" {
						n.outcome.State, n.outcome.Why = report.Skipped, "it needs "+m.outcome.Step+on(m.outcome.Host)
					}
				}
				if stop.Err() != nil && n.outcome.State == "" {
					n.outcome.State, n.outcome.Why = report.Skipped, "interrupted"
				}
				if lost && n.outcome.State == "" {
					n.outcome.State, n.outcome.Why = report.Skipped, "nothing more can be done on this host in this run"
				}
				if n.outcome.State == "" {
					if err := p.change(ctx, r, c, &n.outcome, round); err != nil {
						lost = unsure(err, c.Host)
						mu.Lock()
						errs = append(errs, err)
						mu.Unlock()
					}
				} else {
					p.emit(report.Event{Type: "change", Host: c.Host, Stage: c.Stage, Step: c.Step, Act: c.Act, State: report.Skipped, Text: n.outcome.Why, Round: round})
				}
				close(n.done)
			}
		})
	}
	wg.Wait()
	outcomes := make([]report.Outcome, len(nodes))
	for i, n := range nodes {
		outcomes[i] = n.outcome
	}
	return outcomes, errors.Join(errs...)
}

// runner is what changes may use.
func (p *Pass) runner(round int) *resource.Run {
	return &resource.Run{
		Resources: p.System.ByID,
		OnNote:    func(host, line string) { p.emit(report.Event{Type: "note", Host: host, Text: line}) },
		Host: func(ctx context.Context, host string) (resource.Host, error) {
			if h := p.System.Host(host); h == nil || h.Machine != nil {
				return p.fleet().Open(ctx, host)
			}
			l := p.fleet().Held(host)
			if l == nil {
				return nil, fmt.Errorf("%s is not locked by this run", host)
			}
			return l, nil
		},
		OnProgress: func(id resource.ID, line string) {
			p.emit(report.Event{Type: "progress", Host: id.Host, Step: id.String(), Text: line, Round: round})
		},
		Account:       p.fleet().Asked(),
		Redial:        p.fleet().Redial,
		VerifyHostKey: p.fleet().VerifyHostKey,
	}
}

func (p *Pass) change(ctx context.Context, r *resource.Run, c report.Change, o *report.Outcome, round int) error {
	about := report.Event{Host: c.Host, Stage: c.Stage, Step: c.Step, Act: c.Act, Round: round}
	tell := func(kind, state string, fill func(*report.Event)) {
		e := about
		e.Type, e.State = kind, state
		fill(&e)
		p.emit(e)
	}
	last := "" // what the host said last, for a change that is abandoned
	l := p.fleet().Held(c.Host)
	if l != nil {
		l.Doing(c.Step)
		m := &report.Meter{Building: c.Planned.ID.Kind == "image"}
		l.Follow(func(line string) {
			last = line
			tell("progress", "", func(e *report.Event) { e.Text, e.Progress = m.Line(line) })
		}, func(name string, done, total int64) {
			if up := m.Upload(done, total); up != nil {
				tell("progress", "", func(e *report.Event) { e.Text, e.Progress = "uploading "+name, up })
			}
		})
	}
	tell("change", "start", func(e *report.Event) { e.Text = c.Why })
	start, before := time.Now(), p.fleet().Wire(c.Host)
	err := p.System.ByID[c.By].Do(ctx, r, c.Planned)
	if c.Host == "" {
		err = p.fleet().CloudError(c.Step, err)
	} else {
		err = report.HostError(c.Host, c.Step, report.ExitStep, err)
	}
	if l != nil {
		l.Follow(nil, nil)
	}
	o.State, o.Seconds, o.Wire = report.Done, time.Since(start).Seconds(), p.fleet().Wire(c.Host).Minus(before)
	if err != nil {
		if ctx.Err() != nil && unsure(err, c.Host) {
			err = abandoned(c, last, err)
		}
		o.State, o.Why = report.Failed, err.Error()
		var e *report.Error
		if errors.As(err, &e) {
			o.Why = e.Cause
		}
		if unsure(err, c.Host) {
			o.State = report.Unsure
		}
	}
	tell("change", o.State, func(e *report.Event) { e.Text, e.Seconds, e.Wire = o.Why, o.Seconds, &o.Wire })
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
func abandoned(c report.Change, last string, err error) error {
	return &report.Error{
		Code: report.ExitInterrupted, Host: c.Host, Step: c.Step, Cause: "abandoned as you asked; it may still be running there", Evidence: last,
		Hint: "run the same command again: it waits until what still runs has ended, finds out what became of it, and continues", Err: err,
	}
}
