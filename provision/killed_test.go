package provision_test

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// workers is how many fleets are brought up at once: a pass mostly waits.
const workers = 4

// each calls f for every index, some at once.
func each(n int, f func(i int)) {
	var g errgroup.Group
	g.SetLimit(workers)
	for i := range n {
		g.Go(func() error { f(i); return nil })
	}
	_ = g.Wait()
}

// point is a moment of a first apply, or of the one after a converged fleet's files were edited.
type point struct {
	layout layout
	edit   func(*site)
	want   map[string]string // the outcome without a kill
	name   string
	change int    // the so many-th change that begins or ends
	host   string // or the so many-th program that this host runs
	nth    int
}

// programs is at how many programs of each host the controller is killed.
const programs = 12

// points are all moments before and after a change, and as many within their scripts.
func points(t *testing.T, name string, l layout, edit func(*site)) (out []point) {
	t.Helper()
	s := arranged(t, l, edit)
	start, before := map[string]int{}, map[string]int{}
	for _, h := range s.hosts {
		start[h.Name()] = len(h.Commands())
	}
	a := s.attempt()
	after := map[string]int{}
	changes := 0
	a.on = func(e report.Event) {
		switch {
		case e.Type == "report":
			for _, h := range s.hosts {
				after[h.Name()] = len(h.Commands())
			}
		case e.Type == "change":
			changes++
		case e.Type == "lock" && e.State == "done":
			for _, h := range s.hosts {
				if h.Name() == e.Host {
					before[e.Host] = len(h.Commands())
				}
			}
		}
	}
	if _, err := a.apply(); err != nil {
		t.Fatal(explain(err))
	}
	want := outcome(t, s)
	if l.agents == 0 && edit == nil {
		changes = 0 // the same changes in another order
	}
	for n := range changes {
		out = append(out, point{layout: l, edit: edit, want: want, name: fmt.Sprintf("%s, change event %d", name, n+1), change: n + 1})
	}
	for _, h := range s.hosts {
		first, last := before[h.Name()]-start[h.Name()], after[h.Name()]-start[h.Name()]
		if before[h.Name()] == 0 {
			continue // nothing is changed there
		}
		for n := range programs {
			nth := first + 1 + (last-first-1)*n/programs
			out = append(out, point{layout: l, edit: edit, want: want, name: fmt.Sprintf("%s, program %d of %s", name, nth, h.Name()), host: h.Name(), nth: nth})
		}
	}
	return out
}

// outcome is what an apply makes of a fleet, but for what is random: files, containers, the loaded
// Caddyfile and what Prefect holds.
func outcome(t *testing.T, s *site) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, h := range s.hosts {
		for _, f := range h.Files("/var/lib/provision") {
			if path.Base(f.Path) == "lock.note" {
				continue // it says who worked last
			}
			out[h.Name()+" "+f.Path] = f.FileMode.String()
			switch path.Base(f.Path) {
			case "compose.yaml", "Caddyfile", "deployments.json":
				text, err := h.ReadFile(f.Path)
				if err != nil {
					t.Fatal(err)
				}
				out[h.Name()+" "+f.Path] += string(text)
			}
		}
		for _, c := range h.Containers() {
			out[h.Name()+" "+c.Name] = fmt.Sprint(c.State.Status, c.Config.Image, c.Config.Labels["provision.definition"])
		}
	}
	p := s.server.Prefect()
	out["Prefect"] = fmt.Sprint(p.Pool, p.Queues, p.Record)
	for _, d := range p.Deployments {
		out["deployment "+d.Flow+"/"+d.Name] = fmt.Sprint(d.Queue, d.Tags, d.Version)
	}
	out["Caddy"], _, _ = strings.Cut(s.server.LoadedCaddyfile("prefect-caddy"), " ")
	return out
}

// arranged is a fleet that is blank, or converged and has its files edited.
func arranged(t *testing.T, l layout, edit func(*site)) *site {
	t.Helper()
	s := arrange(t, l)
	if edit == nil {
		return s
	}
	s.project("")
	if _, err := s.attempt().apply(); err != nil {
		t.Fatal(explain(err))
	}
	edit(s)
	return s
}

