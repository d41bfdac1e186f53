package remotetest

import (
	"path"
	"slices"
	"strings"
	"sync"

	"provision/remote/remotetest/unix"
)

// Disk is a block device that is attached to one host after another and keeps what is on it. Its
// zero value is blank.
type Disk struct {
	MiB int // default 1024

	mu       sync.Mutex
	kind     string     // of file system; "" while it is blank
	blocks   int        // of the file system, in MiB
	root     *unix.Node // what is on it
	under    *unix.Node // the directory below it while it is mounted
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
	_ = h.sys.Tree.MkdirAll("/dev/disk/by-id")
	_ = h.sys.Tree.WriteFile(device(id), "", 0o660)
	_ = h.sys.Tree.Symlink(unix.Cred{}, device(id), "/dev/disk/by-id/"+id)
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
	h.sys.Tree.RemoveAll("/dev/disk/by-id/" + id)
	h.sys.Tree.RemoveAll(device(id))
}

func (h *Host) disk(dev string) *Disk {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.disks[dev]
}

// mountedAt is the disk below a path, and its device.
func (h *Host) mountedAt(dir string) (dev string, d *Disk) {
	return h.mounted(func(at string) bool { return dir == at || strings.HasPrefix(dir, at+"/") })
}

func (h *Host) mounted(where func(at string) bool) (dev string, d *Disk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for dev, d := range h.disks {
		d.mu.Lock()
		at := d.mounted
		d.mu.Unlock()
		if at != "" && where(at) {
			return dev, d
		}
	}
	return "", nil
}

func (h *Host) mount(d *Disk, dir string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		d.root = h.sys.Tree.Blank()
	}
	if d.under = h.sys.Tree.Swap(dir, d.root); d.under == nil {
		return false
	}
	d.mounted = dir
	return true
}

func (h *Host) unmount(d *Disk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mounted != "" {
		h.sys.Tree.Swap(d.mounted, d.under)
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
	b, _ := h.sys.Tree.ReadFile("/etc/fstab")
	for l := range strings.Lines(string(b)) {
		f := strings.Fields(l)
		if len(f) < 4 {
			continue
		}
		if i, err := h.sys.Tree.Stat(unix.Cred{}, f[0], false); err == nil {
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
	p.Errorf("%s: no such device\n", p.Argv[0])
	panic(unix.Exited(1))
}

// blkidMain is blkid -p -o value -s TYPE DEVICE: 2 where it finds nothing.
func blkidMain(p *proc) int {
	o := p.Anywhere("p", "o:s:", nil)
	if !o.Has("p") || o.Value["o"] != "value" || o.Value["s"] != "TYPE" {
		p.Unsupported("blkid " + strings.Join(p.Argv[1:], " "))
	}
	kind := p.theDisk(o.Args).Kind()
	if kind == "" {
		return 2
	}
	p.Printf("%s\n", kind)
	return 0
}

func mkfsMain(p *proc) int {
	o := p.Anywhere("q", "m:L:", nil)
	d := p.theDisk(o.Args)
	d.Format(strings.TrimPrefix(path.Base(p.Argv[0]), "mkfs."))
	return 0
}

// findmntMain is findmnt -n [-o SOURCE] --mountpoint DIR.
func findmntMain(p *proc) int {
	o := p.Anywhere("n", "o:M:", map[string]string{"mountpoint": "M:"})
	dev, d := p.host.mounted(func(at string) bool { return at == o.Value["M"] })
	if d == nil {
		return 1
	}
	p.Printf("%s\n", dev)
	return 0
}

// mountMain is mount DIR, by /etc/fstab.
func mountMain(p *proc) int {
	o := p.Anywhere("", "", nil)
	if len(o.Args) != 1 {
		p.Unsupported("mount " + strings.Join(p.Argv[1:], " "))
	}
	b, _ := p.host.sys.Tree.ReadFile("/etc/fstab")
	for l := range strings.Lines(string(b)) {
		f := strings.Fields(l)
		if len(f) < 4 || f[1] != o.Args[0] {
			continue
		}
		i, err := p.host.sys.Tree.Stat(unix.Cred{}, f[0], false)
		d := p.host.disk(i.Target)
		if err != nil || d == nil || d.Kind() != f[2] || !slices.Contains(strings.Split(f[3], ","), "nofail") || !p.host.mount(d, f[1]) {
			break
		}
		return 0
	}
	p.Errorf("mount: %s: can't find in /etc/fstab, or wrong fs type\n", o.Args[0])
	return 32
}

func blockdevMain(p *proc) int {
	o := p.Anywhere("", "", map[string]string{"getsize64": "g"})
	p.Printf("%d\n", p.theDisk(o.Args).size()<<20)
	return 0
}

func dumpe2fsMain(p *proc) int {
	d := p.theDisk(p.Anywhere("h", "", nil).Args)
	d.mu.Lock()
	blocks := d.blocks
	d.mu.Unlock()
	p.Printf("Filesystem volume name:   provision\nBlock count:              %d\nBlock size:               %d\n", blocks, 1<<20)
	return 0
}

func resize2fsMain(p *proc) int {
	d := p.theDisk(p.Anywhere("", "", nil).Args)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blocks = d.size()
	return 0
}
