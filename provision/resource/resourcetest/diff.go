// Package resourcetest holds the tables of tests of resources: what is known, and the change that comes of it.
package resourcetest

import (
	"strings"
	"testing"

	"provision/provision/resource"
)

// World is a resource.World that is made of tables.
type World struct {
	Facts Facts
	ToDo  map[resource.ID]bool
	Asked map[string]bool
}

func (w World) Fact(id resource.ID) (resource.Record, resource.Know) {
	f := w.Facts[id]
	return f.Record, f.Know
}
func (w World) Pending(id resource.ID) bool { return w.ToDo[id] }
func (w World) Option(name string) bool     { return w.Asked[name] }

func (w World) Parsed(_, _ string, parse func() any) any { return parse() }

// Fact is what is known; fields come as KEY, VALUE, ...
func Fact(know resource.Know, fields ...string) resource.Fact {
	f := resource.Fact{Record: resource.Record{Fields: map[string]string{}}, Know: know}
	for i := 0; i+1 < len(fields); i += 2 {
		f.Fields[fields[i]] = fields[i+1]
	}
	return f
}

// Yes is the fact that something is there.
func Yes(fields ...string) resource.Fact { return Fact(resource.Yes, fields...) }

// No is the fact that something is not there.
func No(fields ...string) resource.Fact { return Fact(resource.No, fields...) }

// Unknown is the fact that nothing is known, and why.
func Unknown(why string) resource.Fact {
	f := Fact(resource.Unknown)
	f.Why = why
	return f
}

// Facts is what is known of all resources.
type Facts map[resource.ID]resource.Fact

// With returns the facts with one more.
func (f Facts) With(id resource.ID, one resource.Fact) Facts {
	out := Facts{id: one}
	for k, v := range f {
		if k != id {
			out[k] = v
		}
	}
	return out
}

// Case is one row: what is known, and the changes that come of it.
type Case struct {
	Name    string
	Facts   Facts
	Pending []resource.ID
	Options []string
	Want    string // "ACT: beginning of the reason", "" for no change; several are separated by a line break
	Risk    resource.Risk
}

// Diff holds a resource's Diff to the cases, each of which is a subtest.
func Diff(t *testing.T, r resource.Resource, cases []Case) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			w := World{Facts: c.Facts, ToDo: map[resource.ID]bool{}, Asked: map[string]bool{}}
			for _, id := range c.Pending {
				w.ToDo[id] = true
			}
			for _, o := range c.Options {
				w.Asked[o] = true
			}
			var got []string
			for _, change := range r.Diff(w) {
				got = append(got, string(change.Act)+": "+change.Why)
				if change.ID != r.ID() {
					t.Errorf("the change is of %v", change.ID)
				}
				if change.Risk != c.Risk {
					t.Errorf("risk %d, want %d", change.Risk, c.Risk)
				}
				if change.Act == resource.Refuse && change.Hint == "" {
					t.Error("a refusal without a hint")
				}
			}
			want := strings.Split(c.Want, "\n")
			if c.Want == "" {
				want = nil
			}
			if len(got) != len(want) {
				t.Fatalf("%q, want %q", got, want)
			}
			for i := range want {
				if !strings.HasPrefix(got[i], want[i]) {
					t.Errorf("%q, want %q", got[i], want[i])
				}
			}
		})
	}
}
