package ui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/provision/report"
)

// play feeds events to a board, one a second, and returns it with the time after the last one.
func play(events ...report.Event) (*board, time.Time) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	b := newBoard(Style{}, now)
	for _, e := range events {
		now = now.Add(time.Second)
		b.event(e, now)
	}
	return b, now
}

func change(host, stage, act, step, state string) report.Event {
	return report.Event{Type: "change", Host: host, Stage: stage, Act: act, Step: step, State: state, Seconds: 1.5}
}

func planOf(hosts ...string) report.Event {
	p := &report.Plan{}
	for _, h := range hosts {
		p.Changes = append(p.Changes, report.Change{Host: h})
	}
	return report.Event{Type: "plan", Plan: p}
}

func told(host, text string, p *report.Progress) report.Event {
	return report.Event{Type: "progress", Host: host, Stage: "images", Act: "add", Step: "image x", Text: text, Progress: p}
}

// TestBoardPicture has what the board shows at one moment, in three widths.
func TestBoardPicture(t *testing.T) {
	t.Parallel()
	b, now := play(
		report.Event{Type: "connect", Host: "prefect", State: "start", Text: "10.0.0.11"},
		planOf("prefect", "prefect", "prefect", "worker-1", "worker-1", "worker-2", "worker-2", "worker-3", "worker-4"),
		change("prefect", "system", "add", "docker", "start"), change("prefect", "system", "add", "docker", report.Done),
		change("prefect", "images", "add", "image prefect-prefect:22cded48e59023b4", "start"),
		change("worker-1", "files", "add", "file /var/lib/provision/prefect/agent/spec/deployments.json", report.Done),
		change("worker-1", "files", "add", "file /var/lib/provision/prefect/agent/compose.yaml", "start"),
		change("worker-2", "images", "add", "image x", "start"),
		told("worker-2", "#7 [stage-1 3/9] RUN pip install", &report.Progress{What: "build", Unit: "steps", Done: 3, Total: 9}),
		change("worker-4", "images", "add", "image postgres:13.3", "start"),
		told("worker-4", "", &report.Progress{What: "pull", Unit: "layers", Done: 0, Total: 14}),
		change("worker-3", "system", "add", "docker", "start"),
		report.Event{Type: "change", Host: "worker-3", Stage: "system", Act: "add", Step: "docker", State: report.Failed, Text: "no route", Seconds: 3},
		told("prefect", "uploading context.tar", &report.Progress{What: "upload", Unit: "bytes", Done: 1 << 20, Total: 30 << 20}),
		told("worker-2", "", &report.Progress{What: "build", Unit: "steps", Done: 3, Total: 9, Bytes: 40 << 20}),
		told("worker-4", "", &report.Progress{What: "pull", Unit: "bytes", Done: 20 << 20, Total: 60 << 20}),
		told("prefect", "uploading context.tar", &report.Progress{What: "upload", Unit: "bytes", Done: 10 << 20, Total: 30 << 20}),
	)
	var out strings.Builder
	for _, columns := range []int{120, 80, 40} {
		fmt.Fprintf(&out, "%d columns\n%s\n\n", columns, b.view(now, columns, 24))
	}
	b.scroll(strings.Repeat("a long note ", 8))
	finished := b.finished
	for _, columns := range []int{120, 50} {
		b.finished = slices.Clone(finished)
		fmt.Fprintf(&out, "finished, %d columns\n%s\n\n", columns, strings.Join(b.take(columns), "\n"))
	}
	golden(t, "board.txt", out.String())
	if again := b.take(120); len(again) > 0 {
		t.Errorf("finished lines came twice: %q", again)
	}
}

// TestBoardFits: whatever the size of the terminal, no line of the board is wider and it is lower.
func TestBoardFits(t *testing.T) {
	t.Parallel()
	var events []report.Event
	for n := range 200 {
		name := fmt.Sprintf("host-%03d-with-a-long-name", n)
		events = append(events, planOf(name), change(name, "images", "add", "image ünïcödé/…界界界:"+strings.Repeat("x", 80), "start"),
			told(name, strings.Repeat("界", 90), nil), told(name, "", &report.Progress{What: "upload", Unit: "bytes", Done: 5, Total: 0}),
			told(name, "", &report.Progress{What: "upload", Unit: "bytes", Done: 50, Total: 5}))
	}
	b, now := play(events...)
	for columns := 1; columns < 200; columns += 3 {
		for _, rows := range []int{1, 2, 5, 24, 300} {
			lines := strings.Split(b.view(now, columns, rows), "\n")
			if len(lines) > max(rows, 3) {
				t.Fatalf("%d lines on %d rows", len(lines), rows)
			}
			for _, l := range lines {
				if width(l) > columns {
					t.Fatalf("%d columns: %d are taken by %q", columns, width(l), l)
				}
			}
		}
	}
}

// TestBoardSkipped: a failure that leaves many changes undone is told in one line a host.
func TestBoardSkipped(t *testing.T) {
	t.Parallel()
	events := []report.Event{planOf("a", "a", "a")}
	for n := range 3 {
		e := change("a", "files", "add", fmt.Sprintf("file /f%d", n), report.Skipped)
		e.Text = "it needs docker on a"
		events = append(events, e)
	}
	b, _ := play(append(events, report.Event{Type: "report"})...)
	lines := b.take(200)
	if len(lines) != 1 || !strings.Contains(lines[0], "3 changes, the first is add file /f0: it needs docker on a") {
		t.Errorf("finished: %q", lines)
	}
}

// TestBoardOfABuild: what a build does now is shown as long as it does that.
func TestBoardOfABuild(t *testing.T) {
	t.Parallel()
	steps := &report.Progress{What: "build", Unit: "steps", Done: 3, Total: 26}
	b, now := play(planOf("a"), change("a", "images", "add", "image prefect-prefect:22cded48e59023b4", "start"),
		told("a", "#6 [base 2/4] RUN true", steps), told("a", "#6 DONE 0.3s", steps), told("a", "#11 [stage-1 3/9] RUN poetry install", steps))
	shows := func(want string) {
		t.Helper()
		for _, columns := range []int{80, 120} {
			if got := b.view(now, columns, 24); !strings.Contains(got, want) {
				t.Errorf("%d columns: %q is not in\n%s", columns, want, got)
			}
		}
	}
	shows("prefect-prefect: RUN poetry install")
	b.event(told("a", "#11 12.345 Collecting idna", nil), now)
	b.event(told("a", "#7 CACHED", steps), now)
	shows("prefect-prefect: Collecting idna")
}
