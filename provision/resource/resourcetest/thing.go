package resourcetest

import (
	"context"
	"strings"

	"provision/provision/resource"
)

// Thing is a resource whose every answer is a row of a table.
type Thing struct {
	Name   resource.ID
	Wants  []resource.ID
	Differ func(resource.World) []resource.Change
	Work   func(context.Context) error
}

func (r *Thing) ID() resource.ID      { return r.Name }
func (r *Thing) Needs() []resource.ID { return r.Wants }
func (r *Thing) Probe(*resource.Script) {
}

func (r *Thing) Diff(w resource.World) []resource.Change {
	if r.Differ == nil {
		return nil
	}
	return r.Differ(w)
}

func (r *Thing) Do(ctx context.Context, _ *resource.Run, _ resource.Change) error {
	if r.Work == nil {
		return nil
	}
	return r.Work(ctx)
}

// ThingID reads HOST/NAME.
func ThingID(s string) resource.ID {
	host, name, _ := strings.Cut(s, "/")
	return resource.ID{Host: host, Kind: "thing", Name: name}
}

// ThingIDs reads a list of them.
func ThingIDs(list ...string) (out []resource.ID) {
	for _, s := range list {
		out = append(out, ThingID(s))
	}
	return out
}

// Absent is changed where its own fact is no; it sees what is pending.
func Absent(name string, needs ...string) *Thing {
	id := ThingID(name)
	return &Thing{Name: id, Wants: ThingIDs(needs...), Differ: func(w resource.World) []resource.Change {
		if _, know := w.Fact(id); know != resource.No {
			return nil
		}
		why := "missing"
		for _, n := range needs {
			if w.Pending(ThingID(n)) {
				why += ", " + n + " is pending"
			}
		}
		return []resource.Change{{ID: id, Act: resource.Add, Why: why}}
	}}
}
