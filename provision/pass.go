package provision

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/resource"
	"provision/remote"
)

// Pass carries a system from what is to what should be. Its exported fields are set before its
// first use; it is used once, by one goroutine, and closed.
type Pass struct {
	System *System
	Dialer *remote.Dialer
	// Events receives what happens, one event at a time.
	Events func(Event)
	// Confirm asks whether the plan is to be carried out; changed says that it differs from the one
	// that was confirmed before, because somebody was at work meanwhile. nil: yes.
	Confirm func(ctx context.Context, plan *Plan, changed bool) (bool, error)
	// Who is written into the lock's note.
	Who string
	// Saved is the plan to carry out, and nothing else; nil: whatever differs. It was confirmed when it
	// was kept, so Confirm is not asked.
	Saved *SavedPlan
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
	nonce   string
	conns   map[string]*remote.Conn
	connMu  sync.Mutex
	locks   map[string]*lock
	account cloud.Account
	places  map[string]cloud.Place // of the droplets that exist, by host
	gone    map[string]*Error      // the hosts that the pass continues without
	opening singleflight.Group
	logins  []login // of this round, sorted by host name: the order in which they take their locks
}

// defaultParallel is high because connections mostly wait: a host costs the controller next to nothing, and a file descriptor.
const defaultParallel = 256

// observeTimeout bounds the one read-only script of a host; its own parts have shorter limits.
const observeTimeout = 3 * time.Minute

func (p *Pass) start() {
	if p.nonce != "" {
		return
	}
	b := make([]byte, 16)
	rand.Read(b)
	p.nonce = hex.EncodeToString(b)
	p.conns, p.locks, p.gone = map[string]*remote.Conn{}, map[string]*lock{}, map[string]*Error{}
	if p.Parallel <= 0 {
		p.Parallel = defaultParallel
	}
}

// Close releases the locks, removes what was staged and ends the connections, of all hosts at once.
func (p *Pass) Close() {
	var wg sync.WaitGroup
	for host, c := range p.conns {
		wg.Go(func() {
			if l := p.locks[host]; l != nil {
				l.release()
			}
			c.Close()
		})
	}
	wg.Wait()
	p.locks, p.conns = nil, nil
	if p.account != nil {
		p.account.Close()
	}
}

// Stats sums up what was sent over all connections.
func (p *Pass) Stats() (s remote.Stats) {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	for _, c := range p.conns {
		one := c.Stats()
		s.Connections += one.Connections
		s.Execs += one.Execs
		s.Channels += one.Channels
		s.SFTPOps += one.SFTPOps
		s.BytesIn += one.BytesIn
		s.BytesOut += one.BytesOut
	}
	return s
}

func (p *Pass) conn(ctx context.Context, host string) (*remote.Conn, error) {
	p.connMu.Lock()
	c := p.conns[host]
	p.connMu.Unlock()
	if c != nil {
		return c, nil
	}
	t, err := p.target(ctx, host)
	if err != nil {
		return nil, err
	}
	p.emit(Event{Type: "connect", Host: host, State: "start", Text: t.Address})
	start := time.Now()
	c, err = p.Dialer.Dial(ctx, t)
	if err != nil {
		p.emit(Event{Type: "connect", Host: host, State: "failed", Seconds: time.Since(start).Seconds()})
		return nil, hostError(host, "connect", ExitUnreachable, err)
	}
	p.emit(Event{Type: "connect", Host: host, State: "done", Seconds: time.Since(start).Seconds()})
	p.connMu.Lock()
	p.conns[host] = c
	p.connMu.Unlock()
	return c, nil
}

// each runs f for every host at once and joins all errors; no host waits for another's failure.
func (p *Pass) each(hosts []string, f func(host string) error) error {
	var g errgroup.Group
	g.SetLimit(p.Parallel)
	errs := make([]error, len(hosts))
	for i, h := range hosts {
		g.Go(func() error {
			errs[i] = f(h)
			return nil
		})
	}
	g.Wait()
	return errors.Join(errs...)
}

