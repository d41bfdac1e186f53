package remote_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"provision/remote"
)

// zeros is an endless input that costs nothing.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// long is for much data on a loaded machine.
func long(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return c
}

// TestStreamWaitsForItsWriter has a writer that takes nothing: the host is not read any further.
func TestStreamWaitsForItsWriter(t *testing.T) {
	s := startSSHD(t)
	c := dial(t, s.dialer(t), s.target())
	in := c.Stats().BytesIn
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
