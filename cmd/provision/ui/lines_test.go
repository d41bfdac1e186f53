package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"provision/provision/report"
)

// TestLines has the words of a log: host, stage, change, result, time.
func TestLines(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	l := NewLines(&b, Style{}, false, time.Hour)
	failed := change("worker-1", "system", "add", "docker", report.Failed)
	failed.Text, failed.Seconds = "no route", 75
	skipped := change("worker-1", "files", "add", "file /f", report.Skipped)
	skipped.Text = "it needs docker on worker-1"
	for _, e := range []report.Event{
		{Type: "connect", Host: "prefect", State: "start", Text: "10.0.0.11"},
		{Type: "connect", Host: "prefect", State: "done", Seconds: 0.2},
		planOf(),
		{Type: "round", Round: 1, Text: "3 changes"},
		change("prefect", "system", "add", "docker", "start"),
		told("prefect", "Unpacking", nil),
		change("prefect", "system", "add", "docker", report.Done),
		{Type: "note", Host: "prefect", Text: "something was found out"},
		failed, skipped,
		{Type: "round", Round: 2, Text: "1 changes"},
		{Type: "verify", Host: "worker-1", State: report.Done, Text: "its queue answers", Seconds: 2},
		{Type: "report", Report: &report.Report{}},
	} {
		l.Event(e)
	}
	l.Close()
	want := `prefect   system    add docker  done  1.5s
prefect   note      something was found out
worker-1  system    add docker  failed  1m15s  no route
round 2: 1 changes
worker-1  verify    its queue answers  done  2.0s
worker-1  skipped   add file /f: it needs docker on worker-1
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

// told lines of a face, one by one.
type lineReader chan string

func (l lineReader) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// TestHeartbeat: what goes on is named again and again, a change with what it said last, until it
// ends.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	lines := make(lineReader, 1<<16) // more than the test can last
	l := NewLines(lines, Style{}, false, 10*time.Millisecond)
	l.Event(change("prefect", "images", "add", "image x", "start"))
	l.Event(told("prefect", "", &report.Progress{What: "build", Unit: "steps", Done: 2, Total: 5, Bytes: 3 << 20}))
	l.Event(report.Event{Type: "observe", Host: "worker-1", State: "start"})
	changes, observations := 0, 0
	for changes < 3 || observations < 3 {
		select {
		case line := <-lines:
			switch {
			case strings.HasPrefix(line, "prefect   images    add image x  running  ") && strings.HasSuffix(line, "  build 2 of 5 steps, 3.0 MiB fetched\n"):
				changes++
			case strings.HasPrefix(line, "worker-1  observe   ") && strings.Contains(line, "running  "):
				observations++
			default:
				t.Fatalf("%q", line)
			}
		case <-time.After(time.Minute):
			t.Fatal("no further line")
		}
	}
	l.Event(change("prefect", "images", "add", "image x", report.Done))
	for over := false; !over; {
		over = strings.Contains(<-lines, "done")
	}
	for range 5 { // of what still goes on
		if line := <-lines; strings.Contains(line, "image x") {
			t.Errorf("after its end: %q", line)
		}
	}
	l.Close()
}