// observe reads the facts of the given hosts: for each the one exec, or, where the apply shell is
// open, one script in it. The cloud account is read beside them.
func (p *Pass) observe(ctx context.Context, hosts []string, into Facts) error {
	p.start()
	var mu sync.Mutex
	account, on := p.survey(ctx), p.System.byHost()
	err := p.each(hosts, func(host string) error {
		if h := p.System.Host(host); h == nil || h.Machine != nil && !account.wait() {
			return nil // not a machine (the cloud account), or a droplet of an account that could not be read
		}
		if p.isGone(host) {
			return nil
		}
		if p.absent(host) {
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
		p.emit(Event{Type: "observe", Host: host, State: "start"})
		start, before := time.Now(), p.wire(host)
		out, asked, err := p.ask(ctx, host, script.String())
		if err != nil {
			return p.leave(ctx, host, err)
		}
		answered := time.Now()
		facts, complete := script.Parse(out)
		if !complete {
			return &Error{Code: ExitUnknown, Host: host, Step: "observe", Cause: "the host's answer was cut off", Hint: "run the same command again"}
		}
		sys := facts[resource.SystemID(host)]
		if clock, err := strconv.ParseFloat(sys.Fields[resource.ClockField], 64); err == nil {
			// The host read its clock somewhere between the asking and the answer, so only what is
			// outside of the two is an offset.
			low, high := float64(asked.UnixMicro())/1e6, float64(answered.UnixMicro())/1e6
			sys.Fields[resource.OffsetField] = strconv.FormatFloat(min(clock-low, 0)+max(clock-high, 0), 'f', 3, 64)
		}
		if p.held(host) != nil { // it is this run itself
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
		cost := p.wire(host).minus(before)
		p.emit(Event{Type: "observe", Host: host, State: "done", Seconds: answered.Sub(start).Seconds(), Wire: &cost})
		return nil
	})
	for host := range p.without() { // what was known of it before is no longer so
		maps.DeleteFunc(into, func(id resource.ID, _ resource.Fact) bool { return id.Host == host })
	}
	if account == nil {
		return err
	}
	account.wait()
	maps.Copy(into, account.facts)
	return errors.Join(account.err, err)
}

func (p *Pass) ask(ctx context.Context, host, script string) (out []byte, asked time.Time, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, observeTimeout, fmt.Errorf("no answer within %s", observeTimeout))
	defer cancel()
	if l := p.held(host); l != nil {
		asked = time.Now()
		out, err = l.shell.Run(ctx, script, nil)
		return out, asked, hostError(host, "observe", ExitUnknown, err)
	}
	for again := false; ; again = true {
		c, err := p.conn(ctx, host)
		if err != nil {
			return nil, asked, err
		}
		asked = time.Now()
		res, err := c.Run(ctx, remote.Command{Script: script, Root: true})
		var re *remote.Error
		if again || !errors.As(err, &re) || !re.Unheard {
			return res.Stdout, asked, hostError(host, "observe", ExitUnknown, err)
		}
		// A cut looks like a server that lets nobody run commands. Nothing was run, so it is tried once more.
		p.hangUp(host)
	}
}

// hangUp gives up a host's connection and lock, which have ended.
func (p *Pass) hangUp(host string) {
	p.connMu.Lock()
	c, l := p.conns[host], p.locks[host]
	delete(p.conns, host)
	delete(p.locks, host)
	p.connMu.Unlock()
	if c != nil {
		c.Close()
	}
	if l != nil {
		l.release()
	}
}

// facts observes every host once.
func (p *Pass) facts(ctx context.Context) (Facts, error) {
	f := Facts{}
	return f, p.observe(ctx, p.System.HostNames(), f)
}

// Plan observes every host and says what differs. A plan with refusals is returned beside the
// error that lists them.
func (p *Pass) Plan(ctx context.Context) (*Plan, Facts, error) {
	facts, err := p.facts(ctx)
	if err == nil {
		err = p.nobody()
	}
	if err != nil {
		return nil, nil, err
	}
	for _, host := range p.System.HostNames() {
		if who := resource.AtWork(&world{facts: facts}, host); who != "" {
			p.emit(Event{Type: "note", Host: host, Text: who + "; what differs may be what that has still to do"})
		}
	}
	plan, err := p.settle(ctx, facts)
	if err != nil {
		return plan, facts, err
	}
	return plan, facts, refusals(plan)
}

func (p *Pass) diff(facts Facts) (*Plan, error) {
	gone := p.without()
	plan, err := diff(p.System.Resources, p.System.needs, facts, p.Options, gone)
	p.spareMachines(plan, gone)
	plan.Warnings = p.System.warnings(facts, p.Options)
	plan.Account = p.System.account(plan, facts)
	if err != nil || len(p.Limit) == 0 {
		return plan, err
	}
	return p.limited(plan)
}

// warnings are those of the stack, and what resources have to say beside their changes.
func (s *System) warnings(facts Facts, options map[string]bool) []string {
	out, w := slices.Clone(s.Warnings), &world{facts: facts, options: options}
	for _, r := range s.Resources {
		if r, ok := r.(resource.Warner); ok {
			out = append(out, r.Warn(w)...)
		}
	}
	return out
}

func (s *System) target(h *inventory.Host) remote.Target {
	t := remote.Target{
		Name: h.Name, Address: h.Address, Port: h.Port, User: h.User, IdentityFile: h.IdentityFile, KnownHosts: h.KnownHosts,
		HostKey: h.HostKey, HostKeyChecking: h.HostKeyChecking, Jump: h.Jump, ConnectTimeout: h.ConnectTimeout,
	}
	if ref := s.Inventory.Sudo.Password; ref.Set() {
		t.SudoPassword = func(ctx context.Context) (string, error) { return ref.Resolve(ctx, s.Inventory.Dir) }
	}
	return t
}
