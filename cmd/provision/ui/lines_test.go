package ui

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"provision/provision"
)

// TestLines has the words of a log: host, stage, change, result, time.
func TestLines(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	l := NewLines(&b, Style{}, false, time.Hour)
	failed := change("worker-1", "system", "add", "docker", provision.Failed)
	failed.Text, failed.Seconds = "no route", 75
	skipped := change("worker-1", "files", "add", "file /f", provision.Skipped)
	skipped.Text = "it needs docker on worker-1"
	for _, e := range []provision.Event{
		{Type: "connect", Host: "prefect", State: "start", Text: "10.0.0.11"},
		{Type: "connect", Host: "prefect", State: "done", Seconds: 0.2},
		planOf(),
		{Type: "round", Round: 1, Text: "3 changes"},
		change("prefect", "system", "add", "docker", "start"),
		told("prefect", "Unpacking", nil),
		change("prefect", "system", "add", "docker", provision.Done),
		{Type: "note", Host: "prefect", Text: "something was found out"},
		failed, skipped,
		{Type: "round", Round: 2, Text: "1 changes"},
		{Type: "verify", Host: "worker-1", State: provision.Done, Text: "its queue answers", Seconds: 2},
		{Type: "report", Report: &provision.Report{}},
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

// TestHeartbeat: a change that goes on is named again and again, with what it said last, until it
// ends.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	l := NewLines(w, Style{}, false, 10*time.Millisecond)
	lines := bufio.NewScanner(r)
	l.Event(change("prefect", "images", "add", "image x", "start"))
	l.Event(told("prefect", "", &provision.Progress{What: "pull", Unit: "layers", Done: 2, Total: 5}))
	for range 3 {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "prefect   images    add image x  running  ") || !strings.HasSuffix(lines.Text(), "  pull 2 of 5 layers") {
			t.Fatalf("%q (%v)", lines.Text(), lines.Err())
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Event(change("prefect", "images", "add", "image x", provision.Done))
		l.Close()
		w.Close()
	}()
	for last := ""; lines.Scan(); last = lines.Text() {
		if strings.Contains(last, "done") {
			t.Errorf("after its end: %q", lines.Text())
		}
	}
	<-ended
}
