package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"provision/provision/report"
	"provision/provision/resource"
	"provision/provision/resource/resourcetest"
)

// doubtful is a thing without a record of its own.
type doubtful struct {
	resourcetest.Thing
	why string
}

func (r *doubtful) WhyUnknown(resource.World) string { return r.why }

func refusing(name string, risk resource.Risk) *resourcetest.Thing {
	return &resourcetest.Thing{Name: resourcetest.ThingID(name), Differ: func(resource.World) []resource.Change {
		return []resource.Change{{ID: resourcetest.ThingID(name), Act: resource.Refuse, Risk: risk, Why: "no", Hint: "do this"}}
	}}
}

func shown(p *report.Plan) string {
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
			f[resourcetest.ThingID(pairs[i].(string))] = resource.Fact{Know: pairs[i+1].(resource.Know), Record: resource.Record{Why: "because"}}
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
		"nothing differs":               {[]resource.Resource{resourcetest.Absent("a/x")}, known("a/x", yes), "", ""},
		"one is missing":                {[]resource.Resource{resourcetest.Absent("a/x")}, known("a/x", no), "add a/x: missing", ""},
		"never asked":                   {[]resource.Resource{resourcetest.Absent("a/x")}, known(), "", ""},
		"unknown, and nothing changes":  {[]resource.Resource{resourcetest.Absent("a/x")}, known("a/x", unknown), "", "a: thing x: cannot be observed: because"},
		"unknown, an unrelated changes": {[]resource.Resource{resourcetest.Absent("a/x"), resourcetest.Absent("a/y")}, known("a/x", unknown, "a/y", no), "add a/y: missing", "a: thing x: cannot be observed: because"},
		"unknown, its need changes":     {[]resource.Resource{resourcetest.Absent("a/x"), resourcetest.Absent("a/y", "a/x")}, known("a/x", no, "a/y", unknown), "add a/x: missing; a/y after x", ""},
		"unknown, a need of its need changes": {
			[]resource.Resource{resourcetest.Absent("a/x"), resourcetest.Absent("b/y", "a/x"), resourcetest.Absent("b/z", "b/y")},
			known("a/x", no, "b/y", yes, "b/z", unknown),
			"add a/x: missing; b/z after x", "",
		},
		"pending is seen by what comes after": {[]resource.Resource{resourcetest.Absent("a/x"), resourcetest.Absent("b/y", "a/x")}, known("a/x", no, "b/y", no), "add a/x: missing; add b/y: missing, a/x is pending", ""},
		"the order is that of needs":          {[]resource.Resource{resourcetest.Absent("b/y", "a/x"), resourcetest.Absent("a/x")}, known("a/x", no, "b/y", no), "add a/x: missing; add b/y: missing, a/x is pending", ""},
		"what needs an unknown one waits": {
			[]resource.Resource{resourcetest.Absent("a/x"), resourcetest.Absent("a/y", "a/x"), resourcetest.Absent("b/z", "a/y"), resourcetest.Absent("b/w")},
			known("a/x", no, "a/y", unknown, "b/z", no, "b/w", no),
			"add a/x: missing; add b/w: missing; a/y after x; b/z after y", "",
		},
		"what needs a doubtful one waits": {
			[]resource.Resource{resourcetest.Absent("a/x"), &doubtful{*resourcetest.Absent("a/y", "a/x"), "no answer"}, resourcetest.Absent("b/z", "a/y")},
			known("a/x", no, "b/z", no),
			"add a/x: missing; a/y after x; b/z after y", "",
		},
		"a known one can be doubtful": {[]resource.Resource{&doubtful{*resourcetest.Absent("a/y"), "no answer"}}, known("a/y", yes), "", "a: thing y: cannot be observed: no answer"},
		"a refusal does not wait": {
			[]resource.Resource{resourcetest.Absent("a/x"), resourcetest.Absent("a/y", "a/x"), func() resource.Resource {
				r := refusing("b/z", resource.Data)
				r.Wants = resourcetest.ThingIDs("a/y")
				return r
			}()},
			known("a/x", no, "a/y", unknown), "add a/x: missing; refuse b/z: no; a/y after x", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := NewGraph(c.resources)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := g.Diff(c.facts, nil, nil)
			if got := shown(plan); got != c.want {
				t.Errorf("plan %q\nwant %q", got, c.want)
			}
			if got := fmt.Sprint(err); c.err == "" && err != nil || c.err != "" && got != c.err {
				t.Errorf("error %q, want %q", got, c.err)
			}
			if err != nil && report.ExitCode(err) != report.ExitUnknown {
				t.Errorf("exit code %d", report.ExitCode(err))
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
		"none":      {[]resource.Resource{resourcetest.Absent("a/x")}, report.ExitDone},
		"preflight": {[]resource.Resource{refusing("a/x", resource.Preflight), refusing("b/x", resource.Preflight)}, report.ExitPreflight},
		"data":      {[]resource.Resource{refusing("a/x", resource.Data)}, report.ExitData},
		"both":      {[]resource.Resource{refusing("a/x", resource.Data), refusing("b/x", resource.Preflight)}, report.ExitData}, // data at stake is all that is said
	} {
		g, err := NewGraph(c.resources)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := g.Diff(Facts{}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = plan.Refusals()
		if got := report.ExitCode(err); got != c.code {
			t.Errorf("%s: %d, want %d", name, got, c.code)
		}
		for _, e := range report.Errors(err) {
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
		"as given":       {[]resource.Resource{resourcetest.Absent("a/x"), resourcetest.Absent("a/y"), resourcetest.Absent("a/z")}, "x y z", "", ""},
		"needs first":    {[]resource.Resource{resourcetest.Absent("a/z", "b/y"), resourcetest.Absent("b/y", "a/x"), resourcetest.Absent("a/x")}, "x y z", "y x", ""},
		"diamond":        {[]resource.Resource{resourcetest.Absent("a/x"), resourcetest.Absent("a/l", "a/x"), resourcetest.Absent("a/r", "a/x"), resourcetest.Absent("a/z", "a/l", "a/r")}, "x l r z", "l x r", ""},
		"unknown needs":  {[]resource.Resource{resourcetest.Absent("a/x", "a/nobody")}, "x", "", ""},
		"itself":         {[]resource.Resource{resourcetest.Absent("a/x", "a/x")}, "", "", "resources need each other: thing x -> thing x"},
		"circle":         {[]resource.Resource{resourcetest.Absent("a/x", "a/y"), resourcetest.Absent("a/y", "b/z"), resourcetest.Absent("b/z", "a/x")}, "", "", "resources need each other: thing x -> thing y -> thing z -> thing x"},
		"twice":          {[]resource.Resource{resourcetest.Absent("a/x"), resourcetest.Absent("a/x")}, "", "", "two resources are called thing x on a"},
		"on other hosts": {[]resource.Resource{resourcetest.Absent("a/x"), resourcetest.Absent("b/x")}, "x x", "", ""},
	} {
		g, err := NewGraph(c.resources)
		if c.err != "" || err != nil {
			if fmt.Sprint(err) != c.err {
				t.Errorf("%s: error %v, want %s", name, err, c.err)
			}
			continue
		}
		var got, gotNeeds []string
		for _, r := range g.Resources {
			got = append(got, r.ID().Name)
		}
		for _, n := range g.Needs(g.Resources[len(g.Resources)-1].ID()) {
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
	resources := []resource.Resource{resourcetest.Absent("a/x"), resourcetest.Absent("b/y", "a/x"), resourcetest.Absent("b/z"), resourcetest.Absent("c/w", "b/z")}
	g, err := NewGraph(resources)
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
		all, err := g.Diff(f, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		all.Warnings = []string{"w"}
		plan, err := g.Limit(all, Limit{Hosts: c.limit})
		if got := shown(plan); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if c.err == "" && err != nil || c.err != "" && fmt.Sprint(err) != c.err {
			t.Errorf("%s: error %v, want %s", name, err, c.err)
		}
		if err != nil && (report.ExitCode(err) != report.ExitUsage || report.Errors(err)[0].Hint == "") {
			t.Errorf("%s: %+v", name, report.Errors(err)[0])
		}
		if len(plan.Warnings) != 1 {
			t.Errorf("%s: the warnings are lost", name)
		}
	}
}
