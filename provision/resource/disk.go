package resource

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"provision/remote"
)

// Disk is block storage on its host: formatted only if it is blank, and mounted by its id. Without
// it the host boots all the same (nofail), and since the database is in a directory that exists
// only on the disk, its container then does not start, instead of starting with nothing.
type Disk struct {
	Host   string
	Device string // below /dev/disk/by-id
	Path   string // where it is mounted
	Sub    string // the directory for the database, and its owner
	Owner  string
	Born   string // the mark that this host has had the database before
	Kept   *Kept
	After  []ID
}

var _ Resource = (*Disk)(nil)

// DiskID is the ID of a mounted disk.
func DiskID(host, path string) ID { return ID{host, "disk", path} }

func (d *Disk) ID() ID      { return DiskID(d.Host, d.Path) }
func (d *Disk) Needs() []ID { return append([]ID{SystemID(d.Host)}, d.After...) }

// Directory is where the database is.
func (d *Disk) Directory() string { return d.Path + "/" + d.Sub }

func (d *Disk) fstab() string {
	return d.Device + " " + d.Path + " ext4 defaults,nofail,discard,x-systemd.before=docker.service 0 2"
}

func (d *Disk) Probe(s *Script) {
	s.Once("kept", scripts.With("kept"))
	s.Record(d.ID(), d.Kept.lost()+scripts.With("disk_probe", append(d.values(), "born", d.Born)...))
}

// values are what both of its scripts take.
func (d *Disk) values() []string {
	return []string{"dev", d.Device, "dir", d.Path, "sub", d.Sub, "fstab", d.fstab()}
}

func (d *Disk) Diff(w World) []Change {
	rec, know := w.Fact(d.ID())
	refuse := func(why, hint string) []Change {
		return []Change{{ID: d.ID(), Act: Refuse, Risk: Data, Why: why, Hint: hint}}
	}
	fs, source, real := strings.TrimSpace(rec.Fields["fs"]), rec.Fields["source"], rec.Fields["real"]
	change := Change{ID: d.ID(), Act: Modify}
	switch {
	case know == Unknown:
		return nil
	case source != "" && real != "" && source != real:
		return refuse(fmt.Sprintf("%s is mounted at %s, not the volume", remote.Sanitize(source), d.Path), "unmount it, and see /etc/fstab")
	case fs != "" && fs != "ext4":
		return refuse(fmt.Sprintf("there is %s on the volume, not ext4: it is somebody's, and is not formatted", remote.Sanitize(fs)), "see what is on it; if it is nothing: wipefs -a "+d.Device)
	case know == No && real != "" && fs == "" && rec.Fields["born"] != "" && !w.Option("new-data"):
		return refuse("the volume is blank, but this host has had a database on it", "attach the right volume, or begin with empty data: provision apply --new-data")
	case know == No && fs == "":
		change.Act, change.Why = Add, "the volume is formatted if it is blank, and mounted"
	case know == No:
		change.Act, change.Why = Add, "the volume is not mounted; its data stays"
	case rec.Fields["sub"] == "" && rec.Fields["born"] != "" && !w.Option("new-data"):
		return refuse(fmt.Sprintf("the directory %s, in which the database was, is gone from the volume", d.Sub), "put it back from a backup, or begin with empty data: provision apply --new-data")
	case rec.Fields["sub"] == "":
		change.Why = "the directory for the database is missing"
	case rec.Fields["fstab"] == "":
		change.Why = "it is not mounted at boot"
	case rec.Fields["lost"] != "":
		change.Why = remote.Sanitize(rec.Fields["lost"]) + " is beside the data and not where it is used: it is put back"
	case d.grown(rec.Fields["sizes"]):
		change.Why = "the volume has grown, and its file system has not"
	default:
		return nil
	}
	return []Change{change}
}

// grown compares the bytes of the device with blocks and block size of the file system.
func (d *Disk) grown(sizes string) bool {
	f := strings.Fields(sizes)
	if len(f) != 3 {
		return false
	}
	var n [3]int64
	for i := range f {
		var err error
		if n[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
			return false
		}
	}
	return n[0]-n[1]*n[2] >= 1<<20
}

func (d *Disk) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, d.Host, scripts.With("disk_change", append(d.values(), "owner", d.Owner)...)+d.Kept.restore())
	return err
}

// Kept are the few files without which the data on a disk is of no use: they are beside it, too, so
// that a new droplet with the old volume is the same stack.
type Kept struct {
	Host  string
	Base  string // where the files are in use
	Dir   string // on the disk
	Files []string
	After []ID
}

var _ Resource = (*Kept)(nil)

func (k *Kept) ID() ID      { return ID{k.Host, "kept beside the data", k.Dir} }
func (k *Kept) Needs() []ID { return k.After }

// values are what all of its scripts take, beside the files.
func (k *Kept) values() []string { return []string{"b", k.Base, "d", k.Dir} }

func (k *Kept) Probe(s *Script) {
	s.Once("kept", scripts.With("kept"))
	s.Record(k.ID(), remote.Args(k.Files...)+scripts.With("kept_probe", k.values()...))
}

func (k *Kept) Diff(w World) []Change {
	rec, know := w.Fact(k.ID())
	switch {
	case know == No:
		return []Change{{ID: k.ID(), Act: Add, Why: "identity and encryption key are on the droplet's own disk only"}}
	case know == Yes && rec.Fields["differ"] != "":
		return []Change{{ID: k.ID(), Act: Modify, Why: remote.Sanitize(rec.Fields["differ"]) + " differs from the one in use"}}
	}
	return nil
}

func (k *Kept) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, k.Host, remote.Args(k.Files...)+scripts.With("kept")+scripts.With("kept_change", k.values()...))
	return err
}

// lost says what is kept and not in use; the script has kept.sh.
func (k *Kept) lost() string {
	return remote.Args(k.Files...) + scripts.With("kept_lost", k.values()...)
}

// restore puts back what is kept and not there.
func (k *Kept) restore() string {
	return remote.Args(k.Files...) + scripts.With("kept") + scripts.With("kept_restore", k.values()...)
}
