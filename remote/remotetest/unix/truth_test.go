package unix

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

	s := New(Options{
		Name: "host-1", Arch: "x86_64", MemoryMiB: 4096, DiskMiB: 40960, DiskUsedMiB: 2048, Speed: 1, MinTimeout: time.Millisecond,
		Programs: Programs(), Ports: []Port{{22, "sshd"}},
	})
	defer s.Work.Wait()
	defer s.PowerOff()
	if err := s.Layout(slices.Collect(maps.Keys(s.Programs))); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := s.Sh("root", script)
	if d := cmp.Diff(want, result{stdout, code}); d != "" {
		t.Errorf("script:\n%s\nthe real sh (-) and the simulated one (+) differ:\n%s\nstderr: %s", script, d, stderr)
	}
	u := slices.DeleteFunc(s.Unknowns(), func(u string) bool {
		name, ok := strings.CutPrefix(u, "command not simulated: ")
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
