//go:build linux

package lab

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// command is an *exec.Cmd that is asked to end before it is killed and never
// outlives its context by more than a few seconds.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run returns the standard output of a command. The error of a failed one ends
// with the last lines it wrote.
func run(ctx context.Context, name string, args ...string) (string, error) {
	return runCmd(command(ctx, name, args...))
}

func runCmd(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return stdout.String(), nil
	}
	said := tail(stderr.String(), 8)
	if said == "" {
		said = tail(stdout.String(), 8)
	}
	line := strings.Join(cmd.Args, " ")
	if len(line) > 200 {
		line = line[:200] + "..."
	}
	return stdout.String(), fmt.Errorf("%s: %w: %s", line, err, said)
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// tailBuffer keeps the end of what is written to it.
type tailBuffer struct{ b []byte }

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-4096):]
	return len(p), nil
}

func (t *tailBuffer) String() string { return tail(string(t.b), 8) }
