package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/report"
	"provision/remote"
)

// Options are what a fleet is made of. They are not changed afterwards.
type Options struct {
	Inventory *inventory.Inventory
	// Cloud is what the inventory declares machines in; nil for none.
	Cloud  cloud.Provider
	Dialer *remote.Dialer
	// Parallel is how many hosts are dialled and asked at once; 0: a number that most fleets are below.
	Parallel int
	// Who is written into the lock's note.
	Who string
	// LockWait is how long to wait for a lock that somebody else holds.
	LockWait time.Duration
	// Grace is how long running flows have to end, in a change that stops them.
	Grace time.Duration
	// Pace says how patiently the cloud account is asked.
	Pace cloud.Pace
	// Tell receives what happens.
	Tell func(report.Event)
}

// Fleet is safe for concurrent use, until it is closed.
type Fleet struct {
	o       Options
	opening singleflight.Group
	logins  []login // of this round, sorted by host name: the order in which they take their locks. Set by Logins, before a change begins

	mu      sync.Mutex // guards what follows
	conns   map[string]*remote.Conn
	locks   map[string]*Lock
	gone    map[string]*report.Error // the hosts that the run continues without
	account cloud.Account
	places  map[string]cloud.Place // of the machines that exist, by host
}

// defaultParallel is high because connections mostly wait: a host costs the controller next to nothing, and a file descriptor.
const defaultParallel = 256

// observeTimeout bounds the one read-only script of a host; its own parts have shorter limits.
const observeTimeout = 3 * time.Minute

// New makes a fleet; no host is dialled yet.
func New(o Options) *Fleet {
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	return &Fleet{o: o, conns: map[string]*remote.Conn{}, locks: map[string]*Lock{}, gone: map[string]*report.Error{}}
}

// Close releases the locks, removes what was staged and ends the connections, of all hosts at once.
func (f *Fleet) Close() {
	var wg sync.WaitGroup
	for host, c := range f.conns {
		wg.Go(func() {
			if l := f.locks[host]; l != nil {
				l.release()
			}
			c.Close()
		})
	}
	wg.Wait()
	f.locks, f.conns = map[string]*Lock{}, map[string]*remote.Conn{}
	if f.account != nil {
		f.account.Close()
	}
}

// Stats sums up what was sent over all connections.
func (f *Fleet) Stats() (s remote.Stats) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
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

// Conn is the connection to a host, dialled where there is none yet.
func (f *Fleet) Conn(ctx context.Context, host string) (*remote.Conn, error) {
	f.mu.Lock()
	c := f.conns[host]
	f.mu.Unlock()
	if c != nil {
		return c, nil
	}
	t, err := f.Target(ctx, host)
	if err != nil {
		return nil, err
	}
	f.o.Tell(report.Event{Type: "connect", Host: host, State: "start", Text: t.Address})
	start := time.Now()
	c, err = f.o.Dialer.Dial(ctx, t)
	if err != nil {
		f.o.Tell(report.Event{Type: "connect", Host: host, State: "failed", Seconds: time.Since(start).Seconds()})
		return nil, report.HostError(host, "connect", report.ExitUnreachable, err)
	}
	f.o.Tell(report.Event{Type: "connect", Host: host, State: "done", Seconds: time.Since(start).Seconds()})
	f.mu.Lock()
	f.conns[host] = c
	f.mu.Unlock()
	return c, nil
}

// Each runs do for every host at once and joins all errors; no host waits for another's failure.
func (f *Fleet) Each(hosts []string, do func(host string) error) error {
	var g errgroup.Group
	g.SetLimit(f.o.Parallel)
	errs := make([]error, len(hosts))
	for i, h := range hosts {
		g.Go(func() error {
			errs[i] = do(h)
			return nil
		})
	}
	g.Wait()
	return errors.Join(errs...)
}

// Ask runs a script that only reads as root, in the apply shell where one is open. It says when it asked.
func (f *Fleet) Ask(ctx context.Context, host, script string) (out []byte, asked time.Time, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, observeTimeout, fmt.Errorf("no answer within %s", observeTimeout))
	defer cancel()
	if l := f.Held(host); l != nil {
		asked = time.Now()
		out, err = l.shell.Run(ctx, script, nil)
		return out, asked, report.HostError(host, "observe", report.ExitUnknown, err)
	}
	for again := false; ; again = true {
		c, err := f.Conn(ctx, host)
		if err != nil {
			return nil, asked, err
		}
		asked = time.Now()
		res, err := c.Run(ctx, remote.Command{Script: script, Root: true})
		var re *remote.Error
		if again || !errors.As(err, &re) || !re.Unheard {
			return res.Stdout, asked, report.HostError(host, "observe", report.ExitUnknown, err)
		}
		// A cut looks like a server that lets nobody run commands. Nothing was run, so it is tried once more.
		f.hangUp(host)
	}
}

// hangUp gives up a host's connection and lock, which have ended.
func (f *Fleet) hangUp(host string) {
	f.mu.Lock()
	c, l := f.conns[host], f.locks[host]
	delete(f.conns, host)
	delete(f.locks, host)
	f.mu.Unlock()
	if c != nil {
		c.Close()
	}
	if l != nil {
		l.release()
	}
}

// Run runs one script as root on a host's connection, outside any lock.
func (f *Fleet) Run(ctx context.Context, host, step, script string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	c, err := f.Conn(ctx, host)
	if err != nil {
		return "", err
	}
	res, err := c.Run(ctx, remote.Command{Script: script, Root: true})
	return string(res.Stdout), report.HostError(host, step, report.ExitStep, err)
}

// DialFrom connects from a host to another place, over the host's connection.
func (f *Fleet) DialFrom(host string) func(ctx context.Context, address string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		c, err := f.Conn(ctx, host)
		if err != nil {
			return nil, err
		}
		return c.DialTCP(ctx, address)
	}
}

// Wire is what the connection to a host has carried so far.
func (f *Fleet) Wire(host string) report.Wire {
	f.mu.Lock()
	c := f.conns[host]
	f.mu.Unlock()
	if c == nil {
		return report.Wire{}
	}
	return report.WireOf(c.Stats())
}
