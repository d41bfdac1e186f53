//go:build unix

package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"provision/cmd/provision/ui"
	"provision/provision/report"
	"provision/remote/remotetest"
)

// stalled is a fleet on which one change of the server, once reached, goes on until it is told to
// end.
func stalled(t *testing.T) (inventory string, reached func(), end func()) {
	t.Helper()
	fleet, inventory := bootFleet(t, remotetest.Options{})
	there, further, once := make(chan struct{}), make(chan struct{}), sync.Once{}
	reached = func() {
		t.Helper()
		select {
		case <-there:
		case <-time.After(patience):
			t.Fatal("the change was not reached")
		}
	}
	end = func() { once.Do(func() { close(further) }) }
	t.Cleanup(end)
	for _, h := range fleet.Hosts() {
		if h.Name() == "prefect" {
			h.Fail(remotetest.Failure{Match: "^docker pull postgres", Do: func() { close(there); <-further }})
		}
	}
	return inventory, reached, end
}

// TestInterrupt: the first Ctrl-C finishes the change in hand and starts no other; run again, the
// rest is done.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	inventory, reached, end := stalled(t)
	s := open(t, 300, 30, nil, "provision", "apply", "-i", inventory)
	s.wait("[y/N] ")
	s.typed("y\n")
	reached()
	s.typed("\x03")
	s.wait("finishing ")
	s.wait("add image " + newest().Postgres + " on prefect")
	end()
	s.exit(130)
	for _, want := range []string{"interrupted after ", "skipped", "run the same command again to continue"} {
		if !strings.Contains(s.text(), want) {
			t.Errorf("not shown: %q in\n%s", want, s.text())
		}
	}
	if code, out, errs := capture(t, "apply", "--yes", "-i", inventory); code != 0 || strings.Contains(errs, "add image postgres") {
		t.Errorf("the next run: exit %d, and the finished change must not be repeated\n%s\n%s", code, out, errs)
	}
}

// TestInterruptTwice: the second Ctrl-C abandons the change in hand and says what may still run.
func TestInterruptTwice(t *testing.T) {
	t.Parallel()
	inventory, reached, end := stalled(t)
	s := open(t, 300, 30, nil, "provision", "apply", "--yes", "-i", inventory)
	reached()
	s.typed("\x03")
	s.wait("press Ctrl-C again to abandon")
	s.typed("\x03")
	s.exit(130)
	for _, want := range []string{"abandoning; this may still be running: ", "add image " + newest().Postgres + " on prefect", "it may still be running there", "run the same command again"} {
		if !strings.Contains(s.text(), want) {
			t.Errorf("not shown: %q in\n%s", want, s.text())
		}
	}
	end()
	next := func() (int, string, string) {
		return capture(t, "apply", "--yes", "--lock-wait", "1m", "-i", inventory)
	}
	code, out, errs := next()
	if code == 16 { // what still ran has changed the host between plan and lock, as was said
		code, out, errs = next()
	}
	if code != 0 {
		t.Errorf("the next run: exit %d\n%s\n%s", code, out, errs)
	}
}

// TestInterruptQuestion: Ctrl-C at the question ends at once and changes nothing.
func TestInterruptQuestion(t *testing.T) {
	t.Parallel()
	fleet, inventory := bootFleet(t, remotetest.Options{})
	s := open(t, 300, 30, nil, "provision", "apply", "-i", inventory)
	s.wait("[y/N] ")
	s.typed("\x03")
	s.exit(130)
	if !strings.Contains(s.text(), "nothing was changed") {
		t.Errorf("shown:\n%s", s.text())
	}
	for _, h := range fleet.Hosts() {
		if _, err := h.ReadFile("/var/lib/provision/lock"); err == nil {
			t.Errorf("%s was touched", h.Name())
		}
	}
}

// TestInterruptObservation: what only looks is cut at once.
func TestInterruptObservation(t *testing.T) {
	t.Parallel()
	for _, verb := range [][]string{{"plan"}, {"apply", "--yes"}, {"verify"}, {"status"}, {"credentials"}} {
		t.Run(verb[0], func(t *testing.T) {
			t.Parallel()
			fleet, inventory := bootFleet(t, remotetest.Options{})
			there, further := make(chan struct{}), make(chan struct{})
			for _, h := range fleet.Hosts() {
				if h.Name() == "prefect" {
					h.Fail(remotetest.Failure{Match: "", Do: func() { close(there); <-further }})
				}
			}
			s := open(t, 100, 30, nil, "provision", append(verb, "-i", inventory)...)
			select {
			case <-there:
			case <-time.After(patience):
				t.Fatalf("nothing ran on the host; shown:\n%s", s.text())
			}
			s.typed("\x03")
			s.exit(130)
			close(further)
			if !strings.Contains(s.text(), "interrupted") {
				t.Errorf("shown:\n%s", s.text())
			}
		})
	}
}

