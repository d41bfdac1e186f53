package remotetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"syscall"

	gossh "golang.org/x/crypto/ssh"
)

// ttyModes are the settings of a terminal that are simulated, by their numbers in SSH (RFC 4254, 8).
func ttyModes() map[byte]string {
	return map[byte]string{36: "icrnl", 50: "isig", 51: "icanon", 53: "echo", 70: "opost", 72: "onlcr"}
}

// tty is a terminal: the line discipline between a channel and the processes of its session. There is no
// job control: all of the session is in the foreground.
type tty struct {
	host   *Host
	out    io.Writer
	signal func(syscall.Signal)

	mu            sync.Mutex
	wake          *sync.Cond
	name          string // TERM
	columns, rows uint32
	mode          map[string]bool
	line          []byte // typed, and not yet a line
	in            []byte // may be read
	ends          int    // Ctrl-D at the begin of a line: a read of nothing, each
}

// sane is what stty sane sets.
func (t *tty) sane() {
	for _, m := range ttyModes() {
		t.mode[m] = true
	}
}

// newTTY is what a pty-req asks for, nil if that cannot be read.
func newTTY(out io.Writer, payload []byte) *tty {
	var asked struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}
	if gossh.Unmarshal(payload, &asked) != nil {
		return nil
	}
	t := &tty{out: out, name: asked.Term, columns: asked.Columns, rows: asked.Rows, mode: map[string]bool{}}
	t.wake = sync.NewCond(&t.mu)
	t.sane()
	for m := asked.Modes; len(m) >= 5 && m[0] != 0; m = m[5:] {
		if name, ok := ttyModes()[m[0]]; ok {
			t.mode[name] = binary.BigEndian.Uint32([]byte(m[1:5])) != 0
		}
	}
	return t
}

func (t *tty) desc() *desc { return newDesc(&desc{read: t.read, write: t.write, tty: t}) }

func (t *tty) write(_ context.Context, b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(b), t.show(b)
}

func (t *tty) show(b []byte) error {
	if t.mode["opost"] && t.mode["onlcr"] {
		b = bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
	}
	_, err := t.out.Write(b)
	return err
}

const ttyRoom = 4096

// typed takes a byte that comes from the channel.
func (t *tty) typed(b byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b == '\r' && t.mode["icrnl"] {
		b = '\n'
	}
	control := map[byte]syscall.Signal{3: syscall.SIGINT, 0x1c: syscall.SIGQUIT}
	if sig, ok := control[b]; ok && t.mode["isig"] && t.signal != nil {
		t.echo(b)
		t.line, t.in = nil, nil
		signal := t.signal
		t.host.work.Go(func() { signal(sig) }) // who is signalled may be using the terminal
		return
	}
	if !t.mode["icanon"] {
		t.echo(b)
		for len(t.in) >= ttyRoom && t.signal != nil {
			t.wake.Wait()
		}
		t.in = append(t.in, b)
		t.wake.Broadcast()
		return
	}
	switch {
	case b == 4 && len(t.line) == 0:
		t.ends++
	case b == 0x7f:
		if len(t.line) > 0 {
			t.line = t.line[:len(t.line)-1]
			_ = t.show([]byte("\b \b"))
		}
		return
	case b == 4 || b == '\n':
		if b == '\n' {
			t.echo(b)
			t.line = append(t.line, b)
		}
		t.in, t.line = append(t.in, t.line...), nil
	case len(t.line) < ttyRoom-1: // what is beyond is lost
		t.echo(b)
		t.line = append(t.line, b)
		return
	}
	t.wake.Broadcast()
}

func (t *tty) echo(b byte) {
	switch {
	case !t.mode["echo"]:
	case b < ' ' && b != '\n' && b != '\t':
		_ = t.show([]byte{'^', b + '@'})
	default:
		_ = t.show([]byte{b})
	}
}

