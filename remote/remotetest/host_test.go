package remotetest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/sftp"
	gossh "golang.org/x/crypto/ssh"
)

func dialHost(t *testing.T, h *Host) *gossh.Client {
	t.Helper()
	key, err := gossh.ParsePrivateKey(h.fleet.ClientKeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	want, _, _, _, err := gossh.ParseAuthorizedKey([]byte(h.HostKey()))
	if err != nil {
		t.Fatal(err)
	}
	c, err := gossh.Dial("tcp", h.Addr(), &gossh.ClientConfig{
		User: h.User(), Auth: []gossh.AuthMethod{gossh.PublicKeys(key)},
		HostKeyCallback: gossh.FixedHostKey(want), Timeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// exec runs a command line with that standard input over a connection.
func execLine(t *testing.T, c *gossh.Client, line, stdin string) (out string, code int) {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b lockedBuffer
	s.Stdin, s.Stdout, s.Stderr = strings.NewReader(stdin), &b, &b
	err = s.Run(line)
	var exit *gossh.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitStatus()
	case err != nil:
		code = -1
	}
	return b.String(), code
}

func TestPrivilege(t *testing.T) {
	t.Parallel()
	const lecture = "\nWe trust you have received the usual lecture from the local System\nAdministrator. It usually boils down to these three things:\n\n    #1) Respect the privacy of others.\n    #2) Think before you type.\n    #3) With great power comes great responsibility.\n\n"
	for name, tt := range map[string]struct {
		o           HostOptions
		line, stdin string
		out         string
		code        int
	}{
		"root":                 {HostOptions{}, "id -u; sudo -n id -u", "", "0\n0\n", 0},
		"sudo":                 {HostOptions{User: "ops"}, "id -u; sudo -n sh -c 'id -u; echo $SUDO_USER $SUDO_UID $SUDO_GID $HOME'", "", "1000\n0\nops 1000 1000 /root\n", 0},
		"sudo keeps no env":    {HostOptions{User: "ops"}, "A=1 sudo -n env B=2 sh -c 'echo [$A][$B]'", "", "[][2]\n", 0},
		"password refused":     {HostOptions{User: "ops", Privilege: SudoPassword, Password: "x"}, "sudo -n id", "", "sudo: a password is required\n", 1},
		"password":             {HostOptions{User: "ops", Privilege: SudoPassword, Password: "x"}, "sudo -S -p ASK cat >&2", "x\nrest\n", lecture + "ASKrest\n", 0},
		"wrong password":       {HostOptions{User: "ops", Privilege: SudoPassword, Password: "x"}, "sudo -S -p ASK id", "y\n", lecture + "ASKSorry, try again.\nASK\nsudo: no password was provided\nsudo: 1 incorrect password attempt\n", 1},
		"not in sudoers":       {HostOptions{User: "ops", Privilege: SudoDenied, Password: "x"}, "sudo -S -p ASK id", "x\n", lecture + "ASKops is not in the sudoers file.\nThis incident has been reported to the administrator.\n", 1},
		"no sudo":              {HostOptions{User: "ops", Privilege: SudoMissing}, "sudo -n id", "", "sh: 1: sudo: not found\n", 127},
		"root's files":         {HostOptions{User: "ops"}, "cat /root/x; echo a >/root/x; echo b >/etc/x; ls /root", "", "cat: /root/x: Permission denied\nsh: 1: cannot create /root/x: Permission denied\nsh: 1: cannot create /etc/x: Permission denied\nls: cannot open directory '/root': Permission denied\n", 2},
		"nologin":              {HostOptions{User: "ops", LoginShell: "/usr/sbin/nologin"}, "id", "", "This account is currently not available.\n", 1},
		"fish":                 {HostOptions{User: "ops", LoginShell: "/usr/bin/fish", Noise: "hi\n"}, "sudo -n -p 'ask me' /bin/sh", "id -u", "hi\n0\n", 0},
		"systemctl needs root": {HostOptions{User: "ops", Docker: "running"}, "systemctl restart docker; docker ps", "", "Failed to restart: Interactive authentication required.\npermission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testHost(t, tt.o)
			out, code := execLine(t, dialHost(t, h), tt.line, tt.stdin)
			if d := cmp.Diff([]any{tt.out, tt.code}, []any{out, code}); d != "" {
				t.Error(d)
			}
			if u := h.Unknown(); len(u) > 0 {
				t.Errorf("not simulated: %q", u)
			}
		})
	}
}

func TestWhatIsNotSimulatedIsToldAndFails(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"frobnicate x", "ls --frob", "docker frob", "find . -frob", "read -t 1 x", "sed y/a/b/ /dev/null", "x=${y:-$(id)}", "set -o pipefail", "docker exec c frob", "systemctl frob", "df -h"} {
		h := testHost(t, HostOptions{Docker: "running"})
		if _, stderr := h.sh("root", "docker run -d --name c postgres:13.3 sleep 9 >/dev/null 2>&1"); len(h.Unknown()) > 0 {
			t.Fatalf("set-up: %q %s", h.Unknown(), stderr)
		}
		r, _ := h.sh("root", script)
		if len(h.Unknown()) == 0 {
			t.Errorf("%s: nothing was recorded (exit status %d)", script, r.Code)
		}
		if r.Code == 0 && !strings.HasPrefix(script, "x=") {
			t.Errorf("%s: succeeded", script)
		}
	}
	// A program that a host may lack is no mistake of the script's.
	h := testHost(t, HostOptions{})
	h.sh("root", "docker version; command -v podman; systemctl is-active docker")
	if u := h.Unknown(); len(u) > 0 {
		t.Errorf("recorded: %q", u)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{})
	var seen []string
	h.Fail(Failure{Match: `^mkdir /a`, Nth: 2, Code: 28, Stderr: "No space left on device\n"})
	h.Fail(Failure{Match: `^touch`, Nth: -1, Code: 1})
	h.Fail(Failure{Match: `^mkdir /late`, Late: true, Code: 9})
	h.Fail(Failure{Match: `^cat /etc/hostname`, Do: func() { seen = append(seen, "cat") }})
	r, errs := h.sh("root", "mkdir /a1; echo $?; mkdir /a2; echo $?; mkdir /a3; echo $?; touch x; echo $?; touch x; echo $?; mkdir /late; echo $?; ls -d /a* /late; cat /etc/hostname")
	want := "0\n28\n0\n1\n1\n9\n/a1\n/a3\n/late\nhost-1\n"
	if d := cmp.Diff([]string{want, "No space left on device\n"}, []string{r.Stdout, errs}); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"cat"}, seen); d != "" {
		t.Error(d)
	}
}

