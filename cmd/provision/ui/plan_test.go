package ui

import (
	"strings"
	"testing"

	"provision/provision/report"
)

// everyChange is a plan with one change of each kind.
func everyChange() *report.Plan {
	return &report.Plan{
		Warnings: []string{"past their end of life, so without security updates: Prefect 2.20.25"},
		Changes: []report.Change{
			{Host: "prefect", Stage: "images", Step: "image prefect-caddy:1", Act: "add", Why: "the image is not on the host; it is built"},
			{Host: "prefect", Stage: "files", Step: "file /srv/Caddyfile", Act: "change", Why: "the content differs", Diff: "--- host/Caddyfile\n+++ new/Caddyfile\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"},
			{Host: "prefect", Stage: "services", Step: "caddy configuration", Act: "reload", Why: "the Caddyfile changes", Note: "connections stay open; the container stays"},
			{Host: "worker-1", Stage: "system", Step: "docker", Act: "refuse", Why: "too old"},
			{Host: "worker-1", Stage: "files", Step: "file /srv/new", Act: "add", Why: "the file does not exist", Diff: "--- host/new\n+++ new/new\n@@ -0,0 +1,9 @@\n" + strings.Repeat("+line\n", 9)},
			{Host: "worker-1", Stage: "services", Step: "container prefect-business-logic", Act: "replace", Why: "its definition differs", Note: "running flows have 2m0s to end; 3 run now", Interrupts: true},
			{Host: "worker-1", Stage: "cleanup", Step: "container prefect-old", Act: "remove", Why: "it is no longer wanted"},
		},
		Later: []report.Later{{Host: "worker-1", Step: "deployments", After: "container prefect-business-logic"}},
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	for name, style := range map[string]Style{"plan.txt": {}, "plan-color.txt": {Color: true}} {
		var b strings.Builder
		Plan(&b, style, everyChange())
		golden(t, name, b.String())
	}
	var b strings.Builder
	Plan(&b, Style{}, &report.Plan{})
	if b.String() != "nothing to change\n" {
		t.Errorf("an empty plan: %q", b.String())
	}
}

// TestStages: every stage that a change can have has its place in the plan.
func TestStages(t *testing.T) {
	t.Parallel()
	p := everyChange()
	var b strings.Builder
	Plan(&b, Style{}, p)
	for _, c := range p.Changes {
		if !strings.Contains(b.String(), c.Act+" "+c.Step+": "+c.Why) {
			t.Errorf("not in the plan: %v", c)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	Errors(&b, Style{}, &report.Error{
		Code: report.ExitUnhealthy, Host: "prefect", Step: "container prefect-server", Cause: "it starts and ends again (exit code 1)",
		Evidence: "last lines of prefect-server:\nTraceback\nKeyError: 'x'\n", Hint: "do this\nor that",
	})
	want := `error: prefect: container prefect-server: it starts and ends again (exit code 1)
    | last lines of prefect-server:
    | Traceback
    | KeyError: 'x'
  next: do this
  next: or that
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
