package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
	"provision/provision/resource/resourcetest"
	"provision/remote"
)

var errBroken = errors.New("broken")

// runCase is a plan whose every change is "HOST/NAME", with what it needs and how it ends.
type runCase struct {
	changes []string
	needs   map[string][]string
	fails   map[string]error
	stopAt  string // the change in which the operator interrupts
	want    map[string]string
	code    int
}

func TestRun(t *testing.T) {
	t.Parallel()
	lost := func(host string) error {
		return &remote.Error{Host: host, Op: "run", Kind: remote.Lost, Err: errors.New("connection lost")}
	}
	for name, c := range map[string]runCase{
		"all done": {
			changes: []string{"a/x", "a/y", "b/z"}, needs: map[string][]string{"b/z": {"a/x"}},
			want: map[string]string{"a/x": "done", "a/y": "done", "b/z": "done"}, code: report.ExitDone,
		},
		"a failure stops what depends on it and no sibling": {
			changes: []string{"a/x", "a/y", "a/z", "b/v", "b/w"}, needs: map[string][]string{"a/z": {"a/x"}, "b/v": {"a/x"}},
			fails: map[string]error{"a/x": errBroken},
			want:  map[string]string{"a/x": "failed: broken", "a/y": "done", "a/z": "skipped: it needs thing x on a", "b/v": "skipped: it needs thing x on a", "b/w": "done"},
			code:  report.ExitStep,
		},
		"what needs a skipped one is skipped": {
			changes: []string{"a/x", "b/y", "a/z"}, needs: map[string][]string{"b/y": {"a/x"}, "a/z": {"b/y"}},
			fails: map[string]error{"a/x": errBroken},
			want:  map[string]string{"a/x": "failed: broken", "b/y": "skipped: it needs thing x on a", "a/z": "skipped: it needs thing y on b"},
			code:  report.ExitStep,
		},
		"needs outside of the plan do not matter": {
			changes: []string{"a/x"}, needs: map[string][]string{"a/x": {"a/old", "b/old"}},
			want: map[string]string{"a/x": "done"}, code: report.ExitDone,
		},
		"a lost connection ends its host": {
			changes: []string{"a/x", "a/y", "b/z", "b/w"}, needs: map[string][]string{"b/w": {"a/y"}},
			fails: map[string]error{"a/x": lost("a")},
			want: map[string]string{
				"a/x": "unknown: connection lost", "a/y": "skipped: nothing more can be done on this host in this run",
				"b/z": "done", "b/w": "skipped: it needs thing y on a",
			},
			code: report.ExitUnknown,
		},
		"the connection of another host": {
			changes: []string{"a/x", "a/y"}, fails: map[string]error{"a/x": lost("b")},
			want: map[string]string{"a/x": "failed: b: connection lost", "a/y": "done"}, code: report.ExitUnknown,
		},
		"interrupted": {
			changes: []string{"a/x", "a/y", "b/z"}, needs: map[string][]string{"b/z": {"a/x"}}, stopAt: "a/x",
			want: map[string]string{"a/x": "done", "a/y": "skipped: interrupted", "b/z": "skipped: interrupted"}, code: report.ExitDone,
		},
		"several classes": {
			changes: []string{"a/x", "b/y"}, fails: map[string]error{"a/x": errBroken, "b/y": lost("b")},
			want: map[string]string{"a/x": "failed: broken", "b/y": "unknown: connection lost"}, code: report.ExitFailed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkRun(t, c)
		})
	}
}

func checkRun(t *testing.T, c runCase) {
	ctx := context.Background()
	stop, interrupt := context.WithCancel(ctx)
	defer interrupt()
	var mu sync.Mutex
	var began []string
	todo := &report.Plan{}
	var resources []resource.Resource
	for _, name := range c.changes {
		r := resourcetest.Absent(name, c.needs[name]...)
		r.Work = func(context.Context) error {
			mu.Lock()
			began = append(began, name)
			mu.Unlock()
			if name == c.stopAt {
				interrupt()
			}
			return c.fails[name]
		}
		resources = append(resources, r)
		todo.Changes = append(todo.Changes, report.Change{Host: r.Name.Host, Step: r.Name.String(), Act: "add", Why: "missing", Planned: resource.Change{ID: r.Name, Act: resource.Add}, By: r.Name})
	}
	g, err := plan.NewGraph(resources)
	if err != nil {
		t.Fatal(err)
	}
	var events []report.Event
	p := &Pass{System: &System{Graph: g}, Events: func(e report.Event) { events = append(events, e) }}
	outcomes, err := p.run(ctx, stop, todo, 1)
	if got := report.ExitCode(err); got != c.code {
		t.Errorf("exit code %d, want %d: %v", got, c.code, err)
	}
	done := map[string]bool{}
	for _, o := range outcomes {
		name := o.Host + "/" + strings.TrimPrefix(o.Step, "thing ")
		got := o.State
		if o.Why != "" {
			got += ": " + o.Why
		}
		if got != c.want[name] {
			t.Errorf("%s: %q, want %q", name, got, c.want[name])
		}
		done[name] = o.State != report.Skipped
	}
	if len(outcomes) != len(c.changes) {
		t.Errorf("%d outcomes for %d changes", len(outcomes), len(c.changes))
	}
	at := map[string]int{}
	for i, name := range began {
		at[name] = i + 1
		for _, need := range c.needs[name] {
			if done[need] && at[need] == 0 {
				t.Errorf("%s began before %s", name, need)
			}
		}
	}
	for name, did := range done {
		if did != (at[name] > 0) {
			t.Errorf("%s: done %t, began %t", name, did, at[name] > 0)
		}
	}
	said := map[string]string{}
	for _, e := range events {
		if e.Type == "change" {
			said[e.Host+"/"+strings.TrimPrefix(e.Step, "thing ")] += e.State + " "
		}
	}
	for name, did := range done {
		state, _, _ := strings.Cut(c.want[name], ":")
		want := state + " "
		if did {
			want = "start " + want
		}
		if said[name] != want {
			t.Errorf("%s: the events say %q, want %q", name, said[name], want)
		}
	}
}

