//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// power holds a machine's process and starts another one when that ended with
// the wish to reboot, which is status 133. Each enters the control groups in $1
// first: machines in one group would wait for, and end, each other's services.
const power = `
while env GROUPS_OF_MACHINE="$1" sh -c '
	for group in $GROUPS_OF_MACHINE; do echo $$ >"$group/cgroup.procs" || exit 1; done
	shift; exec "$@"' sh "$@"; [ $? = 133 ]
do :; done`

// bootCommand is the machine as a process of its own session.
func bootCommand(h *Host, groups []string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", power, "sh", strings.Join(groups, " "), "systemd-nspawn", "--quiet", "--boot",
		"--directory="+h.path("root"), "--machine="+h.machineName(), "--hostname="+h.Name,
		"--network-bridge="+bridge, "--register=no", "--keep-unit", "--link-journal=no",
		"--resolv-conf=off", "--timezone=off", "--capability=all", "--system-call-filter=add_key keyctl bpf",
		"--bind="+h.path("docker")+":/var/lib/docker", "--bind="+h.path("containerd")+":/var/lib/containerd")
	for _, d := range h.Options.Disks {
		cmd.Args = append(cmd.Args, "--bind="+d.Device)
	}
	// Debian 13's systemd refuses to start under the old control group
	// hierarchy, whatever this machine's own is.
	cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// Running says whether the machine's process lives.
func (h *Host) Running() bool {
	return h.PID != 0 && startTime(h.PID) == h.Started
}

// find looks for a machine on this host's disk that was started by a process
// killed before it could record that.
func (h *Host) find() {
	want := "\x00--directory=" + h.path("root") + "\x00"
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(b), "sh\x00") || !strings.Contains(string(b), want) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			h.PID, h.Started = pid, startTime(pid)
			return
		}
	}
}

// startTime is the start of a process in clock ticks since boot, or "" if there
// is none that runs.
func startTime(pid int) string {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	_, rest, ok := strings.Cut(string(b), ") ") // the name before may hold anything
	f := strings.Fields(rest)
	if !ok || len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return ""
	}
	return f[19]
}

// leader is the host's init process, as this machine sees it.
func (h *Host) leader() (int, error) {
	if !h.Running() {
		return 0, fmt.Errorf("the host %s is off", h.Name)
	}
	holder, err := onlyChild(h.PID)
	if err != nil {
		return 0, fmt.Errorf("finding the machine of %s: %w", h.Name, err)
	}
	leader, err := onlyChild(holder)
	if err != nil {
		return 0, fmt.Errorf("finding the init of %s: %w", h.Name, err)
	}
	return leader, nil
}

func onlyChild(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b))
	if len(f) != 1 {
		return 0, fmt.Errorf("process %d has %d children, not one", pid, len(f))
	}
	return strconv.Atoi(f[0])
}

// PowerOff shuts the host down in order. Its disk stays.
func (h *Host) PowerOff(ctx context.Context) error {
	leader, err := h.leader()
	if err != nil {
		return err
	}
	const powerOff = syscall.Signal(34 + 4) // SIGRTMIN+4, as systemd's init takes it
	if err := syscall.Kill(leader, powerOff); err != nil {
		return fmt.Errorf("shutting %s down: %w", h.Name, err)
	}
	return h.gone(ctx, 2*time.Minute)
}

// Reboot is PowerOff and Start.
func (h *Host) Reboot(ctx context.Context) error {
	if err := h.PowerOff(ctx); err != nil {
		return err
	}
	return h.Start(ctx)
}

// Kill pulls the plug. Its disk stays as it is at that moment. It does nothing
// if the host is off.
func (h *Host) Kill(ctx context.Context) error {
	if !h.Running() {
		if h.find(); h.PID == 0 {
			return h.off()
		}
	}
	if leader, err := h.leader(); err == nil {
		if err := syscall.Kill(leader, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("killing %s: %w", h.Name, err)
		}
	}
	if err := h.gone(ctx, 3*time.Second); err == nil {
		return nil
	}
	if holder, err := onlyChild(h.PID); err == nil { // it takes its machine with it
		if err := endProcess(ctx, holder, startTime(holder)); err != nil {
			return fmt.Errorf("killing %s: %w", h.Name, err)
		}
	}
	if err := endProcess(ctx, h.PID, h.Started); err != nil {
		return fmt.Errorf("killing %s: %w", h.Name, err)
	}
	return h.off()
}

