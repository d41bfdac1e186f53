package remotetest

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

// Disk is a block device that is attached to one host after another and keeps what is on it. Its
// zero value is blank.
type Disk struct {
	MiB int // default 1024

	mu       sync.Mutex
	kind     string // of file system; "" while it is blank
	blocks   int    // of the file system, in MiB
	root     *node  // what is on it
	under    *node  // the directory below it while it is mounted
	mounted  string
	host     *Host
	database *database // in the one directory that a container keeps a database in
}

// Format puts an empty file system of another kind on the disk, as somebody else would.
func (d *Disk) Format(kind string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kind, d.blocks, d.root = kind, d.size(), nil
}

// Kind is the kind of file system that is on it.
func (d *Disk) Kind() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kind
}

func (d *Disk) size() int {
	if d.MiB == 0 {
		return 1024
	}
	return d.MiB
}

// device is where the disk's name leads to.
func device(id string) string { return "/dev/sd-" + id }

// Attach makes the disk appear as /dev/disk/by-id/ID.
func (h *Host) Attach(id string, d *Disk) {
	_ = h.tree.mkdirAll("/dev/disk/by-id")
	_ = h.tree.writeFile(device(id), "", 0o660)
	_ = h.tree.symlink(cred{}, device(id), "/dev/disk/by-id/"+id)
	d.mu.Lock()
	d.host = h
	d.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.disks == nil {
		h.disks = map[string]*Disk{}
	}
	h.disks[device(id)] = d
}

// Detach takes the disk away, with what is on it.
func (h *Host) Detach(id string) {
	h.mu.Lock()
	d := h.disks[device(id)]
	delete(h.disks, device(id))
	h.mu.Unlock()
	if d == nil {
		return
	}
	h.unmount(d)
	h.tree.removeAll("/dev/disk/by-id/" + id)
	h.tree.removeAll(device(id))
}

func (h *Host) disk(dev string) *Disk {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.disks[dev]
}

// mountedAt is the disk below a path, and its device.
func (h *Host) mountedAt(dir string) (dev string, d *Disk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for dev, d := range h.disks {
		d.mu.Lock()
		at := d.mounted
		d.mu.Unlock()
		if at != "" && (dir == at || strings.HasPrefix(dir, at+"/")) {
			return dev, d
		}
	}
	return "", nil
}

// swap puts another directory in a directory's place and returns the one that was there.
func (t *tree) swap(name string, with *node) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	dir, base, n, err := t.place(cred{}, name)
	if err != nil || n == nil || !n.mode.IsDir() {
		return nil
	}
	dir.children[base] = with
	return n
}

func (h *Host) mount(d *Disk, dir string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		h.tree.mu.Lock()
		d.root = h.tree.inode(fs.ModeDir|0o755, cred{})
		d.root.children["lost+found"] = h.tree.inode(fs.ModeDir|0o700, cred{})
		h.tree.mu.Unlock()
	}
	if d.under = h.tree.swap(dir, d.root); d.under == nil {
		return false
	}
	d.mounted = dir
	return true
}

func (h *Host) unmount(d *Disk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mounted != "" {
		h.tree.swap(d.mounted, d.under)
		d.mounted, d.under = "", nil
	}
}

// bootDisks mounts what /etc/fstab names, except what is missing.
func (h *Host) bootDisks() {
	h.mu.Lock()
	all := make([]*Disk, 0, len(h.disks))
	for _, d := range h.disks {
		all = append(all, d)
	}
	h.mu.Unlock()
	for _, d := range all {
		h.unmount(d)
	}
	b, _ := h.tree.readFile("/etc/fstab")
	for l := range strings.Lines(string(b)) {
		f := strings.Fields(l)
		if len(f) < 4 {
			continue
		}
		if i, err := h.tree.stat(cred{}, f[0], false); err == nil {
			if d := h.disk(i.Target); d != nil && d.Kind() == f[2] {
				h.mount(d, f[1])
			}
		}
	}
}

// theDisk is the disk that a program's last argument names.
func (p *proc) theDisk(args []string) *Disk {
	if len(args) > 0 {
		if d := p.host.disk(args[len(args)-1]); d != nil {
			return d
		}
	}
	p.errorf("%s: no such device\n", p.argv[0])
	panic(exited(1))
}

// blkidMain is blkid -p -o value -s TYPE DEVICE: 2 where it finds nothing.
func blkidMain(p *proc) int {
	o := p.anywhere("p", "o:s:", nil)
	if !o.has("p") || o.value["o"] != "value" || o.value["s"] != "TYPE" {
		p.unsupported("blkid " + strings.Join(p.argv[1:], " "))
	}
	kind := p.theDisk(o.args).Kind()
	if kind == "" {
		return 2
	}
	p.printf("%s\n", kind)
	return 0
}

func mkfsMain(p *proc) int {
	o := p.anywhere("q", "m:L:", nil)
	d := p.theDisk(o.args)
	d.Format(strings.TrimPrefix(path.Base(p.argv[0]), "mkfs."))
	return 0
}

// findmntMain is findmnt -n [-o SOURCE] --mountpoint DIR.
func findmntMain(p *proc) int {
	o := p.anywhere("n", "o:M:", map[string]string{"mountpoint": "M:"})
	dev, d := p.host.mountedAt(o.value["M"])
	if d == nil || d.mounted != o.value["M"] {
		return 1
	}
	p.printf("%s\n", dev)
	return 0
}

// mountMain is mount DIR, by /etc/fstab.
func mountMain(p *proc) int {
	o := p.anywhere("", "", nil)
	if len(o.args) != 1 {
		p.unsupported("mount " + strings.Join(p.argv[1:], " "))
	}
	b, _ := p.host.tree.readFile("/etc/fstab")
	for l := range strings.Lines(string(b)) {
		f := strings.Fields(l)
		if len(f) < 4 || f[1] != o.args[0] {
			continue
		}
		i, err := p.host.tree.stat(cred{}, f[0], false)
		d := p.host.disk(i.Target)
		if err != nil || d == nil || d.Kind() != f[2] || !slices.Contains(strings.Split(f[3], ","), "nofail") || !p.host.mount(d, f[1]) {
			break
		}
		return 0
	}
	p.errorf("mount: %s: can't find in /etc/fstab, or wrong fs type\n", o.args[0])
	return 32
}

func blockdevMain(p *proc) int {
	o := p.anywhere("", "", map[string]string{"getsize64": "g"})
	p.printf("%d\n", p.theDisk(o.args).size()<<20)
	return 0
}

func dumpe2fsMain(p *proc) int {
	d := p.theDisk(p.anywhere("h", "", nil).args)
	p.printf("Filesystem volume name:   provision\nBlock count:              %d\nBlock size:               %d\n", d.blocks, 1<<20)
	return 0
}

func resize2fsMain(p *proc) int {
	d := p.theDisk(p.anywhere("", "", nil).args)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blocks = d.size()
	return 0
}
