package provision

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"strconv"
	"sync"
	"time"

	"provision/provision/cloud"
	"provision/provision/fleet"
	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
	"provision/remote"
)

// Pass carries a system from what is to what should be. Its exported fields are set before its
// first use; it is used once, by one goroutine, and closed.
type Pass struct {
	System *System
	Dialer *remote.Dialer
	// Events receives what happens, one event at a time.
	Events func(report.Event)
	// Confirm asks whether the plan is to be carried out; changed says that it differs from the one
	// that was confirmed before, because somebody was at work meanwhile. nil: yes.
	Confirm func(ctx context.Context, plan *report.Plan, changed bool) (bool, error)
	// Who is written into the lock's note.
	Who string
	// Saved is the plan to carry out, and nothing else; nil: whatever differs. It was confirmed when it
	// was kept, so Confirm is not asked.
	Saved *plan.Saved
	// Options are what the operator allowed by name.
	Options map[string]bool
	// Limit restricts changes (never observation) to these hosts; empty: all.
	Limit []string
	// SkipUnreachable says that hosts that cannot be reached are left out, with all that needs them.
	SkipUnreachable bool
	// Parallel is how many hosts are dialled and asked at once; 0: a number that most fleets are below.
	Parallel int
	// LockWait is how long to wait for a lock that somebody else holds.
	LockWait time.Duration
	// Pace says how patiently the cloud account is asked; the zero value is the usual pace.
	Pace cloud.Pace

	eventMu sync.Mutex
	begin   sync.Once
	hosts   *fleet.Fleet
	rotated rotation
	nonce   string
}

// fleet is the hosts, as one run sees them.
func (p *Pass) fleet() *fleet.Fleet {
	p.begin.Do(func() {
		b := make([]byte, 16)
		rand.Read(b)
		p.nonce = hex.EncodeToString(b)
		o := fleet.Options{
			Inventory: p.System.Inventory, Cloud: p.System.cloud, Dialer: p.Dialer, Parallel: p.Parallel, Who: p.Who, LockWait: p.LockWait,
			Pace: p.Pace, Tell: p.emit,
		}
		if p.System.Stack != nil {
			o.Grace = p.System.Stack.BusinessLogic.StopGrace
		}
		p.hosts = fleet.New(o)
	})
	return p.hosts
}

// Close releases the locks, removes what was staged and ends the connections, of all hosts at once.
func (p *Pass) Close() { p.fleet().Close() }

// Stats sums up what was sent over all connections.
func (p *Pass) Stats() remote.Stats { return p.fleet().Stats() }

// observe reads the facts of the given hosts: for each the one exec, or, where the apply shell is
// open, one script in it. The cloud account is read beside them.
func (p *Pass) observe(ctx context.Context, hosts []string, into plan.Facts) error {
	var mu sync.Mutex
	account, on := p.survey(ctx), p.System.ByHost()
	err := p.fleet().Each(hosts, func(host string) error {
		if h := p.System.Host(host); h == nil || h.Machine != nil && !account.wait() {
			return nil // not a machine (the cloud account), or a droplet of an account that could not be read
		}
		if p.fleet().IsGone(host) {
			return nil
		}
		if p.fleet().Absent(host) {
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(into, p.blank(on[host]))
			return nil
		}
		script := resource.NewScript(p.nonce)
		for _, r := range on[host] {
			r.Probe(script)
		}
		resource.ProbeLock(script, host)
		p.emit(report.Event{Type: "observe", Host: host, State: "start"})
		start, before := time.Now(), p.fleet().Wire(host)
		out, asked, err := p.fleet().Ask(ctx, host, script.String())
		if err != nil {
			return p.leave(ctx, host, err)
		}
		answered := time.Now()
		facts, complete := script.Parse(out)
		if !complete {
			return &report.Error{Code: report.ExitUnknown, Host: host, Step: "observe", Cause: "the host's answer was cut off", Hint: "run the same command again"}
		}
		for _, r := range on[host] {
			if asker, ok := r.(resource.Asker); ok {
				facts[r.ID()] = asker.Ask(ctx, p.fleet().DialFrom(host), facts[r.ID()])
			}
		}
		sys := facts[resource.SystemID(host)]
		if clock, err := strconv.ParseFloat(sys.Fields[resource.ClockField], 64); err == nil {
			// The host read its clock somewhere between the asking and the answer, so only what is
			// outside of the two is an offset.
			low, high := float64(asked.UnixMicro())/1e6, float64(answered.UnixMicro())/1e6
			sys.Fields[resource.OffsetField] = strconv.FormatFloat(min(clock-low, 0)+max(clock-high, 0), 'f', 3, 64)
		}
		if p.fleet().Held(host) != nil { // it is this run itself
			delete(facts, resource.LockID(host))
			mu.Lock()
			delete(into, resource.LockID(host))
			mu.Unlock()
		}
		mu.Lock()
		defer mu.Unlock()
		for id, f := range facts {
			into[id] = f
		}
		cost := p.fleet().Wire(host).Minus(before)
		p.emit(report.Event{Type: "observe", Host: host, State: "done", Seconds: answered.Sub(start).Seconds(), Wire: &cost})
		return nil
	})
	for host := range p.fleet().Gone() { // what was known of it before is no longer so
		maps.DeleteFunc(into, func(id resource.ID, _ resource.Fact) bool { return id.Host == host })
	}
	if account == nil {
		return err
	}
	account.wait()
	maps.Copy(into, account.facts)
	return errors.Join(account.err, err)
}

// facts observes every host once.
func (p *Pass) facts(ctx context.Context) (plan.Facts, error) {
	f := plan.Facts{}
	return f, p.observe(ctx, p.System.HostNames(), f)
}

// Plan observes every host and says what differs. A plan with refusals is returned beside the
// error that lists them.
func (p *Pass) Plan(ctx context.Context) (*report.Plan, plan.Facts, error) {
	facts, err := p.facts(ctx)
	if err == nil {
		err = p.nobody()
	}
	if err != nil {
		return nil, nil, err
	}
	for _, host := range p.System.HostNames() {
		if who := resource.AtWork(&plan.World{Facts: facts}, host); who != "" {
			p.emit(report.Event{Type: "note", Host: host, Text: who + "; what differs may be what that has still to do"})
		}
	}
	plan, err := p.settle(ctx, facts)
	if err != nil {
		return plan, facts, err
	}
	return plan, facts, plan.Refusals()
}

func (p *Pass) diff(facts plan.Facts) (*report.Plan, error) {
	if err := p.spare(); err != nil {
		return nil, err
	}
	gone := p.fleet().Gone()
	out, err := p.System.Diff(facts, p.asked(facts), gone)
	if p.System.hasCloud() {
		p.System.SpareMachines(out, gone, p.System.HostNames())
	}
	out.Warnings = p.System.warnings(facts, p.Options)
	out.Account = p.System.account(out, facts)
	if err != nil || len(p.Limit) == 0 {
		return out, err
	}
	return p.System.Limit(out, plan.Limit{Hosts: p.Limit, Gone: gone, GoOn: p.SkipUnreachable || p.Saved != nil})
}

func (p *Pass) emit(e report.Event) {
	if p.Events == nil {
		return
	}
	e.Version, e.Time = report.EventVersion, time.Now().UTC()
	p.eventMu.Lock()
	defer p.eventMu.Unlock()
	p.Events(e)
}

// Keep makes a plan one that can be kept and carried out later.
func (p *Pass) Keep(shown *report.Plan, facts plan.Facts) *plan.Saved {
	return plan.Save(shown, facts, p.System.digest(), p.Limit, p.Options)
}
