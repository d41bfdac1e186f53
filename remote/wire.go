package remote

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// wire counts what goes over a connection, notes when the other side was last
// heard, and keeps how it opened: text where SSH was expected says a lot.
type wire struct {
	net.Conn
	in, out atomic.Int64
	heard   atomic.Int64 // UnixNano
	ended   atomic.Bool  // a read or write has failed

	mu   sync.Mutex
	head []byte
}

func newWire(c net.Conn) *wire {
	w := &wire{Conn: c}
	w.heard.Store(time.Now().UnixNano())
	return w
}

const headLimit = 512

// failed notes an error, unless it comes of our own Close.
func (w *wire) failed(err error) {
	if err != nil && !errors.Is(err, net.ErrClosed) {
		w.ended.Store(true)
	}
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.failed(err)
	if n > 0 {
		w.heard.Store(time.Now().UnixNano())
		if before := w.in.Add(int64(n)) - int64(n); before < headLimit {
			w.mu.Lock()
			w.head = append(w.head, p[:min(n, headLimit-len(w.head))]...)
			w.mu.Unlock()
		}
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.failed(err)
	w.out.Add(int64(n))
	return n, err
}

func (w *wire) opening() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.head)
}

func (w *wire) quiet() time.Duration { return time.Since(time.Unix(0, w.heard.Load())) }
