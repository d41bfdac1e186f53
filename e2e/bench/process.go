//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// command is a program that is asked to end, and then made to, when the context ends.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// finish runs a command to its end. It fails if the command does, or if what it printed does not have
// the text, which is the sign that the job was done and not skipped.
func finish(cmd *exec.Cmd, sign string) (usage, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	ended := make(chan struct{})
	memory := make(chan int64)
	go func() { memory <- peak(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	close(ended)
	used := usage{<-memory}
	if err == nil && !strings.Contains(out.String(), sign) {
		err = fmt.Errorf("it did not print %q", sign)
	}
	if err != nil {
		return usage{}, fmt.Errorf("%w\n%s", err, last(out.String(), 40))
	}
	return used, nil
}

// peak is the largest resident set of a process, in bytes. It is looked at while the process runs:
// what wait(2) says afterwards has that of the parent in it, from before the program began.
func peak(pid int, ended <-chan struct{}) (most int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return most
		case <-tick.C:
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue // it has just ended
		}
		if _, text, ok := strings.Cut(string(status), "VmHWM:"); ok {
			var kib int64
			if _, err := fmt.Sscan(text, &kib); err == nil {
				most = max(most, kib<<10)
			}
		}
	}
}

// last are the last lines of a text.
func last(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// together runs f for each of n at once.
func together(n int, f func(n int) error) error {
	errs := make(chan error)
	for i := range n {
		go func() { errs <- f(i) }()
	}
	var all []error
	for range n {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// apply is a run of provision, which must say the sign.
func (b *bench) apply(inventory, sign string) (usage, error) {
	cmd := command(b, b.provision, "apply", "--yes", "--inventory", inventory)
	cmd.Env = append(os.Environ(), "CI=true", "SSH_AUTH_SOCK=")
	return finish(cmd, sign)
}

const nothing = "nothing to change; everything works"
