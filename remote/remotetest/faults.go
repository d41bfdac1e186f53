package remotetest

import (
	"io"
	"net"
	"path"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"provision/remote/remotetest/unix"
)

// Failure makes a command fail. The zero value of Nth means the first match.
type Failure struct {
	Match string // regular expression on the command's words, joined by blanks
	Nth   int    // which match, counted from 1; -1: every one

	Code   int
	Stderr string
	Hang   bool   // until killed
	Cut    bool   // close all connections; the command goes on
	Do     func() // called first; the command then runs unless one of the above says otherwise
	Late   bool   // let the command run first, then do the above

	re   *regexp.Regexp
	seen int
}

// Fail adds a failure. It panics if Match is no regular expression.
func (h *Host) Fail(f Failure) {
	f.re = regexp.MustCompile(f.Match)
	f.Nth = max(f.Nth, -1)
	if f.Nth == 0 {
		f.Nth = 1
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures = append(h.failures, &f)
}

// Replace puts a function in the place of a program of the host, wherever it is called by that name,
// as a host that wishes one ill would.
func (h *Host) Replace(program string, f func(Call) int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.replaced[program] = f
}

// CutAfter cuts the connections after so many more bytes in both directions together.
func (h *Host) CutAfter(bytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cutAfter = bytes
}

// HoldLock takes the lock of a file for a process that is not one of ours, until release is
// called. The process shows in /proc with that name.
func (h *Host) HoldLock(file, process string) (release func(), err error) {
	return h.sys.HoldLock(file, process)
}

// start is told of every program that is started, and may return what runs in its place.
func (h *Host) start(u *unix.Proc) func(*unix.Proc) int {
	p := h.proc(u)
	if p.engine != nil {
		return nil
	}
	h.ran(p)
	return h.intercept(p)
}

// intercept returns what runs in place of a program, nil for the program itself.
func (h *Host) intercept(p *proc) func(*unix.Proc) int {
	text := strings.Join(p.Argv, " ")
	h.mu.Lock()
	var hit *Failure
	for _, f := range h.failures {
		if !f.re.MatchString(text) {
			continue
		}
		if f.seen++; hit == nil && (f.Nth == -1 || f.seen == f.Nth) {
			hit = f
		}
	}
	replaced := h.replaced[path.Base(p.Argv[0])]
	h.mu.Unlock()
	if replaced != nil && p.container == nil {
		return func(p *unix.Proc) int {
			return replaced(Call{
				Host: h, Argv: p.Argv, Env: p.Env, Stdin: p.Stdin(), Stdout: p.Stdout(), Stderr: p.Stderr(),
				Real: func(out io.Writer) int {
					c := p.Fork()
					c.SetFD(1, unix.WriterDesc(out))
					return p.Wait(c, p.Launch(c, func() int { return c.Program((*unix.Proc).Real) }))
				},
			})
		}
	}
	if hit == nil {
		return nil
	}
	return func(p *unix.Proc) int {
		code := 0
		if hit.Late {
			code = p.Real()
		}
		if hit.Do != nil {
			h.sys.Held.Add(1)
			hit.Do()
			h.sys.Held.Add(-1)
		}
		if hit.Cut {
			h.Disconnect()
		}
		if hit.Hang {
			p.Hang()
		}
		if hit.Code != 0 || hit.Stderr != "" {
			p.Errorf("%s", hit.Stderr)
			return hit.Code
		}
		if hit.Late {
			return code
		}
		return p.Real()
	}
}

// conn counts, delays and cuts what goes over a connection.
type conn struct {
	net.Conn
	h     *Host
	queue chan parcel
	once  sync.Once
	done  chan struct{}
}

type parcel struct {
	due  time.Time
	data []byte
}

func (h *Host) wrap(c net.Conn) *conn {
	w := &conn{Conn: c, h: h, done: make(chan struct{})}
	h.mu.Lock()
	h.conns[w] = true
	h.counts.Connections++
	h.mu.Unlock()
	if h.options.Latency > 0 {
		w.queue = make(chan parcel, 4096)
		h.sys.Work.Go(w.deliver)
	}
	return w
}

// deliver sends what was written one round trip ago: the whole latency is on the host's answers.
func (c *conn) deliver() {
	for {
		select {
		case p := <-c.queue:
			t := time.NewTimer(time.Until(p.due))
			select {
			case <-t.C:
			case <-c.done:
				t.Stop()
				return
			}
			if _, err := c.Conn.Write(p.data); err != nil {
				return
			}
		case <-c.done:
			return
		}
	}
}

// pass counts bytes and tells how many of them still go through.
func (c *conn) pass(n int, in bool) (int, bool) {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	cut := false
	if c.h.cutAfter > 0 {
		if int64(n) >= c.h.cutAfter {
			n, cut = int(c.h.cutAfter), true
			c.h.cutAfter = 0
		} else {
			c.h.cutAfter -= int64(n)
		}
	}
	if in {
		c.h.counts.BytesIn += int64(n)
	} else {
		c.h.counts.BytesOut += int64(n)
	}
	return n, cut
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	n, cut := c.pass(n, true)
	if cut {
		c.Close()
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	n, cut := c.pass(len(b), false)
	if c.queue != nil && !cut {
		select {
		case c.queue <- parcel{time.Now().Add(c.h.options.Latency), append([]byte{}, b...)}:
			return n, nil
		case <-c.done:
			return 0, syscall.EPIPE
		}
	}
	w, err := c.Conn.Write(b[:n])
	if cut {
		c.Close()
		return w, syscall.EPIPE
	}
	return w, err
}

func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.done)
		c.h.mu.Lock()
		defer c.h.mu.Unlock()
		delete(c.h.conns, c)
	})
	return c.Conn.Close()
}