func TestWhatAConnectionLeavesBehind(t *testing.T) {
	t.Parallel()
	f := NewFleet(Options{Speed: 10})
	t.Cleanup(f.Close)
	h, err := f.Host("web-1", HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := dialHost(t, h)
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("exec flock -n /run/l sh"); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(stdin, "echo locked; sleep 5; echo done >/run/done; sleep 20")
	if _, err := io.ReadFull(out, make([]byte, len("locked\n"))); err != nil {
		t.Fatal(err)
	}
	h.Disconnect()
	if err := s.Wait(); err == nil {
		t.Error("a cut connection gave no error")
	}
	// The command goes on and keeps the lock that it inherited.
	if r, _ := h.sh("root", "flock -n /run/l true; echo $?; cut -d' ' -f2,6 /proc/locks"); r.Stdout != "1\nFLOCK WRITE\n" {
		t.Errorf("the lock after the connection was cut: %q", r.Stdout)
	}
	waitFor(t, func() bool { _, err := h.ReadFile("/run/done"); return err == nil })
	waitFor(t, func() bool { r, _ := h.sh("root", "flock -n /run/l true"); return r.Code == 0 })
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come true")
		}
	}
}

func TestWritersWithoutAConnectionEnd(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{})
	s, err := dialHost(t, h).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("while :; do echo x; done"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	h.Disconnect()
	waitFor(t, func() bool { return len(h.Processes()) == 0 })
}