// project writes the flows that a stack with [business_logic] path = "flows" has.
func (s *site) project(more string) {
	s.t.Helper()
	dir := filepath.Join(filepath.Dir(s.inventory), "flows")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatalf("%v", err)
	}
	for _, name := range []string{"base/pyproject.toml", "base/poetry.lock", "hello/hello.py"} {
		text, err := os.ReadFile("../files/gen2/prefect/" + name)
		if err != nil {
			s.t.Fatalf("%v", err)
		}
		if strings.HasSuffix(name, ".py") {
			text = append(text, more...)
		}
		s.write(filepath.Join(dir, filepath.Base(name)), string(text))
	}
}

// edits are what people change on a stack that runs. Two agent hosts make one that is left.
var edits = map[string]struct {
	agents int
	stack  string
	do     func(*site)
}{
	"a flow":         {2, ownFlows, func(s *site) { s.project("# edited\n") }},
	"settings":       {2, servers2, func(s *site) { s.stack(servers2 + "[business_logic]\nstop_grace = \"3m\"\n[agent]\nconcurrency = 3\n") }},
	"the url":        {2, ownFlows, func(s *site) { s.edit("prefect.demo.test", "other.demo.test") }},
	"a host is out":  {2, ownFlows, func(s *site) { s.cut("worker-2") }},
	"another server": {1, prefect3, func(s *site) { s.stack(servers2) }},
	"one server":     {1, servers2, func(s *site) { s.stack(prefect3) }},
	"no roles": {2, ownFlows, func(s *site) {
		table := s.cut("worker-2")
		text, err := os.ReadFile(s.inventory)
		if err != nil {
			s.t.Fatalf("%v", err)
		}
		s.write(s.inventory, string(text)+strings.Replace(table, `["agent"]`, "[]", 1))
	}},
	"the UI's user": {1, prefect3, func(s *site) { s.stack(prefect3 + "[ui]\nuser = \"ops\"\n") }},
}

const ownFlows = "[business_logic]\npath = \"flows\"\n"

// killedAtEach tries all points, or so many of them where tests are to be short.
func killedAtEach(t *testing.T, all []point, short int) {
	chosen := sample(t, all, short)
	t.Logf("%d points, %d of them tried", len(all), len(chosen))
	var waited atomic.Int64
	each(len(chosen), func(i int) {
		p := chosen[i]
		t.Run(p.name, func(t *testing.T) { killedAt(t, p, &waited) })
	})
	t.Logf("%d times the next apply had to wait for what was left running", waited.Load())
}

// TestKilledLater is TestKilled for applies that change what runs.
func TestKilledLater(t *testing.T) {
	t.Parallel()
	var all []point
	for _, name := range slices.Sorted(maps.Keys(edits)) {
		e := edits[name]
		all = append(all, points(t, name, layout{agents: e.agents, stack: e.stack}, e.do)...)
	}
	killedAtEach(t, all, 12)
}

// TestKilled kills the controller before and after every change of a first apply, and within their
// scripts. The next apply converges each time, and works only when what the first left running has
// ended.
func TestKilled(t *testing.T) {
	t.Parallel()
	var all []point
	for name, l := range map[string]layout{"single": single, "split": split} {
		// Of each generation one half: what moves between them is the same.
		for n, p := range points(t, name, l, nil) {
			if n%2 == 0 {
				all = append(all, p)
			}
		}
		for n, p := range points(t, name+", two servers", alternately(1, l), nil) {
			if n%2 == 1 {
				all = append(all, p)
			}
		}
	}
	killedAtEach(t, all, 8)
}

// TestKilledWhileWorking kills the controller in the middle of a long program. The next apply waits
// until that has ended, and says for whom.
func TestKilledWhileWorking(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	first, goOn := s.attempt(), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(goOn) })
	defer letGo()
	s.server.Fail(remotetest.Failure{Match: "^docker build", Do: func() {
		first.kill(s)
		<-goOn
	}})
	if _, err := first.apply(); err == nil {
		t.Fatal("a killed apply says success")
	}
	next := s.attempt()
	var waited string
	next.on = func(e report.Event) {
		switch {
		case e.Type == "lock" && e.State == "start":
			waited = e.Text
			if built := len(s.server.Ran("timeout 2400 docker build")); built != 1 {
				t.Errorf("%d builds run", built)
			}
			letGo()
		case e.Type == "lock" && e.State == "done":
			if left := leftRunning(s.server); len(left) > 0 {
				t.Errorf("locked while this still runs: %q", left)
			}
		}
	}
	if _, err := next.apply(); err != nil {
		t.Fatal(explain(err))
	}
	if !strings.HasPrefix(waited, "waiting: a test works on this host, since 2") || !strings.Contains(waited, ", doing image prefect-prefect:") {
		t.Errorf("%q", waited)
	}
	exclusive(t, s.server)
	s.unchanged()
}

