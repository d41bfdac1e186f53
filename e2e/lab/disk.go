//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Disk is block storage: a loop device of this machine over a sparse file. It
// outlives the hosts that it is attached to, and goes with the lab.
type Disk struct {
	File   string
	Device string // on this machine, and on the hosts
}

// Disk makes a blank disk.
func (l *Lab) Disk(ctx context.Context, name string, gib int) (*Disk, error) {
	d := &Disk{File: filepath.Join(l.dir, "disks", name+".img")}
	if err := os.MkdirAll(filepath.Dir(d.File), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(d.File, nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(d.File, int64(gib)<<30); err != nil {
		return nil, err
	}
	out, err := run(ctx, "losetup", "--find", "--show", d.File)
	if err != nil {
		return nil, fmt.Errorf("making the disk %s: %w", name, err)
	}
	d.Device = strings.TrimSpace(out)
	return d, nil
}

// removeDisks lets go of the loop devices of the lab, those of a killed process too.
func (l *Lab) removeDisks(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(l.dir, "disks/*.img"))
	for _, file := range files {
		out, problem := run(ctx, "losetup", "--noheadings", "--output", "NAME", "--associated", file)
		err = errors.Join(err, problem)
		for device := range strings.FieldsSeq(out) {
			_, problem := run(ctx, "losetup", "--detach", device)
			err = errors.Join(err, problem)
		}
	}
	return err
}

// lastMount is what the machine's init does not do: in a container systemd
// leaves the devices in fstab alone.
const lastMount = `[Unit]
Description=What a machine of its own mounts from fstab
DefaultDependencies=no
After=systemd-tmpfiles-setup-dev.service
Before=local-fs.target

[Service]
Type=oneshot
ExecStart=-/bin/mount --all

[Install]
WantedBy=local-fs.target
`

// noteDisks has the next boot find the disks that are attached.
func (h *Host) noteDisks() error {
	upper := h.path("upper")
	if mounted(h.path("root")) {
		upper = h.path("root")
	}
	var links strings.Builder
	for id, d := range h.Options.Disks {
		fmt.Fprintf(&links, "L+ /dev/disk/by-id/%s - - - - %s\n", id, d.Device)
	}
	if err := writeFile(filepath.Join(upper, "etc/tmpfiles.d/lab-disks.conf"), links.String(), 0o644); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(upper, "etc/systemd/system/lab-mount.service"), lastMount, 0o644); err != nil {
		return err
	}
	wanted := filepath.Join(upper, "etc/systemd/system/local-fs.target.wants/lab-mount.service")
	if err := os.MkdirAll(filepath.Dir(wanted), 0o755); err != nil {
		return err
	}
	if err := os.Symlink("/etc/systemd/system/lab-mount.service", wanted); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return h.save()
}

// Attach puts a disk into the host, while it runs or for its next boot.
func (h *Host) Attach(ctx context.Context, id string, d *Disk) error {
	if h.Options.Disks == nil {
		h.Options.Disks = map[string]*Disk{}
	}
	h.Options.Disks[id] = d
	if err := h.noteDisks(); err != nil || !h.Running() {
		return err
	}
	var at syscall.Stat_t
	if err := syscall.Stat(d.Device, &at); err != nil {
		return err
	}
	_, err := h.Shell(ctx, fmt.Sprintf(`[ -b %[1]s ] || mknod %[1]s b %[2]d %[3]d
mkdir -p /dev/disk/by-id && ln -sfn %[1]s /dev/disk/by-id/%[4]s`, d.Device, unix.Major(at.Rdev), unix.Minor(at.Rdev), id))
	return err
}

// Detach takes a disk out of the host: at its next boot it is not there.
func (h *Host) Detach(id string) error {
	delete(h.Options.Disks, id)
	return h.noteDisks()
}
