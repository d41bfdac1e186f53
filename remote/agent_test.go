package remote_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"provision/remote"
)

// realAgent is OpenSSH's, which holds a key.
func realAgent(t *testing.T, key string, addArgs ...string) (socket string, run func(args ...string) error) {
	t.Helper()
	for _, p := range []string{"ssh-agent", "ssh-add"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs %s", p)
		}
	}
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "answer"), []byte("#!/bin/sh\necho lock\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	cmd := exec.Command("ssh-agent", "-D", "-a", socket)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS=/bin/false", "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:none")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	run = func(args ...string) error {
		add := exec.Command("ssh-add", args...) // which asks for the password of a lock by this program
		add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket, "SSH_ASKPASS="+filepath.Join(dir, "answer"), "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:none")
		return add.Run()
	}
	for range 500 {
		if err = run("-l"); err == nil || strings.Contains(err.Error(), "exit status 1") {
			break // it answers that it holds none
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := run(append(addArgs, key)...); err != nil {
		t.Fatalf("ssh-add: %v", err)
	}
	return socket, run
}

// TestAgent asks OpenSSH's agent, locked and with a key that wants a confirmation that nobody gives.
func TestAgent(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	try := func(t *testing.T, socket string) error {
		t.Helper()
		target := s.target()
		target.IdentityFile = ""
		d := s.dialer(t)
		d.AgentSocket = socket
		c, err := d.Dial(ctx(t), target)
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	t.Run("locked", func(t *testing.T) {
		t.Parallel()
		socket, run := realAgent(t, s.key)
		if err := try(t, socket); err != nil {
			t.Fatalf("before it is locked: %s", full(err))
		}
		if err := run("-x"); err != nil {
			t.Fatal(err)
		}
		e := wantError(t, try(t, socket), remote.Auth, "shows no key: none was added, or it is locked", "ssh-add -X")
		if strings.Contains(e.Hint, "authorized_keys") {
			t.Errorf("the hint is about another cause: %s", e.Hint)
		}
		if err := run("-X"); err != nil {
			t.Fatal(err)
		}
		if err := try(t, socket); err != nil {
			t.Errorf("after it was opened: %s", full(err))
		}
	})
	t.Run("confirmation", func(t *testing.T) {
		t.Parallel()
		socket, _ := realAgent(t, s.key, "-c")
		e := wantError(t, try(t, socket), remote.Auth, "the server accepts the key of agent, and the agent does not sign with it", "ssh-add -c", "ssh-add -T")
		if strings.Contains(e.Hint, "authorized_keys") {
			t.Errorf("the hint is about another cause: %s", e.Hint)
		}
	})
}