func TestLimitsAndCounts(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{MaxSessions: 3})
	c := dialHost(t, h)
	var open []*gossh.Session
	for range 3 {
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, s)
	}
	if _, err := c.NewSession(); err == nil || !strings.Contains(err.Error(), "open failed") {
		t.Errorf("a session beyond MaxSessions: %v", err)
	}
	for _, s := range open {
		s.Close()
	}
	waitFor(t, func() bool { s, err := c.NewSession(); return err == nil && s.Run("true") == nil })
	got := h.Counts()
	if got.Connections != 1 || got.Channels < 4 || got.Execs != 1 || got.BytesIn == 0 || got.BytesOut == 0 {
		t.Errorf("counts: %+v", got)
	}
}

func TestBackgroundHoldsTheSession(t *testing.T) {
	t.Parallel()
	f := NewFleet(Options{Speed: 1})
	t.Cleanup(f.Close)
	h, err := f.Host("web-1", HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := dialHost(t, h)
	for line, least := range map[string]time.Duration{"sleep 0.3 & echo hi": 250 * time.Millisecond, "sleep 30 >/dev/null 2>&1 & echo hi": 0} {
		start := time.Now()
		if out, _ := execLine(t, c, line, ""); out != "hi\n" {
			t.Errorf("%s: %q", line, out)
		}
		if took := time.Since(start); took < least || least == 0 && took > 29*time.Second {
			t.Errorf("%s took %s", line, took)
		}
	}
}

func TestCutConnection(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{})
	c := dialHost(t, h)
	h.CutAfter(2000)
	if out, code := execLine(t, c, "head -c 100000 /dev/zero", ""); code != -1 || len(out) > 2000 {
		t.Errorf("%d bytes, exit code %d", len(out), code)
	}
	if out, code := execLine(t, dialHost(t, h), "echo again", ""); out != "again\n" || code != 0 {
		t.Errorf("the next connection: %q, %d", out, code)
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{Latency: 50 * time.Millisecond})
	start := time.Now()
	c := dialHost(t, h)
	if took := time.Since(start); took < 150*time.Millisecond {
		t.Errorf("the handshake took %s", took)
	}
	start = time.Now()
	if out, _ := execLine(t, c, "echo a", ""); out != "a\n" {
		t.Errorf("%q", out)
	}
	if took := time.Since(start); took < 100*time.Millisecond || took > time.Second {
		t.Errorf("one exec took %s", took)
	}
}

