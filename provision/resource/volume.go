package resource

import (
	"context"
	"fmt"

	"provision/remote"
)

// Volume is a named volume. It is made and never removed.
type Volume struct {
	Host, Stack, Name string
	// Birth says that the stack's data is born with this volume: where the identity says that the
	// data exists and the volume does not, a new empty one is refused.
	Birth bool
}

var _ Resource = (*Volume)(nil)

// VolumeID is the ID of a volume.
func VolumeID(host, name string) ID { return ID{host, "volume", name} }

func (v *Volume) ID() ID      { return VolumeID(v.Host, v.Name) }
func (v *Volume) Needs() []ID { return []ID{EngineID(v.Host)} }
func (v *Volume) Probe(s *Script) {
	s.Once("docker", dockerState)
	// Where the engine is gone, what it kept may still be there: that is not known before it is back.
	s.Record(v.ID(), fmt.Sprintf(`case $D in
no) if [ -e %[3]s ]; then unknown 'Docker is not installed, but the volume was made here before'; else no; fi ;;
yes) if x=$(timeout 20 docker volume ls -q --filter %[1]s 2>&1); then
	no; for y in $x; do [ "$y" != %[2]s ] || yes; done
	[ ! -e %[3]s ] || v born yes
else unknown "$x"; fi ;;
*) unknown "$DV" ;;
esac`, remote.Quote("name="+v.Name), remote.Quote(v.Name), remote.Quote(v.bornPath())))
}

// bornPath marks that the volume was made on this host once.
func (v *Volume) bornPath() string { return Root + "/" + v.Stack + "/volume." + v.Name }

// Paths is the mark.
func (v *Volume) Paths() []string { return []string{v.bornPath()} }

func (v *Volume) Diff(w World) []Change {
	rec, know := w.Fact(v.ID())
	switch {
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

func (v *Volume) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, v.Host, fmt.Sprintf("docker volume create --label %s %s\n: >%s\n",
		remote.Quote(LabelStack+"="+v.Stack), remote.Quote(v.Name), remote.Quote(v.bornPath())))
	return err
}
