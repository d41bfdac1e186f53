package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// maxChannels stays below the 10 sessions of a connection at which a default sshd
// refuses more (MaxSessions).
const maxChannels = 8

// The keepalive: a silent connection is asked every keepaliveEvery, and given up
// when nothing was heard for keepaliveLimit.
const (
	keepaliveEvery = 15 * time.Second
	keepaliveLimit = 45 * time.Second
)

// Conn is one SSH connection. It never reconnects: once lost, every operation
// fails with kind Lost. It is safe for concurrent use; operations beyond 8 at
// once wait for a free channel.
type Conn struct {
	d    *Dialer
	hop  *hop
	way  []*link
	last *link

	slots chan struct{}
	spare chan struct{} // the one channel that stops what runs in another
	gone  chan struct{} // closed when the connection has ended
	once  sync.Once
	why   atomic.Pointer[error] // why we ended it ourselves

	sudo   sudoer
	judged atomic.Bool // whether the server runs commands for us is known

	sftpMu sync.Mutex
	sftp   *sftp.Client
	noSFTP bool

	handshake                           time.Duration
	execs, scripts, channels, sftpCalls atomic.Int64
}

func newConn(d *Dialer, t Target, h *hop, way []*link, took time.Duration) *Conn {
	c := &Conn{
		d: d, hop: h, way: way, last: way[len(way)-1],
		slots: make(chan struct{}, maxChannels), spare: make(chan struct{}, 1), gone: make(chan struct{}),
		sudo: sudoer{ask: t.SudoPassword}, handshake: took,
	}
	go func() {
		_ = c.last.client.Wait()
		// Without the target the way to it is of no use.
		for _, l := range slices.Backward(way) {
			l.close()
		}
		close(c.gone)
	}()
	go c.keepalive(h.keepalive())
	return c
}

