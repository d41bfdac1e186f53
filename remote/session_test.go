package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"provision/remote"
)

// TestLoginShells uses ForceCommand instead of login shells, so that no users
// have to be made: it gets the command line as the login shell would.
func TestLoginShells(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, force string
		needs       string
		words       []string // of the Privilege error; nil: it works
	}{
		{name: "noise on both streams", force: `echo "welcome to $HOSTNAME"; printf 'no line break' ; echo noise >&2; exec sh -c "$SSH_ORIGINAL_COMMAND"`},
		{name: "noise like a status", force: `echo 0; echo; exec sh -c "$SSH_ORIGINAL_COMMAND"`},
		{name: "noise afterwards", force: `sh -c "$SSH_ORIGINAL_COMMAND"; s=$?; echo bye; exit $s`},
		{name: "bash", force: `exec bash -c "$SSH_ORIGINAL_COMMAND"`, needs: "bash"},
		{name: "fish", force: `exec fish -c "$SSH_ORIGINAL_COMMAND"`, needs: "fish"},
		{name: "csh", force: `exec csh -c "$SSH_ORIGINAL_COMMAND"`, needs: "csh"},
		{name: "nologin", force: `echo This account is currently not available.; exit 1`, words: []string{"does not run commands", "not available", "chsh"}},
		{name: "false", force: `exit 1`, words: []string{"does not run commands"}},
		{name: "true", force: `exit 0`, words: []string{"does not run commands"}},
		{name: "backup only", force: "echo '\x1b[31mno shell here'; exit 127", words: []string{"does not run commands", `\x1b[31mno shell here`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.needs != "" {
				if _, err := exec.LookPath(tt.needs); err != nil {
					t.Skipf("needs %[1]s: apt-get install %[1]s", tt.needs)
				}
			}
			s := startSSHD(t, "ForceCommand "+tt.force)
			c := dial(t, s.dialer(t), s.target())
			res, err := c.Run(ctx(t), remote.Command{Script: "echo out; echo err >&2; exit 3"})
			if tt.words != nil {
				wantError(t, err, remote.Privilege, tt.words...)
				_, err = c.Shell(ctx(t), remote.ShellOptions{Start: "exec sh"})
				wantError(t, err, remote.Privilege, tt.words...)
				return
			}
			var exit *remote.ExitError
			if !errors.As(err, &exit) || exit.Code != 3 || string(res.Stdout) != "out\n" || string(res.Stderr) != "err\n" {
				t.Errorf("got %q, %q, %v", res.Stdout, res.Stderr, err)
			}
			sh, err := c.Shell(ctx(t), remote.ShellOptions{Start: "exec sh"})
			if err != nil {
				t.Fatal(full(err))
			}
			if out, err := sh.Run(ctx(t), "echo in shell", nil); err != nil || string(out) != "in shell\n" {
				t.Errorf("shell: %q, %v", out, err)
			}
			if err := sh.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// fakeSudo is put first in PATH by the login shell of the test; what a real sudo
// does is asked on real hosts.
func fakeSudo(t *testing.T, script string) (*sshd, remote.Target) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sudo"), []byte("#!/bin/sh\n"+script))
	if err := os.Chmod(filepath.Join(dir, "sudo"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := startSSHD(t, fmt.Sprintf(`ForceCommand PATH=%s:/usr/bin:/bin exec sh -c "$SSH_ORIGINAL_COMMAND"`, dir))
	return s, s.target()
}

func TestSudo(t *testing.T) {
	t.Parallel()
	right := func(context.Context) (string, error) { return "it's right", nil }
	const ask = `
[ "$1" = -n ] && { echo "sudo: a password is required" >&2; exit 1; }
[ "$1 $2" = "-S -p" ] || { echo "sudo: usage" >&2; exit 2; }
prompt=$3; shift 3
try() { printf '%s' "$prompt" >&2; IFS= read -r got || exit 1; [ "$got" = "it's right" ]; }
echo "We trust you have received the usual lecture" >&2
try || { echo "Sorry, try again." >&2; try || exit 1; }
exec "$@"
`
	for _, tt := range []struct {
		name, sudo string
		password   func(context.Context) (string, error)
		words      []string
	}{
		{name: "no password wanted", sudo: `[ "$1" = -n ] || exit 9; shift; exec "$@"`},
		{name: "no password wanted, one given", sudo: `[ "$1 $2" = "-S -p" ] || exit 9; shift 3; exec "$@"`, password: right},
		{name: "password", sudo: ask, password: right},
		{name: "wrong password", sudo: ask, password: func(context.Context) (string, error) { return "wrong", nil }, words: []string{"sudo refused the password"}},
		{name: "password wanted, none given", sudo: ask, words: []string{"sudo wants a password", "NOPASSWD: ALL", "/etc/sudoers.d/provision"}},
		{name: "requiretty", sudo: `echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1`, words: []string{"requiretty", "!requiretty"}},
		{name: "not in sudoers", sudo: `echo "me is not in the sudoers file." >&2; exit 1`, words: []string{"may not use sudo", "NOPASSWD: ALL"}},
		{name: "not installed", sudo: `echo "sh: 1: sudo: not found" >&2; exit 127`, words: []string{"not installed"}},
		{name: "no answer", sudo: ask, password: func(context.Context) (string, error) { return "", errors.New("vault is shut") }, words: []string{"vault is shut"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, target := fakeSudo(t, tt.sudo)
			target.SudoPassword = tt.password
			c := dial(t, s.dialer(t), target)
			remote.PretendUser(c, "ops")
			res, err := c.Run(ctx(t), remote.Command{Script: "cat; echo ran", Root: true})
			if tt.words != nil {
				wantError(t, err, remote.Privilege, tt.words...)
				return
			}
			if err != nil || string(res.Stdout) != "ran\n" {
				t.Errorf("got %q, %s", res.Stdout, full(err))
			}
		})
	}
}

// TestConnectionLost cuts the connection at many moments of a script: none of
// them may look like success.
func TestConnectionLost(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "MaxStartups 100")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			cut := make(chan struct{})
			port := listen(t, func(c net.Conn) { forward(c, s.port, cut) })
			target := s.target()
			target.Port = port
			target.HostKey = hostLine(t, s)
			c := dial(t, s.dialer(t), target)
			time.AfterFunc(time.Duration(i)*20*time.Millisecond, func() { close(cut) })
			_, err := c.Run(ctx(t), remote.Command{Script: "echo begun; sleep 2; echo done"})
			var e *remote.Error
			if kind := remote.Lost; errors.As(err, &e) && e.Kind == remote.Privilege {
				wantError(t, err, remote.Privilege, "nothing was run") // before the server had answered
			} else {
				wantError(t, err, kind)
			}
			_, err = c.Run(ctx(t), remote.Command{Script: "echo again"})
			wantError(t, err, remote.Lost)
			_, err = c.Shell(ctx(t), remote.ShellOptions{})
			wantError(t, err, remote.Lost)
			wantError(t, c.Upload(ctx(t), "/tmp/never", strings.NewReader(""), 0, 0o600, nil), remote.Lost)
		})
	}
	wg.Wait()
}

