package plan

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"provision/provision/resource"
	"provision/provision/resource/resourcetest"
)

// TestNeedsAgainstClosure: what is found without the list of all that a resource needs is what the list says.
func TestNeedsAgainstClosure(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []resource.Resource
		for n := range rapid.IntRange(1, 12).Draw(t, "resources") {
			r := &resourcetest.Thing{Name: resourcetest.ThingID(fmt.Sprintf("h/%d", n))}
			for _, m := range rapid.SliceOfN(rapid.IntRange(0, 11), 0, 4).Draw(t, "needs") {
				if m < n {
					r.Wants = append(r.Wants, resourcetest.ThingID(fmt.Sprintf("h/%d", m)))
				}
			}
			all = append(all, r)
		}
		g, err := NewGraph(all)
		if err != nil {
			t.Fatal(err)
		}
		set := map[resource.ID]bool{}
		first := newFirsts(g.needs, set)
		for _, r := range g.Resources {
			want := slices.DeleteFunc(slices.Clone(g.Needs(r.ID())), func(m resource.ID) bool { return !set[m] })
			got, ok := first.of(r.ID())
			if ok != (len(want) > 0) || ok && got != want[0] {
				t.Fatalf("%s needs %s first, found %s", r.ID(), want, got)
			}
			near := g.Nearest(r.ID(), func(m resource.ID) bool { return set[m] })
			for _, m := range want { // each is found, or behind one that is
				if !slices.Contains(near, m) && !slices.ContainsFunc(near, func(n resource.ID) bool { return slices.Contains(g.Needs(n), m) }) {
					t.Fatalf("%s needs %s; found %s", r.ID(), m, near)
				}
			}
			for _, m := range near {
				if !slices.Contains(want, m) {
					t.Fatalf("%s does not need %s", r.ID(), m)
				}
			}
			if len(near) > 0 && near[0] != want[0] {
				t.Fatalf("%s needs %s first, found %s", r.ID(), want[0], near[0])
			}
			if rapid.Bool().Draw(t, "changes") {
				set[r.ID()] = true
			}
		}
	})
}
