//go:build linux

package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A snapshot is the disks of all hosts of a lab at one moment, in the cache. Its kind says what runs on
// them; its key is made of all that decides what the disks hold.

// Snapshot keeps the disks of the lab's hosts under kind and key, unless there is such a snapshot. The
// hosts stand still while they are copied, so each finds what a power cut would have left it. Disks
// that are attached are not part of it.
func (l *Lab) Snapshot(ctx context.Context, kind, key string) error {
	_, err := cached(ctx, l.log, snapshotKind(kind), key, func(ctx context.Context, dir string) (err error) {
		hosts := l.Hosts()
		defer func() {
			for _, h := range hosts {
				err = errors.Join(err, h.freeze(context.WithoutCancel(ctx), false))
			}
		}()
		for _, h := range hosts {
			if err := h.freeze(ctx, true); err != nil {
				return err
			}
		}
		for _, h := range hosts {
			if err := h.copyTo(ctx, filepath.Join(dir, h.Name)); err != nil {
				return fmt.Errorf("copying the disk of %s: %w", h.Name, err)
			}
		}
		return nil
	})
	return err
}

func snapshotKind(kind string) string { return "site-" + kind }

// disks are the directories of a host that its disk is made of, above the layers that it shares.
var disks = []string{"upper", "docker", "containerd"}

func (h *Host) copyTo(ctx context.Context, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, name := range disks {
		if _, err := run(ctx, "cp", "-a", "--reflink=auto", h.path(name), dir); err != nil {
			return err
		}
	}
	return saveJSON(filepath.Join(dir, "host.json"), h)
}

// Restore boots hosts with the disks of a snapshot, which are all of this lab's hosts then, in the order
// in which they were made. Each has the address it had, if that is free, or else another: then its services
// still know the address of the host that it is a copy of, and must not reach that one. It returns none if
// there is no such snapshot.
func (l *Lab) Restore(ctx context.Context, kind, key string) ([]*Host, error) {
	paths, err := filepath.Glob(filepath.Join(cacheDir(), snapshotKind(kind)+"-"+key, "*/host.json"))
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	var hosts []*Host
	for _, path := range paths {
		h := &Host{}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, h); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		for _, lower := range h.Lower {
			if _, err := os.Stat(lower); err != nil { // a layer that is made in another way by now
				return nil, removeTree(filepath.Dir(filepath.Dir(path)))
			}
		}
		h.lab, h.dir = l, filepath.Join(l.dir, "hosts", h.Name)
		hosts = append(hosts, h)
	}
	inOrder(hosts)
	var before, now []string
	for _, h := range hosts {
		before = append(before, h.Address)
		if err := l.reserve(ctx, h); err != nil {
			return nil, err
		}
		now = append(now, h.Address)
	}
	apart := slices.DeleteFunc(before, func(address string) bool { return slices.Contains(now, address) })
	for _, h := range hosts {
		h.PID, h.Started, h.Apart = 0, "", apart
		if err := h.restore(ctx, filepath.Join(cacheDir(), snapshotKind(kind)+"-"+key, h.Name)); err != nil {
			return nil, fmt.Errorf("restoring %s: %w", h.Name, err)
		}
	}
	return l.Hosts(), l.recordKeys()
}

func (h *Host) restore(ctx context.Context, from string) error {
	h.lab.mu.Lock()
	h.lab.hosts = append(h.lab.hosts, h)
	h.lab.mu.Unlock()
	for _, name := range disks {
		if _, err := run(ctx, "cp", "-a", "--reflink=auto", filepath.Join(from, name), h.dir); err != nil {
			return err
		}
	}
	identity, err := h.connect()
	if err != nil {
		return err
	}
	for _, u := range h.Options.Users {
		// Written in place, so that the file stays the user's.
		if err := os.WriteFile(filepath.Join(h.path("root"), "home", u.Name, ".ssh/authorized_keys"), []byte(identity), 0o600); err != nil {
			return err
		}
	}
	return errors.Join(h.save(), h.Start(ctx))
}

// freeze stops all processes of the host, or lets them go on. It is the unified hierarchy that can.
func (h *Host) freeze(ctx context.Context, still bool) error {
	dirs, err := h.groups()
	if err != nil {
		return err
	}
	want := "0"
	if still {
		want = "1"
	}
	for _, dir := range dirs {
		switch err := os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte(want), 0o644); {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission): // the other hierarchy has no such file
			continue
		case err != nil:
			return err
		}
		return awaitEvent(ctx, filepath.Join(dir, "cgroup.events"), "frozen "+want)
	}
	return fmt.Errorf("no control group of %s can be frozen", h.Name)
}

func awaitEvent(ctx context.Context, path, event string) error {
	ctx, cancel := within(ctx, 2*time.Minute)
	defer cancel()
	for {
		b, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(b), event+"\n") {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not say %q: %w", path, event, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