func killedAt(t *testing.T, p point, waited *atomic.Int64) {
	s := arranged(t, p.layout, p.edit)
	first := s.attempt()
	if p.host == "" {
		var n atomic.Int64
		first.on = func(e report.Event) {
			if e.Type == "change" && n.Add(1) == int64(p.change) {
				first.kill(s)
			}
		}
	} else {
		var reported atomic.Bool
		first.on = func(e report.Event) {
			if e.Type == "report" {
				reported.Store(true)
			}
		}
		for _, h := range s.hosts {
			if h.Name() == p.host {
				h.Fail(remotetest.Failure{Match: "", Nth: p.nth, Do: func() {
					if !reported.Load() {
						first.kill(s)
					}
				}})
			}
		}
	}
	result, err := first.apply()
	if !first.dead.Load() && err == nil && p.nth > programs {
		// What waits, and what draws how far a pull is, runs fewer programs on a busy machine, so this one
		// came after the report or not at all: an earlier one, then.
		p.nth -= p.nth / 8
		killedAt(t, p, waited)
		return
	}
	if !first.dead.Load() {
		t.Fatalf("the point was not reached: %v", err)
	}
	if err == nil {
		t.Fatalf("a killed apply says success: %+v", result)
	}
	next := s.attempt()
	next.on = func(e report.Event) {
		if e.Type != "lock" {
			return
		}
		if e.State == "start" {
			waited.Add(1)
			return
		}
		for _, h := range s.hosts {
			if h.Name() == e.Host {
				if left := leftRunning(h); len(left) > 0 {
					t.Errorf("%s is locked by the second apply while this still runs: %q", e.Host, left)
				}
			}
		}
	}
	if _, err := next.apply(); err != nil {
		t.Fatalf("the apply after it: %s\nfirst: %s\nnext: %s", explain(err), first.story(), next.story())
	}
	for _, h := range s.hosts {
		exclusive(t, h)
	}
	if d := cmp.Diff(p.want, outcome(t, s)); d != "" {
		t.Errorf("not what it is without a kill: %s", d)
	}
	v := s.attempt()
	defer v.end()
	if err := v.Verify(v.ctx, nil); err != nil {
		t.Errorf("verify: %s", explain(err))
	}
	if unknown := s.fleet.Unknown(); len(unknown) > 0 {
		t.Errorf("the simulation does not know: %q", unknown)
	}
}

// working are the sessions that got the lock of a host and did something, in the order in which
// they began, each with its first and last command.
func working(h *remotetest.Host) (sessions []int, spans map[int][2]int) {
	asked := map[int]bool{}
	spans = map[int][2]int{}
	for i, c := range h.Commands() {
		switch span, ok := spans[c.Session]; {
		case ok:
			spans[c.Session] = [2]int{span[0], i}
		case asked[c.Session] && !slices.Equal(c.Argv, []string{"/bin/sh"}):
			sessions = append(sessions, c.Session)
			spans[c.Session] = [2]int{i, i}
		case len(c.Argv) > 0 && c.Argv[0] == "flock":
			asked[c.Session] = true
		}
	}
	return sessions, spans
}

// leftRunning are the processes of every session with the lock but the last.
func leftRunning(h *remotetest.Host) (left []string) {
	sessions, _ := working(h)
	for _, p := range h.Processes() {
		if i := slices.Index(sessions, p.Session); i >= 0 && i < len(sessions)-1 {
			left = append(left, fmt.Sprint(p.Argv))
		}
	}
	return left
}

// exclusive wants that no session began to work on a host before the one before it had ended.
func exclusive(t *testing.T, h *remotetest.Host) {
	t.Helper()
	sessions, spans := working(h)
	for i := 1; i < len(sessions); i++ {
		before, after := spans[sessions[i-1]], spans[sessions[i]]
		if after[0] <= before[1] {
			t.Errorf("on %s two applies worked at once: the second began before %q of the first", h.Name(), h.Commands()[before[1]])
		}
	}
}