func (t *tty) read(ctx context.Context, b []byte) (int, error) {
	stop := context.AfterFunc(ctx, func() { t.mu.Lock(); t.wake.Broadcast(); t.mu.Unlock() })
	defer stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.in) == 0 {
		switch {
		case ctx.Err() != nil:
			return 0, syscall.EINTR
		case t.ends > 0:
			t.ends--
			return 0, io.EOF
		case t.signal == nil:
			return 0, io.EOF
		}
		t.wake.Wait()
	}
	n := len(t.in)
	if i := bytes.IndexByte(t.in, '\n'); i >= 0 && t.mode["icanon"] {
		n = i + 1
	}
	n = copy(b, t.in[:n])
	t.in = t.in[n:]
	t.wake.Broadcast()
	return n, nil
}

// attach gives a terminal to the first process of a session, and returns what takes what is typed.
func (h *Host) attach(t *tty, p *proc, outputs *sync.WaitGroup) io.Writer {
	p.env["TERM"], p.terminal = t.name, true
	t.mu.Lock()
	defer t.mu.Unlock()
	t.host, t.signal = h, func(sig syscall.Signal) {
		h.mu.Lock()
		var all []*proc
		for _, q := range h.procs {
			if q.session == p.session {
				all = append(all, q)
			}
		}
		h.mu.Unlock()
		for _, q := range all {
			q.signal(sig)
		}
	}
	d := t.desc()
	outputs.Add(1)
	d.onClose(outputs.Done)
	p.fds = map[int]*desc{0: d, 1: d.dup(), 2: d.dup()}
	return typist{t}
}

// typist writes to a terminal what comes from the channel.
type typist struct{ t *tty }

func (w typist) Write(b []byte) (int, error) {
	for _, c := range b {
		w.t.typed(c)
	}
	return len(b), nil
}

// hangUp is the end of the channel.
func (t *tty) hangUp() {
	t.mu.Lock()
	signal := t.signal
	t.signal = nil
	t.wake.Broadcast()
	t.mu.Unlock()
	if signal != nil {
		signal(syscall.SIGHUP)
	}
}

// sttyMain is stty size | [-]SETTING...
func sttyMain(p *proc) int {
	d := p.fds[0]
	if d == nil || d.tty == nil {
		p.fatalf(1, "'standard input': Inappropriate ioctl for device")
	}
	t := d.tty
	if len(p.argv) == 2 && p.argv[1] == "size" {
		t.mu.Lock()
		rows, columns := t.rows, t.columns
		t.mu.Unlock()
		p.printf("%d %d\n", rows, columns)
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range p.argv[1:] {
		name, off := strings.CutPrefix(a, "-")
		_, known := t.mode[name]
		switch {
		case a == "sane":
			t.sane()
		case a == "raw":
			for _, m := range []string{"icrnl", "isig", "icanon", "opost"} {
				t.mode[m] = false
			}
		case known:
			t.mode[name] = !off
		case name == "iutf8":
		default:
			p.unsupported("stty " + a)
		}
	}
	return 0
}

// ttyChannel is a channel that may have a terminal. The SSH library knows of terminals, but not of their modes.
type ttyChannel struct {
	gossh.Channel
	tty *tty
}

// Stderr shows to who has the session of the channel whether there is a terminal.
func (c *ttyChannel) Stderr() io.ReadWriter { return ttyStderr{c.Channel.Stderr(), c} }

type ttyStderr struct {
	io.ReadWriter
	channel *ttyChannel
}

type newTTYChannel struct{ gossh.NewChannel }

// Accept takes the requests that are about terminals.
func (n newTTYChannel) Accept() (gossh.Channel, <-chan *gossh.Request, error) {
	ch, reqs, err := n.NewChannel.Accept()
	if err != nil {
		return ch, reqs, err
	}
	c := &ttyChannel{Channel: ch}
	others := make(chan *gossh.Request)
	go func() {
		defer func() {
			if close(others); c.tty != nil {
				c.tty.hangUp()
			}
		}()
		for r := range reqs {
			switch r.Type {
			case "pty-req":
				if c.tty == nil {
					c.tty = newTTY(ch, r.Payload)
				}
				_ = r.Reply(c.tty != nil, nil)
			case "window-change":
				if t := c.tty; t != nil && len(r.Payload) >= 8 {
					t.mu.Lock()
					t.columns, t.rows = binary.BigEndian.Uint32(r.Payload), binary.BigEndian.Uint32(r.Payload[4:])
					t.mu.Unlock()
				}
			default:
				others <- r
			}
		}
	}()
	return c, others, nil
}