func hostLine(t *testing.T, s *sshd) string {
	t.Helper()
	known, err := os.ReadFile(s.known)
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(known), " ")
	return line
}

func TestShellThatEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	c := dial(t, s.dialer(t), s.target())
	for _, tt := range []struct{ name, script, want string }{
		// $$ is the shell itself, also in a subshell.
		{"killed", `echo out; echo last words >&2; kill -KILL $$; sleep 1`, "KILL"},
		{"terminated", `echo out; echo last words >&2; kill -TERM $$; sleep 1`, "TERM"},
	} {
		sh, err := c.Shell(ctx(t), remote.ShellOptions{})
		if err != nil {
			t.Fatal(full(err))
		}
		_, err = sh.Run(ctx(t), tt.script, nil)
		var exit *remote.ExitError
		if !errors.As(err, &exit) || exit.Signal != tt.want || exit.Stderr != "last words\n" {
			t.Errorf("%s: got %+v, %v", tt.name, exit, err)
		}
		wantError(t, err, remote.Lost, "the shell ended before the script did")
		_, err = sh.Run(ctx(t), "echo more", nil)
		wantError(t, err, remote.Lost, "no longer usable")
		if err := sh.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFewerSessionsThanChannels(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "MaxSessions 3")
	c := dial(t, s.dialer(t), s.target())
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if _, err := c.Run(ctx(t), remote.Command{Script: "sleep 0.1"}); err != nil {
				t.Error(full(err))
			}
		})
	}
	wg.Wait()

	none := startSSHD(t, "MaxSessions 0")
	c = dial(t, none.dialer(t), none.target())
	_, err := c.Run(ctx(t), remote.Command{Script: "true"})
	wantError(t, err, remote.Busy, "MaxSessions")
}

