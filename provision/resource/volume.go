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
	// Major is the major version of the PostgreSQL that is to read what lies here; "" where it is not
	// known, or where this is no database.
	Major string
	// Disk is where a volume with data of its own lies; nil for the engine's own place. Moved says that
	// it could lie elsewhere, so it is asked where it does.
	Disk  *Disk
	Moved bool
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

// listVolumes asks once for all volumes, a line each: name, owner, directory. V is yes if VS holds them.
const listVolumes = `V=no VS=
if [ $D = yes ]; then if VS=$(timeout 20 docker volume ls --format '{{.Name}}|{{.Label "provision.stack"}}|{{.Mountpoint}}' 2>&1); then V=yes; fi; fi`

func (v *Volume) Probe(s *Script) {
	s.Once("docker", dockerState)
	s.Once("volumes", listVolumes)
	s.Once("major", writtenBy)
	// Where the engine is gone, what it kept may still be there: that is not known before it is back.
	s.Record(v.ID(), fmt.Sprintf(`case $D$V in
no*) if [ -e %[2]s ]; then unknown 'Docker is not installed, but the volume was made here before'; else no; fi ;;
yesyes) no; [ ! -e %[2]s ] || v born yes
	printf '%%s\n' "$VS" | while IFS='|' read -r x _ dir; do [ "$x" = %[1]s ] || continue; yes; major "$dir"; done ;;
yes*) unknown "$VS" ;;
*) unknown "$DV" ;;
esac`, remote.Quote(v.Name), remote.Quote(v.bornPath()))+v.where())
}

// writtenBy defines major, which says by which PostgreSQL the data in a directory was written. The
// directory belongs to the database's uid, so a link in it is not followed.
const writtenBy = `major() { [ -L "$1/PG_VERSION" ] || [ ! -f "$1/PG_VERSION" ] || v major "$(head -c 20 "$1/PG_VERSION")"; }`

// where asks for the directory that the volume was made with, and for the data in the one that it should
// have: the engine shows that at its mountpoint only while it is in use.
func (v *Volume) where() string {
	if !v.Moved {
		return ""
	}
	data := ""
	if v.Disk != nil {
		data = "\nmajor " + remote.Quote(v.directory())
	}
	return data + fmt.Sprintf("\n[ $D$V != yesyes ] || { x=$(timeout 20 docker volume inspect --format '{{with .Options}}{{.device}}{{end}}' %s 2>/dev/null) && v device \"$x\"; }", remote.Quote(v.Name))
}

// directory is where it should lie; "" for the engine's own place.
func (v *Volume) directory() string {
	if v.Disk == nil {
		return ""
	}
	return v.Disk.Directory()
}

// bornPath marks that the volume was made on this host once.
func (v *Volume) bornPath() string { return Root + "/" + v.Stack + "/volume." + v.Name }

// Paths is the mark.
func (v *Volume) Paths() []string { return []string{v.bornPath()} }

func (v *Volume) Diff(w World) []Change {
	rec, know := w.Fact(v.ID())
	have := strings.TrimSpace(rec.Fields["major"])
	device, placed := rec.Fields["device"]
	device = strings.TrimSpace(device)
	switch {
	case ofOthers(w, v.ID(), v.Stack):
		return []Change{{
			ID: v.ID(), Act: Refuse, Risk: Data,
			Why: "a volume of this name is there and was not made for this stack: it may be somebody else's, and is left as it is",
			Hint: "see whose it is (docker volume inspect " + v.Name + "); if it is to stay, give the stack another name: " + otherName(v.Stack) +
				"; if nobody needs it, remove it yourself (docker volume rm " + v.Name + ") and begin with empty data: provision apply --new-data",
		}}
	case know == Yes && v.Moved && placed && device != v.directory():
		return []Change{{
			ID: v.ID(), Act: Refuse, Risk: Data,
			Why:  fmt.Sprintf("the database lies %s, and should lie %s: it is not moved silently", place(device), place(v.directory())),
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
	mark := fmt.Sprintf(": >%s\n", remote.Quote(v.bornPath()))
	if c.Act == Modify {
		_, err := r.Sh(ctx, v.Host, mark)
		return err
	}
	options := ""
	if dir := v.directory(); dir != "" {
		// The engine mounts it when the container starts, and fails where the directory is not there.
		options = " --opt type=none --opt o=bind --opt device=" + remote.Quote(dir)
	}
	_, err := r.Sh(ctx, v.Host, fmt.Sprintf("docker volume create --label %s%s %s\n",
		remote.Quote(LabelStack+"="+v.Stack), options, remote.Quote(v.Name))+mark)
	return err
}

// place names a directory in a message.
func place(dir string) string {
	if dir == "" {
		return "on the machine's own disk"
	}
	return "in " + remote.Sanitize(dir)
}
