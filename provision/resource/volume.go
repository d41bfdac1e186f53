package resource

import (
	"context"
	"fmt"
	"strings"

	"provision/remote"
)

// Volume is a named volume. It is made and never removed.
type Volume struct {
	Host, Stack, Name string
	// Birth says that the stack's data is born with this volume: where the identity says that the
	// data exists and the volume does not, a new empty one is refused.
	Birth bool
	// Major is the major version of the PostgreSQL that is to read what is here; "" where it is not
	// known, or where this is no database.
	Major string
	// Disk is where a volume with data of its own is; nil for the engine's own place. Movable: the volume may be on another
	// disk, so the probe also reports its location.
	Disk    *Disk
	Movable bool
	// Spare says that the stack's data are in a database elsewhere: this volume is looked at, and never made.
	Spare bool
}

var _ Resource = (*Volume)(nil)

// VolumeID is the ID of a volume.
func VolumeID(host, name string) ID { return ID{host, "volume", name} }

func (v *Volume) ID() ID { return VolumeID(v.Host, v.Name) }
func (v *Volume) Needs() []ID {
	if v.Disk != nil {
		return []ID{EngineID(v.Host), v.Disk.ID()}
	}
	return []ID{EngineID(v.Host)}
}

func (v *Volume) Probe(s *Script) {
	s.Once("docker", scripts.With("docker_state"))
	s.Once("volumes", scripts.With("volumes", "label", LabelStack))
	s.Once("major", scripts.With("volume_major"))
	script := scripts.With("volume_probe", "name", v.Name, "born", v.bornPath(), "elsewhere", v.elsewherePath())
	if v.Movable {
		script += scripts.With("volume_where", "at", v.directory())
	}
	s.Record(v.ID(), script)
}

// directory is where it should be; "" for the engine's own place.
func (v *Volume) directory() string {
	if v.Disk == nil {
		return ""
	}
	return v.Disk.Directory()
}

// bornPath marks that the volume was made on this host once.
func (v *Volume) bornPath() string { return Root + "/" + v.Stack + "/volume." + v.Name }

// elsewherePath is the mark that the data are in a database elsewhere; "" where this volume is none of a database.
func (v *Volume) elsewherePath() string {
	if !v.Birth {
		return ""
	}
	return ElsewherePath(v.Stack)
}

// Paths is the mark.
func (v *Volume) Paths() []string { return []string{v.bornPath()} }

func (v *Volume) Diff(w World) []Change {
	rec, know := w.Fact(v.ID())
	have := strings.TrimSpace(rec.Fields["major"])
	device, placed := rec.Fields["device"]
	device = strings.TrimSpace(device)
	elsewhere := remote.Sanitize(strings.TrimSpace(rec.Fields["elsewhere"]))
	switch {
	case v.Spare:
		return nil
	case elsewhere != "" && !(know == No && w.Option("new-data")):
		return []Change{{
			ID: v.ID(), Act: Refuse, Risk: Data, Why: fmt.Sprintf("the stack's data are in the database %s, which the stack file does not name any more", elsewhere),
			Hint: "put postgres.url back; or start with empty data: provision apply --new-data, and where the volume is still there from before, remove it yourself first (docker volume rm " + v.Name + ")",
		}}
	case ofOthers(w, v.ID(), v.Stack):
		return []Change{{
			ID: v.ID(), Act: Refuse, Risk: Data,
			Why: "a volume of this name is there and was not made for this stack: it may be somebody else's, and is left as it is",
			Hint: "see whose it is (docker volume inspect " + v.Name + "); if it is to stay, give the stack another name: " + otherName(v.Stack) +
				"; if nobody needs it, remove it yourself (docker volume rm " + v.Name + ") and begin with empty data: provision apply --new-data",
		}}
	case know == Yes && v.Movable && placed && device != v.directory():
		return []Change{{
			ID: v.ID(), Act: Refuse, Risk: Data,
			Why:  fmt.Sprintf("the database is %s, and should be %s: it is not moved silently", place(device), place(v.directory())),
			Hint: "leave the inventory's volume key as it was; to move it, dump the database, and restore it into a new stack",
		}}
	case have != "" && v.Major != "" && have != v.Major:
		return []Change{{
			ID: v.ID(), Act: Refuse, Risk: Data,
			Why:  fmt.Sprintf("its data was written by PostgreSQL %s, and the stack has %s, which does not read it", remote.Sanitize(have), v.Major),
			Hint: "keep postgres.image at a version " + remote.Sanitize(have) + "; to change it, dump the database, and restore it into a new stack",
		}}
	case know == Yes && rec.Fields["born"] == "": // a run was killed before it made it, or somebody removed it
		return []Change{{ID: v.ID(), Act: Modify, Why: "the mark that it was made is missing"}}
	case know != No:
		return nil
	case v.Birth && rec.Fields["born"] != "" && !w.Option("new-data"):
		return []Change{{
			ID: v.ID(), Act: Refuse, Risk: Data, Why: "the volume was made here before and is gone, with the data in it",
			Hint: "restore it from a backup, or start with empty data: provision apply --new-data",
		}}
	}
	return []Change{{ID: v.ID(), Act: Add, Why: "the volume does not exist"}}
}

// ofOthers says that a volume is there, without the label of the stack, on a host where the stack never made it. One that was
// put back from a backup by hand has the mark.
func ofOthers(w World, id ID, stack string) bool {
	d, _ := docker(w, id.Host)
	rec, know := w.Fact(id)
	owner, listed := d.Volumes[id.Name]
	return know == Yes && listed && owner != stack && rec.Fields["born"] == ""
}

func (v *Volume) Do(ctx context.Context, r *Run, c Change) error {
	make := "yes"
	if c.Act == Modify {
		make = "no"
	}
	_, err := r.Sh(ctx, v.Host, scripts.With("volume_change", "make", make, "name", v.Name, "stack", v.Stack, "label", LabelStack, "at", v.directory(), "born", v.bornPath(), "elsewhere", v.elsewherePath()))
	return err
}

// place names a directory in a message.
func place(dir string) string {
	if dir == "" {
		return "on the machine's own disk"
	}
	return "in " + remote.Sanitize(dir)
}
