package remote_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/remote"
)

// shown is what a terminal shows, and calls once when a text is there.
type shown struct {
	mu   sync.Mutex
	text strings.Builder
	wait string
	when func()
}

func (s *shown) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if s.when != nil && strings.Contains(s.text.String(), s.wait) {
		s.when()
		s.when = nil
	}
	return len(p), nil
}

// TestTerminalOfLogin is the shell that a person gets, who leaves it with a status.
func TestTerminalOfLogin(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	c := dial(t, s.dialer(t), s.target())
	out := &shown{}
	err := c.Terminal(ctx(t), remote.Terminal{Type: "dumb", Stdin: strings.NewReader("echo $((6*7)) $-\rexit 5\r"), Stdout: out})
	var exit *remote.ExitError
	if !errors.As(err, &exit) || exit.Code != 5 {
		t.Errorf("got %s, want status 5", full(err))
	}
	if !strings.Contains(out.text.String(), "42 ") {
		t.Errorf("shown: %q", out.text.String())
	}
}

// TestTerminalLost cuts the connection: that tells no end of the script, and the terminal hangs up.
func TestTerminalLost(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	cut := make(chan struct{})
	target := s.target()
	target.Port, target.HostKey = listen(t, func(c net.Conn) { forward(c, s.port, cut) }), hostLine(t, s)
	c := dial(t, s.dialer(t), target)
	file := filepath.Join(t.TempDir(), "told")
	script := "trap 'echo hung up >" + file + "; exit' HUP; echo ready; while :; do sleep 0.05; done"
	err := c.Terminal(ctx(t), remote.Terminal{Script: script, Stdout: &shown{wait: "ready", when: func() { close(cut) }}})
	wantError(t, err, remote.Lost)
	if errors.As(err, new(*remote.ExitError)) {
		t.Errorf("a lost connection has an exit status: %v", err)
	}
	for range 200 {
		if text, err := os.ReadFile(file); err == nil && string(text) == "hung up\n" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("what ran on the terminal was not told")
}

// TestTerminalRefused has a server that gives none: the rest of the connection goes on.
func TestTerminalRefused(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "PermitTTY no")
	c := dial(t, s.dialer(t), s.target())
	err := c.Terminal(ctx(t), remote.Terminal{Script: "true"})
	wantError(t, err, remote.Privilege, "the server gives no terminal", "PermitTTY")
	if _, err := c.Run(ctx(t), remote.Command{Script: "true"}); err != nil {
		t.Error(full(err))
	}
}
