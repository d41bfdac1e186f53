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

// intercept returns what runs in place of a program, nil for the program itself.
func (h *Host) intercept(p *proc) func(*proc) int {
	text := strings.Join(p.argv, " ")
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
	replaced := h.replaced[path.Base(p.argv[0])]
	h.mu.Unlock()
	if replaced != nil && p.container == nil {
		return func(p *proc) int {
			return replaced(Call{
				Host: h, Argv: p.argv, Env: p.env, Stdin: p.stdin(), Stdout: p.stdout(), Stderr: p.stderr(),
				Real: func(out io.Writer) int {
					c := p.fork()
					c.setFd(1, writerDesc(out))
					return p.wait(c, p.launch(c, func() int { return c.program(h.real) }))
				},
			})
		}
	}
	if hit == nil {
		return nil
	}
	return func(p *proc) int {
		code := 0
		if hit.Late {
			code = h.real(p)
		}
		if hit.Do != nil {
			h.held.Add(1)
			hit.Do()
			h.held.Add(-1)
		}
		if hit.Cut {
			h.Disconnect()
		}
		if hit.Hang {
			<-p.ctx.Done()
			panic(p.cause())
		}
		if hit.Code != 0 || hit.Stderr != "" {
			p.errorf("%s", hit.Stderr)
			return hit.Code
		}
		if hit.Late {
			return code
		}
		return h.real(p)
	}
}

// real runs the program that a failure stood in for.
func (h *Host) real(p *proc) int {
	name, errno := p.lookPath(p.argv[0])
	if errno != 0 {
		p.errorf("%s: not found\n", p.argv[0])
		return 127
	}
	if f := h.command(path.Base(name)); f != nil {
		return f(p)
	}
	return runScript(p, scriptName(name, p.argv[0]), p.argv)
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
		h.work.Go(w.deliver)
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