// gone waits for the end of the machine's process.
func (h *Host) gone(ctx context.Context, d time.Duration) error {
	ctx, cancel := within(ctx, d)
	defer cancel()
	for h.Running() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the host %s still runs: %w", h.Name, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return h.off()
}

// off records that the host is off and lets go of its disk.
func (h *Host) off() error {
	if err := unmountBelow(h.path("root")); err != nil {
		return err
	}
	if err := h.removeGroups(); err != nil {
		return err
	}
	h.PID, h.Started = 0, ""
	if _, err := os.Stat(h.dir); err != nil {
		return nil
	}
	return h.save()
}

// Close takes the host out of its lab and removes its disk.
func (h *Host) Close(ctx context.Context) error {
	if err := h.Kill(ctx); err != nil {
		return err
	}
	if err := removeTree(h.dir); err != nil {
		return err
	}
	h.lab.forget(h)
	return h.lab.recordKeys()
}

func (l *Lab) forget(h *Host) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts = slices.DeleteFunc(l.hosts, func(other *Host) bool { return other == h })
}

// endProcess kills a process that is not our child, if it is still the one that
// started then, and waits for its end.
func endProcess(ctx context.Context, pid int, started string) error {
	ctx, cancel := within(ctx, 30*time.Second)
	defer cancel()
	for startTime(pid) == started {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("ending process %d: %w", pid, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d does not end: %w", pid, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Blank throws the host's disk away and boots it as it was at first, with the
// same address and host keys.
func (h *Host) Blank(ctx context.Context) error {
	if err := h.Kill(ctx); err != nil {
		return err
	}
	keys := h.path("keys")
	if err := removeTree(keys); err != nil {
		return err
	}
	if err := os.Rename(h.path("upper/etc/ssh"), keys); err != nil {
		return err
	}
	for _, dir := range []string{"upper", "work", "docker", "containerd"} {
		if err := removeTree(h.path(dir)); err != nil {
			return err
		}
	}
	for _, kind := range keyTypes {
		name := "ssh_host_" + kind + "_key"
		for _, suffix := range []string{"", ".pub"} {
			to := h.path("upper/etc/ssh", name+suffix)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
			if err := os.Rename(filepath.Join(keys, name+suffix), to); err != nil {
				return err
			}
		}
	}
	if err := h.prepare(ctx); err != nil {
		return err
	}
	return h.Start(ctx)
}

// Exec runs a command as root in the host and returns its standard output. It
// enters the machine from outside: no network, no SSH, no login.
func (h *Host) Exec(ctx context.Context, args ...string) (string, error) {
	cmd, err := h.command(ctx, args...)
	if err != nil {
		return "", err
	}
	out, err := runCmd(cmd)
	if err != nil {
		return out, fmt.Errorf("in %s: %w", h.Name, err)
	}
	return out, nil
}

// command is a command as root in the host, not yet started.
func (h *Host) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	leader, err := h.leader()
	if err != nil {
		return nil, err
	}
	enter := []string{
		"--target", strconv.Itoa(leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd", "--",
		"env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
	}
	return command(ctx, "nsenter", append(enter, args...)...), nil
}

// Shell is Exec of a line of POSIX shell.
func (h *Host) Shell(ctx context.Context, line string) (string, error) {
	return h.Exec(ctx, "sh", "-c", line)
}

// netns runs a program of this machine on the host's network.
func (h *Host) netns(ctx context.Context, args ...string) (string, error) {
	leader, err := h.leader()
	if err != nil {
		return "", err
	}
	return run(ctx, "nsenter", append([]string{"--target", strconv.Itoa(leader), "--net", "--"}, args...)...)
}
