package remote_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"provision/remote"
)

// zeros is an endless input that costs nothing.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// counter counts, and looks at the heap now and then.
type counter struct {
	n, peak uint64
	looked  uint64
}

func (c *counter) Write(p []byte) (int, error) {
	if c.n += uint64(len(p)); c.n-c.looked > 16<<20 {
		c.looked = c.n
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.peak = max(c.peak, m.HeapInuse)
	}
	return len(p), nil
}

// flatLimit is the memory that a stream may take, whatever its size: some windows of SSH.
const flatLimit = 48 << 20

// amount is 1 GiB, under -short 128 MiB: more than twice what flatLimit allows.
func amount() int64 {
	if testing.Short() {
		return 128 << 20
	}
	return 1 << 30
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func long(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return c
}

// TestStreamMemoryIsFlat sends much through a real sshd, in each direction and in both.
func TestStreamMemoryIsFlat(t *testing.T) {
	s := startSSHD(t)
	c := dial(t, s.dialer(t), s.target())
	size := amount()
	n := strconv.FormatInt(size, 10)
	for _, tt := range []struct {
		name, script string
		in           io.Reader
		want         uint64
	}{
		{"from the host", "head -c " + n + " /dev/zero", nil, uint64(size)},
		{"to the host", "wc -c | grep -qx " + n, io.LimitReader(zeros{}, size), 0},
		{"there and back", "cat", io.LimitReader(zeros{}, size), uint64(size)},
	} {
		before := heap()
		out, in := &counter{}, &counter{}
		cmd := remote.Stream{Script: tt.script, Stdout: out}
		if tt.in != nil {
			cmd.Stdin = io.TeeReader(tt.in, in)
		}
		if err := c.Stream(long(t), cmd); err != nil {
			t.Errorf("%s: %s", tt.name, full(err))
		}
		if out.n != tt.want {
			t.Errorf("%s: %d bytes came, want %d", tt.name, out.n, tt.want)
		}
		if peak := max(out.peak, in.peak); peak == 0 || peak > before+flatLimit {
			t.Errorf("%s: the heap went from %d to %d MiB, want %d MiB more at most", tt.name, before>>20, peak>>20, flatLimit>>20)
		}
	}
}

// TestDownloadMemoryIsFlat brings a file that takes no room on the disk.
func TestDownloadMemoryIsFlat(t *testing.T) {
	s := startSSHD(t)
	c := dial(t, s.dialer(t), s.target())
	path := filepath.Join(t.TempDir(), "sparse")
	write(t, path, nil)
	if err := os.Truncate(path, amount()); err != nil {
		t.Fatal(err)
	}
	before, out := heap(), &counter{}
	size, err := c.Download(long(t), remote.Download{Path: path, To: out})
	if err != nil || size != amount() || out.n != uint64(size) {
		t.Errorf("%d bytes came, size %d: %s", out.n, size, full(err))
	}
	if out.peak == 0 || out.peak > before+flatLimit {
		t.Errorf("the heap went from %d to %d MiB", before>>20, out.peak>>20)
	}
}

// TestStreamWaitsForItsWriter has a writer that takes nothing: the host is not read any further, and
// the memory stays.
func TestStreamWaitsForItsWriter(t *testing.T) {
	s := startSSHD(t)
	c := dial(t, s.dialer(t), s.target())
	before, in := heap(), c.Stats().BytesIn
	first, release := make(chan struct{}), make(chan struct{})
	began := false
	ended := make(chan error, 1)
	go func() {
		ended <- c.Stream(long(t), remote.Stream{Script: "head -c 67108864 /dev/zero", Stdout: writer(func(p []byte) (int, error) {
			if !began {
				began = true
				close(first)
				<-release
			}
			return len(p), nil
		})})
	}()
	<-first
	// Others on the connection are not held up, and by their answers time has passed.
	for range 20 {
		if _, err := c.Run(ctx(t), remote.Command{Script: "true"}); err != nil {
			t.Fatal(full(err))
		}
	}
	if got := c.Stats().BytesIn - in; got > 8<<20 {
		t.Errorf("%d MiB were taken from the host for a writer that takes nothing", got>>20)
	}
	if now := heap(); now > before+flatLimit {
		t.Errorf("the heap went from %d to %d MiB", before>>20, now>>20)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(full(err))
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestStreamLost cuts the connection while data go through, in both directions.
func TestStreamLost(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	for name, stream := range map[string]remote.Stream{
		"from the host": {Script: "cat /dev/zero"}, "to the host": {Script: "cat >/dev/null", Stdin: zeros{}}, "nothing": {Script: "sleep 5"},
	} {
		cut := make(chan struct{})
		target := s.target()
		target.Port, target.HostKey = listen(t, func(c net.Conn) { forward(c, s.port, cut) }), hostLine(t, s)
		c := dial(t, s.dialer(t), target)
		stream.Script = "echo begun >&2; " + stream.Script
		begun := false
		stream.Stdout = io.Discard
		stream.Stderr = writer(func(p []byte) (int, error) {
			if !begun {
				begun = true
				close(cut)
			}
			return len(p), nil
		})
		err := c.Stream(ctx(t), stream)
		wantError(t, err, remote.Lost)
		var exit *remote.ExitError
		if errors.As(err, &exit) {
			t.Errorf("%s: a lost connection has an exit status: %v", name, err)
		}
	}
}

// TestStreamsStoppedTogether stops as many as there are channels.
func TestStreamsStoppedTogether(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	c := dial(t, s.dialer(t), s.target())
	cx, cancel := context.WithCancel(ctx(t))
	begun, ended := make(chan struct{}, 8), make(chan error, 8)
	for range 8 {
		go func() {
			ended <- c.Stream(cx, remote.Stream{Script: "echo begun; sleep 60", Stdout: writer(func(p []byte) (int, error) {
				begun <- struct{}{}
				return len(p), nil
			})})
		}()
	}
	for range 8 {
		<-begun
	}
	cancel()
	for range 8 {
		if e := wantError(t, <-ended, remote.Lost); e.Hint != "" {
			t.Errorf("not known to have ended: %s", full(e))
		}
	}
}
