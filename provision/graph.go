package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"provision/provision/resource"
	"provision/remote"
)

// Outcome is what became of one change.
type Outcome struct {
	Host    string  `json:"host"`
	Step    string  `json:"step"`
	Act     string  `json:"act"`
	State   string  `json:"state"` // done, failed, skipped, unknown
	Why     string  `json:"why,omitempty"`
	Seconds float64 `json:"seconds"`
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
// the plan's order, hosts go on beside each other, and a change waits for what it needs on other
// hosts. A failed change stops what depends on it, and nothing else; one whose outcome is unknown, for
// the connection or the shell has ended under it, is the last one on its host.
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
		nodes[i] = &node{Outcome{Host: c.Host, Step: c.Step, Act: c.Act}, make(chan struct{})}
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
				for _, need := range p.System.needs[c.By] {
					m := byID[need]
					if m == nil || m == n {
						continue
					}
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
					p.emit(Event{Type: "change", Host: c.Host, Step: c.Step, Act: c.Act, State: Skipped, Text: n.outcome.Why, Round: round})
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
		Say:       func(host, line string) { p.emit(Event{Type: "note", Host: host, Text: line}) },
		Host: func(ctx context.Context, host string) (resource.Host, error) {
			if h := p.System.Host(host); h == nil || h.Droplet != nil {
				return p.open(ctx, host)
			}
			l := p.held(host)
			if l == nil {
				return nil, fmt.Errorf("%s is not locked by this run", host)
			}
			return l, nil
		},
		Tell: func(id resource.ID, line string) {
			p.emit(Event{Type: "progress", Host: id.Host, Step: id.String(), Text: line, Round: round})
		},
		Account: p.account,
		Shows:   p.shows,
	}
}

func (p *Pass) change(ctx context.Context, r *resource.Run, c Change, o *Outcome, round int) error {
	l := p.held(c.Host)
	if l != nil {
		l.mu.Lock()
		l.doing = c.Step
		l.mu.Unlock()
		l.say = func(line string) {
			p.emit(Event{Type: "progress", Host: c.Host, Step: c.Step, Text: line, Round: round})
		}
	}
	p.emit(Event{Type: "change", Host: c.Host, Step: c.Step, Act: c.Act, State: "start", Text: c.Why, Round: round})
	start := time.Now()
	fallback := ExitStep
	if c.Host == "" {
		fallback = ExitCloud
	}
	err := hostError(c.Host, c.Step, fallback, p.System.byID[c.By].Do(ctx, r, c.Planned))
	o.State, o.Seconds = Done, time.Since(start).Seconds()
	if err != nil {
		o.State, o.Why = Failed, err.Error()
		var e *Error
		if errors.As(err, &e) {
			o.Why = e.Cause
		}
		if unsure(err, c.Host) {
			o.State = Unsure
		}
	}
	p.emit(Event{Type: "change", Host: c.Host, Step: c.Step, Act: c.Act, State: o.State, Text: o.Why, Seconds: o.Seconds, Round: round})
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
	return errors.As(err, &re) && (re.Kind == remote.Lost || re.Kind == remote.Timeout) && (re.Host == host || strings.HasPrefix(re.Host, host+" (jump"))
}
