package unix

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"syscall"
)

// ttyModes are the settings of a terminal that are simulated.
func ttyModes() []string { return []string{"icrnl", "isig", "icanon", "echo", "opost", "onlcr"} }

// TTY is a terminal: the line discipline between a channel and the processes of its session. There is no
// job control: all of the session is in the foreground.
type TTY struct {
	sys    *System
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
func (t *TTY) sane() {
	for _, m := range ttyModes() {
		t.mode[m] = true
	}
}

// NewTTY is a terminal that shows on out, with the settings of a fresh one.
func NewTTY(out io.Writer, name string, columns, rows uint32) *TTY {
	t := &TTY{out: out, name: name, columns: columns, rows: rows, mode: map[string]bool{}}
	t.wake = sync.NewCond(&t.mu)
	t.sane()
	return t
}

// SetMode turns a setting on or off, before anybody uses the terminal.
func (t *TTY) SetMode(name string, on bool) { t.mode[name] = on }

// Resize changes the size that stty tells.
func (t *TTY) Resize(columns, rows uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.columns, t.rows = columns, rows
}

func (t *TTY) desc() *Desc { return newDesc(&Desc{read: t.read, write: t.write, tty: t}) }

func (t *TTY) write(_ context.Context, b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(b), t.show(b)
}

func (t *TTY) show(b []byte) error {
	if t.mode["opost"] && t.mode["onlcr"] {
		b = bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
	}
	_, err := t.out.Write(b)
	return err
}

const ttyRoom = 4096

// typed takes a byte that comes from the channel.
func (t *TTY) typed(b byte) {
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
		t.sys.Work.Go(func() { signal(sig) }) // who is signalled may be using the terminal
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

func (t *TTY) echo(b byte) {
	switch {
	case !t.mode["echo"]:
	case b < ' ' && b != '\n' && b != '\t':
		_ = t.show([]byte{'^', b + '@'})
	default:
		_ = t.show([]byte{b})
	}
}

func (t *TTY) read(ctx context.Context, b []byte) (int, error) {
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

// Attach gives a terminal to the first process of a session, and returns what takes what is typed.
func (s *System) Attach(t *TTY, p *Proc, outputs *sync.WaitGroup) io.Writer {
	p.Env["TERM"], p.Terminal = t.name, true
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sys, t.signal = s, func(sig syscall.Signal) {
		s.mu.Lock()
		var all []*Proc
		for _, q := range s.procs {
			if q.Session == p.Session {
				all = append(all, q)
			}
		}
		s.mu.Unlock()
		for _, q := range all {
			q.Signal(sig)
		}
	}
	d := t.desc()
	outputs.Add(1)
	d.OnClose(outputs.Done)
	p.FDs = map[int]*Desc{0: d, 1: d.Dup(), 2: d.Dup()}
	return typist{t}
}

// typist writes to a terminal what comes from the channel.
type typist struct{ t *TTY }

func (w typist) Write(b []byte) (int, error) {
	for _, c := range b {
		w.t.typed(c)
	}
	return len(b), nil
}

// HangUp is the end of the channel.
func (t *TTY) HangUp() {
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
func sttyMain(p *Proc) int {
	d := p.FDs[0]
	if d == nil || d.tty == nil {
		p.Fatalf(1, "'standard input': Inappropriate ioctl for device")
	}
	t := d.tty
	if len(p.Argv) == 2 && p.Argv[1] == "size" {
		t.mu.Lock()
		rows, columns := t.rows, t.columns
		t.mu.Unlock()
		p.Printf("%d %d\n", rows, columns)
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range p.Argv[1:] {
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
			p.Unsupported("stty " + a)
		}
	}
	return 0
}
