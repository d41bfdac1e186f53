package unix

import (
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// Desc is an open file description: what file descriptors of one or more processes refer to. It is
// closed when the last of them is, which is when a pipe ends and a lock is freed.
type Desc struct {
	read  func(context.Context, []byte) (int, error)
	write func(context.Context, []byte) (int, error)
	file  *Handle // nil for pipes, terminals and connections
	tty   *TTY    // nil for all but terminals
	refs  atomic.Int32
	mu    sync.Mutex
	atEnd []func()
}

func newDesc(d *Desc) *Desc { d.refs.Store(1); return d }

// Dup is the same description for one more descriptor.
func (d *Desc) Dup() *Desc { d.refs.Add(1); return d }

// Writer writes to what the description refers to, and waits without an end for who reads it.
func (d *Desc) Writer() io.Writer { return descWriter{d} }

type descWriter struct{ d *Desc }

func (w descWriter) Write(b []byte) (int, error) { return w.d.write(context.Background(), b) }

// OnClose adds what is done when the last descriptor is closed.
func (d *Desc) OnClose(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.atEnd = append(d.atEnd, f)
}

// Close is the end of one descriptor.
func (d *Desc) Close() {
	if d.refs.Add(-1) != 0 {
		return
	}
	d.mu.Lock()
	end := d.atEnd
	d.atEnd = nil
	d.mu.Unlock()
	for _, f := range end {
		f()
	}
}

// FileDesc describes an open file.
func FileDesc(h *Handle) *Desc {
	var mu sync.Mutex // the offset is shared by all who hold the description
	return newDesc(&Desc{
		file:  h,
		read:  func(_ context.Context, b []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return h.Read(b) },
		write: func(_ context.Context, b []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return h.Write(b) },
	})
}

// WriterDesc describes something that can only be written to.
func WriterDesc(w io.Writer) *Desc {
	var mu sync.Mutex
	return newDesc(&Desc{write: func(_ context.Context, b []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return w.Write(b) }})
}

// TextDesc collects what is written. What a program has left behind may still write when the text is read.
func TextDesc() (d *Desc, text func() string) {
	var mu sync.Mutex
	var b strings.Builder
	write := func(_ context.Context, p []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return b.Write(p) }
	return newDesc(&Desc{write: write}), func() string { mu.Lock(); defer mu.Unlock(); return b.String() }
}

const pipeSize = 64 << 10

// pipe has the kernel's buffer and the kernel's ends: a reader sees the end when no writer is left,
// a writer gets EPIPE when no reader is.
type pipe struct {
	mu             sync.Mutex
	wake           *sync.Cond
	buf            []byte
	noRead, noMore bool
}

// NewPipe is a pipe's two ends.
func NewPipe() (r, w *Desc) {
	p := &pipe{}
	p.wake = sync.NewCond(&p.mu)
	r, w = newDesc(&Desc{read: p.read}), newDesc(&Desc{write: p.write})
	r.OnClose(func() { p.mu.Lock(); p.noRead = true; p.wake.Broadcast(); p.mu.Unlock() })
	w.OnClose(func() { p.mu.Lock(); p.noMore = true; p.wake.Broadcast(); p.mu.Unlock() })
	return r, w
}

// wait sleeps until something changed; the caller holds the lock. It reports false when the waiting
// process was killed.
func (p *pipe) wait(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	stop := context.AfterFunc(ctx, func() { p.mu.Lock(); p.wake.Broadcast(); p.mu.Unlock() })
	p.wake.Wait()
	stop()
	return ctx.Err() == nil
}

func (p *pipe) read(ctx context.Context, b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) == 0 {
		if p.noMore {
			return 0, io.EOF
		}
		if !p.wait(ctx) {
			return 0, syscall.EINTR
		}
	}
	n := copy(b, p.buf)
	p.buf = p.buf[n:]
	p.wake.Broadcast()
	return n, nil
}

func (p *pipe) write(ctx context.Context, b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := 0
	for len(b) > 0 {
		if p.noRead {
			return done, syscall.EPIPE
		}
		room := pipeSize - len(p.buf)
		if room <= 0 {
			if !p.wait(ctx) {
				return done, syscall.EINTR
			}
			continue
		}
		n := min(room, len(b))
		p.buf = append(p.buf, b[:n]...)
		b, done = b[n:], done+n
		p.wake.Broadcast()
	}
	return done, nil
}
