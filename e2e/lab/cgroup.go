//go:build linux

package lab

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// groupRoots are the tops of the control group hierarchies that systemd uses,
// by the text of /proc/self/mountinfo: the unified one, and in a hybrid system
// its own named one.
func groupRoots(mountinfo string) []string {
	var roots []string
	for line := range strings.Lines(mountinfo) {
		mount, system, ok := strings.Cut(line, " - ")
		m, s := strings.Fields(mount), strings.Fields(system)
		if !ok || len(m) < 5 || len(s) < 3 {
			continue
		}
		named := s[0] == "cgroup" && slices.Contains(strings.Split(s[2], ","), "name=systemd")
		if s[0] == "cgroup2" || named {
			roots = append(roots, m[4])
		}
	}
	return roots
}

// groups are the directories of the host's own control groups.
func (h *Host) groups() ([]string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, root := range groupRoots(string(b)) {
		dirs = append(dirs, filepath.Join(root, h.machineName()))
	}
	return dirs, nil
}

// makeGroups gives the host empty control groups.
func (h *Host) makeGroups() ([]string, error) {
	dirs, err := h.groups()
	if err != nil {
		return nil, err
	}
	if err := h.removeGroups(); err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
	}
	return dirs, nil
}

// removeGroups removes what a machine that has ended left of its groups, processes included: those of a machine
// outlive a systemd-nspawn that was killed.
func (h *Host) removeGroups() error {
	dirs, err := h.groups()
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		left := removeGroup(dir)
		for deadline := time.Now().Add(10 * time.Second); errors.Is(left, syscall.EBUSY) && time.Now().Before(deadline); left = removeGroup(dir) {
			if err := killGroup(dir); err != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
		errs = append(errs, left)
	}
	return errors.Join(errs...)
}

// killGroup ends the processes of a group and of those in it.
func killGroup(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		list, err := os.ReadFile(path)
		if err != nil { // a group that is gone meanwhile, or one of threads
			return nil
		}
		for text := range strings.FieldsSeq(string(list)) {
			if pid, err := strconv.Atoi(text); err == nil && pid > 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		return nil
	})
}

// removeGroup removes a group and those in it. Their files are the kernel's and
// go with them.
func removeGroup(dir string) error {
	var below []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			below = append(below, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, path := range slices.Backward(below) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
