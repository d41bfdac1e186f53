package digitalocean

import (
	"strings"
	"testing"

	"provision/provision/resource"
)

// world is a table of facts.
type world struct {
	facts   map[resource.ID]resource.Fact
	pending map[resource.ID]bool
	options map[string]bool
}

func (w world) Fact(id resource.ID) (resource.Record, resource.Know) {
	f := w.facts[id]
	return f.Record, f.Know
}
func (w world) Pending(id resource.ID) bool { return w.pending[id] }
func (w world) Option(name string) bool     { return w.options[name] }

func (w world) Parsed(_, _ string, parse func() any) any { return parse() }

// yes, no and unknown are facts; fields come as KEY, VALUE, ...
func fact(know resource.Know, fields ...string) resource.Fact {
	f := resource.Fact{Record: resource.Record{Fields: map[string]string{}}, Know: know}
	for i := 0; i+1 < len(fields); i += 2 {
		f.Fields[fields[i]] = fields[i+1]
	}
	return f
}

func yes(fields ...string) resource.Fact { return fact(resource.Yes, fields...) }
func no(fields ...string) resource.Fact  { return fact(resource.No, fields...) }
func unknown(why string) resource.Fact   { f := fact(resource.Unknown); f.Why = why; return f }

type facts map[resource.ID]resource.Fact

// diffCase is one row: what is known, and the change that comes of it as "ACT WHY", "" for none.
type diffCase struct {
	name    string
	facts   facts
	pending []resource.ID
	options []string
	want    string // "ACT: beginning of the reason"; several are separated by a line break
	risk    resource.Risk
}

func runDiff(t *testing.T, r resource.Resource, cases []diffCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := world{c.facts, map[resource.ID]bool{}, map[string]bool{}}
			for _, id := range c.pending {
				w.pending[id] = true
			}
			for _, o := range c.options {
				w.options[o] = true
			}
			var got []string
			for _, change := range r.Diff(w) {
				got = append(got, string(change.Act)+": "+change.Why)
				if change.ID != r.ID() {
					t.Errorf("the change is of %v", change.ID)
				}
				if change.Risk != c.risk {
					t.Errorf("risk %d, want %d", change.Risk, c.risk)
				}
				if change.Act == resource.Refuse && change.Hint == "" {
					t.Error("a refusal without a hint")
				}
			}
			want := strings.Split(c.want, "\n")
			if c.want == "" {
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