// keepalive ends the connection when the other side is silent for too long: TCP
// alone would not notice for many minutes.
func (c *Conn) keepalive(every, limit time.Duration) {
	answered := make(chan struct{}, 1)
	waiting := false
	for {
		quiet := c.last.wire.quiet()
		next := every - quiet
		if quiet >= limit {
			err := fmt.Errorf("nothing heard for %v", limit)
			c.why.CompareAndSwap(nil, &err)
			// The first link is the one over TCP: closing it ends a write that hangs. One that others
			// use, too, is not ours to end.
			for _, l := range c.way {
				if l.release == nil {
					_ = l.wire.Close()
					break
				}
			}
			return
		}
		if quiet >= every {
			if !waiting {
				waiting = true
				go func() {
					_, _, _ = c.last.client.SendRequest("keepalive@openssh.com", true, nil)
					answered <- struct{}{}
				}()
			}
			next = min(every, limit-quiet)
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-answered:
			waiting = false
		case <-c.gone:
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// Stats is what a connection cost so far, jump hosts included.
type Stats struct {
	Connections, Execs, Channels, SFTPOps int
	Scripts                               int // run in shells that were open already
	BytesIn, BytesOut                     int64
	Handshake                             time.Duration
}

// Stats may be called at any time, also after Close.
func (c *Conn) Stats() Stats {
	s := Stats{
		Connections: len(c.way), Execs: int(c.execs.Load()), Channels: int(c.channels.Load()),
		SFTPOps: int(c.sftpCalls.Load()), Scripts: int(c.scripts.Load()), Handshake: c.handshake,
	}
	for _, l := range c.way {
		s.BytesIn += l.wire.in.Load()
		s.BytesOut += l.wire.out.Load()
	}
	return s
}

// User is the login name in use.
func (c *Conn) User() string { return c.hop.user }

// RemoteAddr is the address that answered.
func (c *Conn) RemoteAddr() string { return c.last.client.RemoteAddr().String() }

// Close ends the connection and waits for its goroutines. What still runs on the
// host is not stopped. Further calls do nothing.
func (c *Conn) Close() error {
	c.once.Do(func() {
		err := errClosed
		c.why.CompareAndSwap(nil, &err)
		_ = c.last.client.Close() // and with it every channel
	})
	<-c.gone
	return nil
}

var errClosed = errors.New("connection closed")

// lost is the error of an operation whose connection ended under it.
func (c *Conn) lost(op string, err error) *Error {
	if why := c.why.Load(); why != nil {
		err = *why
	} else if err == nil {
		err = errors.New("connection lost")
	} else {
		err = fmt.Errorf("connection lost: %w", err)
	}
	return &Error{Host: c.hop.label, Op: op, Kind: Lost, Err: err}
}

// unheard is lost for a connection on which no command was ever answered: nothing was run. Servers end
// it there when the login may not run commands, and when its session cannot be set up.
func (c *Conn) unheard(op string, err error) *Error {
	if c.why.Load() != nil || c.judged.Swap(true) {
		return c.lost(op, err)
	}
	e := &Error{
		Host: c.hop.label, Op: op, Kind: Privilege, Unheard: true,
		Err:  fmt.Errorf("the server let %s log in and ended the connection when it was to run a command; nothing was run", c.hop.user),
		Hint: "see the server's own words: journalctl -u ssh -n 20",
	}
	if c.hop.user == "root" {
		e.Hint = "PermitRootLogin forced-commands-only in sshd_config of the host does that: allow prohibit-password, or log in as a user with sudo\n" + e.Hint
	}
	return e
}

// settle gives a connection that is ending a moment to end, so that the next
// operation finds it gone instead of racing with its end.
func (c *Conn) settle() {
	select {
	case <-c.gone:
	case <-time.After(100 * time.Millisecond):
	}
}

// abandoned is the error of an operation whose caller gave up.
func (c *Conn) abandoned(ctx context.Context, op string) *Error {
	e := &Error{Host: c.hop.label, Op: op, Kind: Lost, Err: context.Cause(ctx)}
	if e.Err == nil {
		e.Err = errGivenUp
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Kind = Timeout
	}
	return e
}

func (c *Conn) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// busyPeriod is how long a refused channel is asked for again.
const busyPeriod = 20 * time.Second

// spareChannel in a context asks for the channel that is kept for stopping: the others may all be busy
// with what is to be stopped.
type spareChannel struct{}

// channel opens a session channel and returns what must be called once when it has ended.
func (c *Conn) channel(ctx context.Context, op string) (*ssh.Session, func(), error) {
	slots := c.slots
	if ctx.Value(spareChannel{}) != nil {
		slots = c.spare
	}
	select {
	case slots <- struct{}{}:
	case <-c.gone:
		return nil, nil, c.unheard(op, nil)
	case <-ctx.Done():
		return nil, nil, c.abandoned(ctx, op)
	}
	free := func() { <-slots }
	type opened struct {
		s   *ssh.Session
		err error
	}
	if c.isGone() {
		free()
		return nil, nil, c.unheard(op, nil)
	}
	giveUp := time.Now().Add(busyPeriod)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		got := make(chan opened, 1)
		go func() {
			s, err := c.last.client.NewSession()
			got <- opened{s, err}
		}()
		var o opened
		select {
		case o = <-got:
		case <-c.gone:
			// A channel that is opened while the connection ends may never be answered.
			return nil, nil, c.unheard(op, nil)
		case <-ctx.Done():
			go func() { // the answer may still come
				select {
				case o := <-got:
					if o.s != nil {
						_ = o.s.Close()
					}
				case <-c.gone:
				}
				free()
			}()
			return nil, nil, c.abandoned(ctx, op)
		}
		if o.err == nil {
			c.channels.Add(1)
			return o.s, free, nil
		}
		var refused *ssh.OpenChannelError
		if !errors.As(o.err, &refused) || c.isGone() {
			free()
			return nil, nil, c.unheard(op, o.err)
		}
		// A server that allows fewer sessions than we use frees them as ours end;
		// one that refuses the only one will not change its mind.
		if len(c.slots)+len(c.spare) == 1 && pause > 200*time.Millisecond || time.Now().After(giveUp) {
			free()
			return nil, nil, &Error{
				Host: c.hop.label, Op: op, Kind: Busy, Err: o.err,
				Hint: "the server allows no further session on this connection (MaxSessions in sshd_config)",
			}
		}
		select {
		case <-time.After(pause):
		case <-c.gone:
			free()
			return nil, nil, c.unheard(op, nil)
		case <-ctx.Done():
			free()
			return nil, nil, c.abandoned(ctx, op)
		}
	}
}