func TestErrorClasses(t *testing.T) {
	t.Parallel()
	reason := errors.New("reason")
	for name, c := range map[string]struct {
		err  error
		code int
		want string
	}{
		"none":         {nil, report.ExitDone, ""},
		"unreachable":  {&remote.Error{Host: "a", Op: "connect", Kind: remote.Unreachable, Err: reason}, report.ExitUnreachable, "a: step: connect: reason"},
		"busy":         {&remote.Error{Host: "a", Kind: remote.Busy, Err: reason}, report.ExitUnreachable, "a: step: reason"},
		"host key":     {&remote.Error{Host: "a", Kind: remote.HostKey, Err: reason}, report.ExitHostKey, "a: step: reason"},
		"auth":         {&remote.Error{Host: "a", Kind: remote.Auth, Err: reason}, report.ExitAuth, "a: step: reason"},
		"privilege":    {&remote.Error{Host: "a", Kind: remote.Privilege, Err: reason}, report.ExitPrivilege, "a: step: reason"},
		"lost":         {&remote.Error{Host: "a", Kind: remote.Lost, Err: reason}, report.ExitUnknown, "a: step: reason"},
		"timeout":      {&remote.Error{Host: "a", Kind: remote.Timeout, Err: reason}, report.ExitUnknown, "a: step: reason"},
		"failed":       {&remote.Error{Host: "a", Op: "upload", Kind: remote.Failed, Err: reason}, report.ExitStep, "a: step: upload: reason"},
		"ssh_config":   {&remote.Error{Op: "read ssh_config", Kind: remote.Config, Err: reason}, report.ExitUsage, "step: read ssh_config: reason"},
		"jump host":    {&remote.Error{Host: "a (jump b)", Kind: remote.Auth, Err: reason}, report.ExitAuth, "a (jump b): step: reason"},
		"another host": {&remote.Error{Host: "b", Kind: remote.Lost, Err: reason}, report.ExitUnknown, "a: step: b: reason"},
		"script":       {&remote.ExitError{Code: 1, Stderr: "first\nit is so\n"}, report.ExitStep, "a: step: it is so"},
		"status":       {&remote.ExitError{Code: 4, Stderr: "it is so\n"}, report.ExitStep, "a: step: exit status 4: it is so"},
		"unhealthy":    {&remote.ExitError{Code: resource.UnhealthyStatus, Stderr: "log\nc: it starts and ends again\n"}, report.ExitUnhealthy, "a: step: c: it starts and ends again"},
		"canceled":     {&remote.Error{Host: "a", Kind: remote.Lost, Err: context.Canceled}, report.ExitInterrupted, "a: step: interrupted"},
		"own":          {fmt.Errorf("wrapped: %w", reason), report.ExitStep, "a: step: wrapped: reason"},
	} {
		err := report.HostError("a", "step", report.ExitStep, c.err)
		if got := report.ExitCode(err); got != c.code {
			t.Errorf("%s: %d, want %d", name, got, c.code)
		}
		if err != nil && err.Error() != c.want {
			t.Errorf("%s: %q, want %q", name, err, c.want)
		}
		if err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: the cause is lost", name)
		}
		if c.code == report.ExitStep && report.Errors(err)[0].Hint == "" {
			t.Errorf("%s: nothing is said to do next", name)
		}
	}
	one, two := &report.Error{Code: report.ExitStep, Cause: "one"}, &report.Error{Code: report.ExitUnknown, Cause: "two"}
	for name, c := range map[string]struct {
		err  error
		code int
		n    int
	}{
		"same class":      {errors.Join(one, one), report.ExitStep, 2},
		"several classes": {errors.Join(one, errors.Join(two, one)), report.ExitFailed, 3},
		"interrupted":     {errors.Join(one, two, &report.Error{Code: report.ExitInterrupted}), report.ExitInterrupted, 3},
		"canceled":        {context.Canceled, report.ExitInterrupted, 1},
		"foreign":         {reason, report.ExitFailed, 1},
		"usage":           {report.Usage("hint", "no %s", "way"), report.ExitUsage, 1},
	} {
		if got := report.ExitCode(c.err); got != c.code || len(report.Errors(c.err)) != c.n {
			t.Errorf("%s: %d of %d, want %d of %d", name, got, len(report.Errors(c.err)), c.code, c.n)
		}
	}
}
