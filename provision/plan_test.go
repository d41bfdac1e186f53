package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"provision/provision/resource"
)

// thing is a resource whose every answer is a row of a table.
type thing struct {
	id    resource.ID
	needs []resource.ID
	diff  func(resource.World) []resource.Change
	do    func(context.Context) error
}

func (r *thing) ID() resource.ID      { return r.id }
func (r *thing) Needs() []resource.ID { return r.needs }
func (r *thing) Probe(*resource.Script) {
}

func (r *thing) Diff(w resource.World) []resource.Change {
	if r.diff == nil {
		return nil
	}
	return r.diff(w)
}

func (r *thing) Do(ctx context.Context, _ *resource.Run, _ resource.Change) error {
	if r.do == nil {
		return nil
	}
	return r.do(ctx)
}

// doubtful is a thing without a record of its own.
type doubtful struct {
	thing
	why string
}

func (r *doubtful) WhyUnknown(resource.World) string { return r.why }

// id is HOST/NAME.
func id(s string) resource.ID {
	host, name, _ := strings.Cut(s, "/")
	return resource.ID{Host: host, Kind: "thing", Name: name}
}

func ids(list ...string) (out []resource.ID) {
	for _, s := range list {
		out = append(out, id(s))
	}
	return out
}

// absent is changed where its own fact is no; it sees what is pending.
func absent(name string, needs ...string) *thing {
	return &thing{id: id(name), needs: ids(needs...), diff: func(w resource.World) []resource.Change {
		if _, know := w.Fact(id(name)); know != resource.No {
			return nil
		}
		why := "missing"
		for _, n := range needs {
			if w.Pending(id(n)) {
				why += ", " + n + " is pending"
			}
		}
		return []resource.Change{{ID: id(name), Act: resource.Add, Why: why}}
	}}
}

func refusing(name string, risk resource.Risk) *thing {
	return &thing{id: id(name), diff: func(resource.World) []resource.Change {
		return []resource.Change{{ID: id(name), Act: resource.Refuse, Risk: risk, Why: "no", Hint: "do this"}}
	}}
}

func shown(p *Plan) string {
	var out []string
	for _, c := range p.Changes {
		out = append(out, fmt.Sprintf("%s %s/%s: %s", c.Act, c.Host, c.Planned.ID.Name, c.Why))
	}
	for _, l := range p.Later {
		out = append(out, fmt.Sprintf("%s/%s after %s", l.Host, strings.TrimPrefix(l.Step, "thing "), strings.TrimPrefix(l.After, "thing ")))
	}
	return strings.Join(out, "; ")
}

