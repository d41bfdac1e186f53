package remotetest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is what a script left behind.
type result struct {
	Stdout string
	Code   int
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// sh runs a script on the host without a connection.
func (h *Host) sh(user, script string) (result, string) {
	c, home := h.account(user)
	p := h.newProc(c, map[string]string{"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "LC_ALL": "C"}, home)
	var out, errs lockedBuffer
	in, feed := newPipe()
	feed.close()
	p.fds = map[int]*desc{0: in, 1: writerDesc(&out), 2: writerDesc(&errs)}
	p.argv = []string{"sh", "-c", script}
	code := p.program(func(p *proc) int { return newShell(p, "sh", nil).main(strings.NewReader(script)) })
	p.end()
	return result{out.String(), code}, errs.String()
}

// compare runs a script in the real sh of this machine and in the simulation, each in an empty
// directory, and compares standard output and status.
func compare(t *testing.T, script string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script)
	cmd.Args[0] = "sh"
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=" + dir, "TZ=UTC"}
	cmd.WaitDelay = time.Second
	out, _ := cmd.Output()
	want := result{strings.ReplaceAll(string(out), dir, "/root"), cmd.ProcessState.ExitCode()}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		want.Code = 128 + int(status.Signal())
	}

	f := NewFleet(Options{Speed: 1, MinTimeout: time.Millisecond})
	defer f.Close()
	h, err := f.Host("host-1", HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, stderr := h.sh("root", script)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("script:\n%s\nthe real sh (-) and the simulated one (+) differ:\n%s\nstderr: %s", script, d, stderr)
	}
	u := slices.DeleteFunc(h.Unknown(), func(s string) bool {
		name, ok := strings.CutPrefix(s, "command not simulated: ")
		return ok && slices.Contains([]string{"nosuch", "nosuchcommand", "./nosuch", "./f", "./d", "f", "hello", "nosuch x"}, name)
	})
	if len(u) > 0 {
		t.Errorf("script:\n%s\nnot simulated: %q", script, u)
	}
}

func requireDash(t *testing.T) {
	t.Helper()
	if target, err := filepath.EvalSymlinks("/bin/sh"); err != nil || filepath.Base(target) != "dash" {
		t.Skip("/bin/sh of this machine is not dash, which the simulation follows")
	}
	if os.Getuid() != 0 {
		t.Skip("owners can only be compared as root")
	}
	if v, err := exec.Command("stat", "--version").Output(); err != nil || !bytes.Contains(v, []byte("GNU coreutils")) {
		t.Skip("this machine's tools are not GNU coreutils, which the simulation follows")
	}
}