// TestSilentConnectionIsGivenUp stops all bytes without closing anything, as a
// firewall that forgot the connection does.
func TestSilentConnectionIsGivenUp(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	freeze := make(chan struct{})
	port := listen(t, func(c net.Conn) {
		up, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = up.Close() }()
		go func() { _, _ = io.Copy(up, c) }()
		buf := make([]byte, 1<<10)
		for {
			n, err := up.Read(buf)
			select {
			case <-freeze: // read no more, answer no more, close nothing
				_, _ = io.Copy(io.Discard, c)
				return
			default:
			}
			if _, werr := c.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	})
	target := s.target()
	target.Port, target.HostKey = port, hostLine(t, s)
	c := dial(t, s.dialer(t), target)
	remote.Keepalive(c, 100*time.Millisecond, 500*time.Millisecond)
	if _, err := c.Run(ctx(t), remote.Command{Script: "sleep 1.5; echo still here"}); err != nil {
		t.Fatalf("a live connection was given up: %v", err)
	}
	time.AfterFunc(200*time.Millisecond, func() { close(freeze) })
	start := time.Now()
	_, err := c.Run(ctx(t), remote.Command{Script: "sleep 20"})
	wantError(t, err, remote.Lost, "nothing heard for 500ms")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("noticed after %v", took)
	}
}

// TestKeysAreExchangedAgainInTheMiddle moves data both ways while the server
// exchanges keys all the time.
func TestKeysAreExchangedAgainInTheMiddle(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "RekeyLimit 1M")
	c := dial(t, s.dialer(t), s.target())
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			content := strings.Repeat("0123456789abcdef", 1<<19)
			path := filepath.Join(dir, fmt.Sprint(i))
			if err := c.Upload(ctx(t), path, strings.NewReader(content), int64(len(content)), 0o600, nil); err != nil {
				t.Error(full(err))
				return
			}
			res, err := c.Run(ctx(t), remote.Command{Script: "cat " + remote.Quote(path), MaxOutput: len(content)})
			if err != nil || string(res.Stdout) != content {
				t.Errorf("%d bytes came back, %v", len(res.Stdout), err)
			}
		})
	}
	wg.Wait()
}

func TestEveryOperationIsObserved(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	d := s.dialer(t)
	var seen []string
	d.Observe = func(o remote.Op) {
		seen = append(seen, fmt.Sprintf("%s %s root=%v done=%v failed=%v", o.Host, o.Name, o.Root, o.Done, o.Err != nil))
		if o.Done && o.Took <= 0 {
			t.Errorf("%s took no time", o.Name)
		}
	}
	c := dial(t, d, s.target())
	_, _ = c.Run(ctx(t), remote.Command{Script: "exit 1"})
	sh, err := c.Shell(ctx(t), remote.ShellOptions{Root: os.Geteuid() == 0})
	if err != nil {
		t.Fatal(full(err))
	}
	_, _ = sh.Run(ctx(t), "true", nil)
	_ = sh.Close()
	_ = c.Upload(ctx(t), filepath.Join(t.TempDir(), "f"), strings.NewReader(""), 0, 0o600, nil)
	root := fmt.Sprint(os.Geteuid() == 0)
	want := []string{
		"web-1 dial root=false done=false failed=false", "web-1 dial root=false done=true failed=false",
		"web-1 exec root=false done=false failed=false", "web-1 exec root=false done=true failed=true",
		"web-1 exec root=" + root + " done=false failed=false", "web-1 exec root=" + root + " done=true failed=false",
		"web-1 shell-run root=" + root + " done=false failed=false", "web-1 shell-run root=" + root + " done=true failed=false",
		"web-1 upload root=false done=false failed=false", "web-1 upload root=false done=true failed=false",
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
}