func TestDiff(t *testing.T) {
	t.Parallel()
	known := func(pairs ...any) Facts {
		f := Facts{}
		for i := 0; i < len(pairs); i += 2 {
			f[id(pairs[i].(string))] = resource.Fact{Know: pairs[i+1].(resource.Know), Record: resource.Record{Why: "because"}}
		}
		return f
	}
	const yes, no, unknown = resource.Yes, resource.No, resource.Unknown
	for name, c := range map[string]struct {
		resources []resource.Resource
		facts     Facts
		want      string
		err       string
	}{
		"nothing differs":               {[]resource.Resource{absent("a/x")}, known("a/x", yes), "", ""},
		"one is missing":                {[]resource.Resource{absent("a/x")}, known("a/x", no), "add a/x: missing", ""},
		"never asked":                   {[]resource.Resource{absent("a/x")}, known(), "", ""},
		"unknown, and nothing changes":  {[]resource.Resource{absent("a/x")}, known("a/x", unknown), "", "a: thing x: cannot be observed: because"},
		"unknown, an unrelated changes": {[]resource.Resource{absent("a/x"), absent("a/y")}, known("a/x", unknown, "a/y", no), "add a/y: missing", "a: thing x: cannot be observed: because"},
		"unknown, its need changes":     {[]resource.Resource{absent("a/x"), absent("a/y", "a/x")}, known("a/x", no, "a/y", unknown), "add a/x: missing; a/y after x", ""},
		"unknown, a need of its need changes": {
			[]resource.Resource{absent("a/x"), absent("b/y", "a/x"), absent("b/z", "b/y")},
			known("a/x", no, "b/y", yes, "b/z", unknown),
			"add a/x: missing; b/z after x", "",
		},
		"pending is seen by what comes after": {[]resource.Resource{absent("a/x"), absent("b/y", "a/x")}, known("a/x", no, "b/y", no), "add a/x: missing; add b/y: missing, a/x is pending", ""},
		"the order is that of needs":          {[]resource.Resource{absent("b/y", "a/x"), absent("a/x")}, known("a/x", no, "b/y", no), "add a/x: missing; add b/y: missing, a/x is pending", ""},
		"what needs an unknown one waits": {
			[]resource.Resource{absent("a/x"), absent("a/y", "a/x"), absent("b/z", "a/y"), absent("b/w")},
			known("a/x", no, "a/y", unknown, "b/z", no, "b/w", no),
			"add a/x: missing; add b/w: missing; a/y after x; b/z after y", "",
		},
		"what needs a doubtful one waits": {
			[]resource.Resource{absent("a/x"), &doubtful{*absent("a/y", "a/x"), "no answer"}, absent("b/z", "a/y")},
			known("a/x", no, "b/z", no),
			"add a/x: missing; a/y after x; b/z after y", "",
		},
		"a known one can be doubtful": {[]resource.Resource{&doubtful{*absent("a/y"), "no answer"}}, known("a/y", yes), "", "a: thing y: cannot be observed: no answer"},
		"a refusal does not wait": {
			[]resource.Resource{absent("a/x"), absent("a/y", "a/x"), func() resource.Resource { r := refusing("b/z", resource.Data); r.needs = ids("a/y"); return r }()},
			known("a/x", no, "a/y", unknown), "add a/x: missing; refuse b/z: no; a/y after x", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sorted, needs, err := order(c.resources)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := diff(sorted, needs, c.facts, nil, nil)
			if got := shown(plan); got != c.want {
				t.Errorf("plan %q\nwant %q", got, c.want)
			}
			if got := fmt.Sprint(err); c.err == "" && err != nil || c.err != "" && got != c.err {
				t.Errorf("error %q, want %q", got, c.err)
			}
			if err != nil && ExitCode(err) != ExitUnknown {
				t.Errorf("exit code %d", ExitCode(err))
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		resources []resource.Resource
		code      int
	}{
		"none":      {[]resource.Resource{absent("a/x")}, ExitDone},
		"preflight": {[]resource.Resource{refusing("a/x", resource.Preflight), refusing("b/x", resource.Preflight)}, ExitPreflight},
		"data":      {[]resource.Resource{refusing("a/x", resource.Data)}, ExitData},
		"both":      {[]resource.Resource{refusing("a/x", resource.Data), refusing("b/x", resource.Preflight)}, ExitData}, // data at stake is all that is said
	} {
		plan, err := diff(c.resources, nil, Facts{}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = refusals(plan)
		if got := ExitCode(err); got != c.code {
			t.Errorf("%s: %d, want %d", name, got, c.code)
		}
		for _, e := range Errors(err) {
			if e.Host == "" || e.Step != "thing x" || e.Cause != "no" || e.Hint != "do this" {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		resources []resource.Resource
		want      string // names in order
		needs     string // of the last one
		err       string
	}{
		"as given":       {[]resource.Resource{absent("a/x"), absent("a/y"), absent("a/z")}, "x y z", "", ""},
		"needs first":    {[]resource.Resource{absent("a/z", "b/y"), absent("b/y", "a/x"), absent("a/x")}, "x y z", "y x", ""},
		"diamond":        {[]resource.Resource{absent("a/x"), absent("a/l", "a/x"), absent("a/r", "a/x"), absent("a/z", "a/l", "a/r")}, "x l r z", "l x r", ""},
		"unknown needs":  {[]resource.Resource{absent("a/x", "a/nobody")}, "x", "", ""},
		"itself":         {[]resource.Resource{absent("a/x", "a/x")}, "", "", "resources need each other: thing x -> thing x"},
		"circle":         {[]resource.Resource{absent("a/x", "a/y"), absent("a/y", "b/z"), absent("b/z", "a/x")}, "", "", "resources need each other: thing x -> thing y -> thing z -> thing x"},
		"twice":          {[]resource.Resource{absent("a/x"), absent("a/x")}, "", "", "two resources are called thing x on a"},
		"on other hosts": {[]resource.Resource{absent("a/x"), absent("b/x")}, "x x", "", ""},
	} {
		sorted, needs, err := order(c.resources)
		if c.err != "" || err != nil {
			if fmt.Sprint(err) != c.err {
				t.Errorf("%s: error %v, want %s", name, err, c.err)
			}
			continue
		}
		var got, gotNeeds []string
		for _, r := range sorted {
			got = append(got, r.ID().Name)
		}
		for _, n := range needs.of(sorted[len(sorted)-1].ID()) {
			gotNeeds = append(gotNeeds, n.Name)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
		if s := strings.Join(gotNeeds, " "); s != c.needs {
			t.Errorf("%s: the last needs %q, want %q", name, s, c.needs)
		}
	}
}

func TestLimited(t *testing.T) {
	t.Parallel()
	resources := []resource.Resource{absent("a/x"), absent("b/y", "a/x"), absent("b/z"), absent("c/w", "b/z")}
	sorted, needs, err := order(resources)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		limit   []string
		missing []string
		want    string
		err     string
	}{
		"all of them":            {[]string{"a", "b", "c"}, []string{"a/x", "b/y"}, "add a/x: missing; add b/y: missing, a/x is pending", ""},
		"one":                    {[]string{"a"}, []string{"a/x", "b/y"}, "add a/x: missing", ""},
		"what it needs is there": {[]string{"b"}, []string{"b/y", "c/w"}, "add b/y: missing", ""},
		"what it needs is not":   {[]string{"b"}, []string{"a/x", "b/y", "b/z"}, "add b/z: missing", "b: thing y needs thing x on a first, which --limit leaves out"},
		"nothing of it":          {[]string{"c"}, []string{"a/x"}, "", ""},
	} {
		f := Facts{}
		for _, r := range resources {
			know := resource.Yes
			if slices.Contains(c.missing, r.ID().Host+"/"+r.ID().Name) {
				know = resource.No
			}
			f[r.ID()] = resource.Fact{Know: know}
		}
		p := &Pass{System: &System{Resources: sorted, needs: needs, Warnings: []string{"w"}}, Limit: c.limit}
		plan, err := p.diff(f)
		if got := shown(plan); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if c.err == "" && err != nil || c.err != "" && fmt.Sprint(err) != c.err {
			t.Errorf("%s: error %v, want %s", name, err, c.err)
		}
		if err != nil && (ExitCode(err) != ExitUsage || Errors(err)[0].Hint == "") {
			t.Errorf("%s: %+v", name, Errors(err)[0])
		}
		if len(plan.Warnings) != 1 {
			t.Errorf("%s: the warnings are lost", name)
		}
	}
}
