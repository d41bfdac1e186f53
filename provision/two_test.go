package provision_test

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// TestTwoAtOnce has one apply at work and another that comes.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	first, working, goOn := s.attempt(), make(chan struct{}), make(chan struct{})
	first.Who = "ann on laptop (process 7)"
	s.server.Fail(remotetest.Failure{Match: "^docker build", Do: func() {
		close(working)
		<-goOn
	}})
	letGo := sync.OnceFunc(func() { close(goOn) })
	defer letGo()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if _, err := first.apply(); err != nil {
			t.Errorf("the first: %s", explain(err))
		}
	}()
	select {
	case <-working:
	case <-ended:
		t.Fatal("the first came to no build")
	}
	refused := s.attempt()
	refused.LockWait = 0
	_, err := refused.apply()
	errs := report.Errors(err)
	if len(errs) != 1 || errs[0].Code != report.ExitLocked || errs[0].Host != "prefect" || !strings.Contains(errs[0].Hint, "--lock-wait") {
		t.Errorf("the second: %s", explain(err))
	} else if !strings.HasPrefix(errs[0].Cause, "ann on laptop (process 7) works on this host, since 2") || !strings.Contains(errs[0].Cause, "Z, doing image prefect-prefect:") {
		t.Errorf("who, since when and what: %q", errs[0].Cause)
	}
	waits := s.attempt()
	waits.on = func(e report.Event) {
		if e.Type == "lock" && e.State == "start" {
			letGo()
		}
	}
	if _, err := waits.apply(); err != nil {
		t.Errorf("the one that waits: %s", explain(err))
	}
	letGo()
	<-ended
	exclusive(t, s.server)
	s.unchanged()
}

// lane carries bytes between a controller and a host until it is frozen: then both ends stay open
// and hear nothing of each other any more.
type lane struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu     sync.Mutex
	frozen chan struct{}
	conns  []net.Conn
}

func newLane(t *testing.T, target string) *lane {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &lane{listener: l, target: target, frozen: make(chan struct{})}
	n.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.carry(c)
		}
	})
	t.Cleanup(n.close)
	return n
}

func (n *lane) carry(c net.Conn) {
	h, err := net.Dial("tcp", n.target)
	if err != nil {
		c.Close()
		return
	}
	n.mu.Lock()
	frozen := n.frozen
	n.conns = append(n.conns, c, h)
	n.mu.Unlock()
	pump := func(to, from net.Conn) {
		b := make([]byte, 32<<10)
		for {
			k, err := from.Read(b)
			select {
			case <-frozen:
				return
			default:
			}
			if k > 0 {
				if _, err := to.Write(b[:k]); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		to.Close()
	}
	n.wg.Go(func() { pump(h, c) })
	n.wg.Go(func() { pump(c, h) })
}

// freeze stops what is connected now; later connections pass.
func (n *lane) freeze() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.frozen)
	n.frozen = make(chan struct{})
}

func (n *lane) close() {
	n.listener.Close()
	n.mu.Lock()
	for _, c := range n.conns {
		c.Close()
	}
	n.mu.Unlock()
	n.wg.Wait()
}

// hasShell tells whether the shell under flock still runs in a session.
func hasShell(h *remotetest.Host, session int) bool {
	flock := -1
	for _, p := range h.Processes() {
		if p.Session == session && len(p.Argv) > 0 && p.Argv[0] == "flock" {
			flock = p.PID
		}
	}
	for _, p := range h.Processes() {
		if flock > 0 && p.PPID == flock {
			return true
		}
	}
	return false
}

// TestVanishedController loses the first controller's network in the middle of a program: the
// connection stays open, and its note is touched no more. By the host's own clock it is taken for
// gone; its session is ended, and what it still runs is waited for.
func TestVanishedController(t *testing.T) {
	t.Parallel()
	var way *lane
	s := arrange(t, layout{address: func(h *remotetest.Host) int {
		way = newLane(t, h.Addr())
		return way.listener.Addr().(*net.TCPAddr).Port
	}})
	first, busy, goOn := s.attempt(), make(chan struct{}), make(chan struct{})
	first.Who = "ann on laptop (process 7)"
	s.server.Fail(remotetest.Failure{Match: "^docker build", Do: func() {
		close(busy)
		<-goOn
	}})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if _, err := first.apply(); err == nil {
			t.Error("an apply that lost its network says success")
		}
	})
	<-busy
	way.freeze()

	early := s.attempt()
	early.LockWait = 0
	early.on = func(e report.Event) { // it waits until it is known whether somebody is still there
		if e.Type == "lock" && e.State == "start" {
			early.cancel()
		}
	}
	if _, err := early.apply(); !isCode(err, report.ExitInterrupted) {
		t.Errorf("before its time: %s", explain(err))
	}
	if kills := s.server.Ran("kill"); len(kills) > 0 {
		t.Errorf("somebody was killed before his time: %q", kills)
	}
	// The session that is to be ended, and the shell that holds the lock in it.
	sessions, _ := working(s.server)
	if !hasShell(s.server, sessions[len(sessions)-1]) {
		t.Error("the session of the first is not there")
	}
	s.server.AdvanceClock(2 * time.Minute)
	next := s.attempt()
	next.LockWait = 0
	var said []string
	ended, locked := false, false
	next.on = func(e report.Event) {
		switch {
		case e.Type == "note":
			said = append(said, e.Text)
		case e.Type == "lock" && e.State == "start":
			// A killed process is gone soon after the signal was sent, not at once.
			for i := 0; i < 1000 && !ended; i++ {
				if ended = !hasShell(s.server, sessions[len(sessions)-1]); !ended {
					time.Sleep(10 * time.Millisecond)
				}
			}
			select {
			case <-goOn:
			default:
				close(goOn)
			}
		case e.Type == "lock" && e.State == "done":
			locked = true
			if left := leftRunning(s.server); len(left) > 0 {
				t.Errorf("locked while this still runs: %q", left)
			}
		}
	}
	if _, err := next.apply(); err != nil {
		t.Errorf("the next: %s", explain(err))
	}
	if !ended || !locked {
		t.Errorf("ended %t, locked %t", ended, locked)
	}
	if !slices.ContainsFunc(said, func(s string) bool {
		return strings.Contains(s, "ann on laptop (process 7) works on this host") && strings.Contains(s, "gave no sign of life for 2m")
	}) {
		t.Errorf("%q", said)
	}
	first.cancel()
	wg.Wait()
	exclusive(t, s.server)
	s.unchanged()
}