func TestSFTP(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{User: "ops"})
	c, err := sftp.NewClient(dialHost(t, h))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := c.Create("/tmp/f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("content")); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if i, err := h.Stat("/tmp/f"); err != nil || i.UID != 1000 || i.FileMode != 0o644 || i.Bytes != 7 {
		t.Errorf("a new file: %+v %v", i, err)
	}
	if _, err := c.OpenFile("/tmp/f", 0x1|0x40|0x80); err == nil { // O_WRONLY|O_CREATE|O_EXCL
		t.Error("an exclusive creation over a file succeeded")
	}
	for what, err := range map[string]error{
		"chmod": c.Chmod("/tmp/f", 0o600), "mkdir": c.Mkdir("/tmp/d"), "rename over": func() error {
			g, err := c.Create("/tmp/g")
			g.Close()
			return errors.Join(err, c.PosixRename("/tmp/f", "/tmp/g"))
		}(),
		"symlink": c.Symlink("g", "/tmp/l"), "link": c.Link("/tmp/g", "/tmp/h"),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if i, err := c.Lstat("/tmp/g"); err != nil || i.Mode() != 0o600 || i.Size() != 7 {
		t.Errorf("lstat: %v %v", i, err)
	}
	if err := c.Rename("/tmp/g", "/tmp/h"); err == nil {
		t.Error("a plain rename over a file succeeded")
	}
	if _, err := c.Create("/root/x"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("root's directory: %v", err)
	}
	if _, err := c.Stat("/nosuch"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if l, err := c.ReadLink("/tmp/l"); err != nil || l != "g" {
		t.Errorf("readlink: %q %v", l, err)
	}
	none := testHost(t, HostOptions{NoSFTP: true})
	if _, err := sftp.NewClient(dialHost(t, none)); err == nil {
		t.Error("there is a subsystem on a host without")
	}
	if _, err := none.Stat("/usr/lib/openssh/sftp-server"); err == nil {
		t.Error("there is an sftp-server on a host without")
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	h := testHost(t, HostOptions{DiskMiB: 10, DiskUsedMiB: 9})
	r, errs := h.sh("root", "head -c 2000000 /dev/zero >/tmp/f; echo $?; wc -c </tmp/f; df -Pk / | tail -1 | tr -s ' ' | cut -d' ' -f4; rm /tmp/f; df -Pk / | tail -1 | tr -s ' ' | cut -d' ' -f4; printf x >/tmp/g || echo no; cat /tmp/g")
	if !strings.HasPrefix(r.Stdout, "1\n10") || !strings.Contains(r.Stdout, "\n0\n10") || !strings.HasSuffix(r.Stdout, "\nx") {
		t.Errorf("%q %q", r.Stdout, errs)
	}
	c, err := sftp.NewClient(dialHost(t, h))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := c.Create("/tmp/big")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Write(make([]byte, 2<<20)); err == nil || errors.Is(err, syscall.ENOSPC) {
		t.Errorf("sftp on a full disk: %v, want a failure without a reason", err)
	}
	f.Close()
	if v, err := c.StatVFS("/"); err != nil || v.FreeSpace() != 0 {
		t.Errorf("statvfs: %+v %v", v, err)
	}
}

func TestJump(t *testing.T) {
	t.Parallel()
	f := NewFleet(Options{})
	t.Cleanup(f.Close)
	bastion, err := f.Host("bastion", HostOptions{User: "ops"})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := f.Host("inner", HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	through, err := dialHost(t, bastion).Dial("tcp", inner.Addr())
	if err != nil {
		t.Fatal(err)
	}
	key, _ := gossh.ParsePrivateKey(f.ClientKeyPEM())
	conn, chans, reqs, err := gossh.NewClientConn(through, inner.Addr(), &gossh.ClientConfig{User: "root", Auth: []gossh.AuthMethod{gossh.PublicKeys(key)}, HostKeyCallback: gossh.FixedHostKey(inner.key.PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	c := gossh.NewClient(conn, chans, reqs)
	defer c.Close()
	if out, _ := execLine(t, c, "uname -n", ""); out != "inner\n" {
		t.Errorf("%q", out)
	}
}

func TestHostsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	f := NewFleet(Options{})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			h, err := f.Host(fmt.Sprintf("h-%d", i), HostOptions{Docker: "running"})
			if err != nil {
				t.Error(err)
				return
			}
			c := dialHost(t, h)
			s, err := c.NewSession()
			if err != nil {
				t.Error(err)
				return
			}
			// Left running: a reader, a sleeper, a background job, a pipe that nobody reads.
			if err := s.Start("cat & sleep 1000 & (while :; do sleep 100; done) | cat & docker run -d postgres:13.3 sleep 9; cat"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	done := make(chan struct{})
	go func() { f.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the fleet does not close")
	}
	if _, err := net.DialTimeout("tcp", f.Hosts()[0].Addr(), time.Second); err == nil {
		t.Error("a closed host listens")
	}
}

func testHost(t testing.TB, o HostOptions) *Host {
	t.Helper()
	f := NewFleet(Options{})
	t.Cleanup(f.Close)
	h, err := f.Host("host-1", o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