// TestDemoOnTerminal: the demo shows all of its parts, says that it is one, and leaves nothing behind.
func TestDemoOnTerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, 200, 30, []string{"TMPDIR=" + dir}, "provision", "demo")
	s.exit(0)
	for _, want := range []string{"SIMULATED", " to add", "Ctrl-C finishes", "nothing to change", "# a change by hand", "provision status", "prefect-business-logic"} {
		if !strings.Contains(s.text(), want) {
			t.Errorf("not shown: %q in\n%s", want, s.text())
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// crash is a program that fails in the middle of its work while the board is drawn.
func crash() {
	live := ui.NewLive(os.Stderr, ui.Style{Color: true})
	for n := range 1000 {
		live.Event(report.Event{Type: "change", Host: "prefect", Stage: "images", Act: "add", Step: fmt.Sprint("image ", n), State: "start"})
		time.Sleep(5 * time.Millisecond)
		if n == 100 {
			go func() { panic("something that cannot be") }()
		}
	}
}

// TestCrash: where the program itself fails, the terminal is as it was, and what failed can be read.
func TestCrash(t *testing.T) {
	t.Parallel()
	s := open(t, 80, 24, nil, "crash")
	s.exit(2)
	for _, want := range []string{"Ctrl-C finishes", "panic: something that cannot be"} {
		if !strings.Contains(s.text(), want) {
			t.Errorf("not shown: %q in\n%q", want, s.text())
		}
	}
}

// TestHostileText: what a host prints is shown with its control characters escaped.
func TestHostileText(t *testing.T) {
	t.Parallel()
	fleet, inventory := bootFleet(t, remotetest.Options{})
	const title, clear = "\x1b]0;owned\x07", "\x1b[2J\x1b[31;7m"
	for _, h := range fleet.Hosts() {
		h.Fail(remotetest.Failure{Match: "^docker pull", Nth: -1, Code: 1, Stderr: title + clear + "\rno such \u202eimage\n"})
	}
	s := open(t, 100, 30, nil, "provision", "apply", "--yes", "-i", inventory)
	s.exit(20)
	for _, bad := range []string{title, clear, "\u202e", "\x07"} {
		if strings.Contains(s.text(), bad) {
			t.Errorf("%q reached the terminal", bad)
		}
	}
	if !strings.Contains(s.text(), `\x1b]0;owned\x07`) {
		t.Errorf("what the host said is not shown:\n%s", s.text())
	}
}

// TestBoard: on a terminal there is a board while work goes on and nothing of it afterwards; it
// lives with a narrow terminal that changes its size; where a board does not belong, there are lines.
func TestBoard(t *testing.T) {
	t.Parallel()
	const foot = "Ctrl-C finishes the changes in hand"
	for name, test := range map[string]struct {
		columns uint16
		env     []string
		args    []string
		board   bool
		color   bool
	}{
		"terminal":   {100, nil, nil, true, true},
		"narrow":     {24, nil, nil, true, true},
		"NO_COLOR":   {100, []string{"NO_COLOR=1"}, nil, true, false},
		"--no-color": {100, nil, []string{"--no-color"}, true, false},
		"dumb":       {100, []string{"TERM=dumb"}, nil, false, false},
		"CI":         {100, []string{"CI=true"}, nil, false, true},
		"CI=false":   {100, []string{"CI=false"}, nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inventory, reached, end := stalled(t)
			s := open(t, test.columns, 20, test.env, "provision", append([]string{"apply", "--yes", "-i", inventory}, test.args...)...)
			reached()
			if test.board {
				s.wait("0:0")
			}
			seen := len(s.text())
			if err := pty.Setsize(s.screen, &pty.Winsize{Cols: 40, Rows: 6}); err != nil {
				t.Fatal(err)
			}
			if test.board { // drawn anew, as it is cut for 40 columns
				s.waitAfter(seen, " changes in h…")
			}
			end()
			s.exit(0)
			if got := strings.Contains(s.text(), "⠋") || strings.Contains(s.text(), foot[:10]); got != test.board {
				t.Errorf("a board was drawn: %v, want %v\n%q", got, test.board, s.text())
			}
			if got := strings.Contains(s.text(), "\x1b[32m") || strings.Contains(s.text(), "\x1b[36m"); got != test.color {
				t.Errorf("colours: %v, want %v\n%q", got, test.color, s.text())
			}
			if !strings.Contains(s.text(), "everything works") {
				t.Errorf("no result in\n%s", s.text())
			}
		})
	}
}
