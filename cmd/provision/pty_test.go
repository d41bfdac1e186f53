//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"provision/cmd/provision/ui"
	"provision/provision"
	"provision/remote/remotetest"
)

// patience bounds every wait of these tests; it is far above what a busy machine needs.
const patience = 60 * time.Second

// session is a command on a terminal of its own.
type session struct {
	t      *testing.T
	cmd    *exec.Cmd
	screen *os.File
	before *term.State

	mu    sync.Mutex
	shown bytes.Buffer
	more  chan struct{} // told when something more was shown
	ended chan struct{} // closed when the process has ended and all that it showed is read
}

// open runs a command of TestMain in a process of its own on a terminal.
func open(t *testing.T, columns, rows uint16, env []string, name string, args ...string) *session {
	t.Helper()
	return openIn(t, "", columns, rows, env, name, args...)
}

// openIn is open in a directory.
func openIn(t *testing.T, dir string, columns, rows uint16, env []string, name string, args ...string) *session {
	t.Helper()
	env = append([]string{"TERM=xterm-256color", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}, env...)
	return start(t, dir, columns, rows, env, itself(t, name), args...)
}

// itself is this program under another name, by which TestMain knows what to do.
func itself(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	if self, err := os.Executable(); err != nil {
		t.Fatal(err)
	} else if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	return program
}

// start runs a program on a terminal of its own.
func start(t *testing.T, dir string, columns, rows uint16, env []string, program string, args ...string) *session {
	t.Helper()
	screen, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(screen, &pty.Winsize{Cols: columns, Rows: rows}); err != nil {
		t.Fatal(err)
	}
	before, err := term.GetState(int(screen.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, screen: screen, before: before, more: make(chan struct{}, 1), ended: make(chan struct{})}
	s.cmd = exec.Command(program, args...)
	s.cmd.Dir = dir
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty, tty, tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	s.cmd.Env = env
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close() // so that reading ends with the process
	go func() {
		defer close(s.ended)
		defer s.cmd.Wait()
		buf := make([]byte, 4096)
		for {
			n, err := screen.Read(buf)
			s.mu.Lock()
			s.shown.Write(buf[:n])
			s.mu.Unlock()
			select {
			case s.more <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.ended
		screen.Close()
	})
	return s
}

func (s *session) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// wait waits until the terminal has shown a text.
func (s *session) wait(text string) {
	s.t.Helper()
	s.waitAfter(0, text)
}

// waitAfter is wait for what is shown after so many bytes.
func (s *session) waitAfter(seen int, text string) {
	s.t.Helper()
	deadline := time.After(patience)
	for !strings.Contains(s.text()[seen:], text) {
		select {
		case <-s.more:
		case <-s.ended:
			if strings.Contains(s.text()[seen:], text) {
				return
			}
			s.t.Fatalf("the end, and never shown: %q in\n%q", text, s.text())
		case <-deadline:
			s.t.Fatalf("never shown: %q in\n%q", text, s.text())
		}
	}
}

// typed types on the keyboard; "\x03" is Ctrl-C.
func (s *session) typed(keys string) {
	s.t.Helper()
	if _, err := s.screen.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// exit waits for the end, and holds the terminal to be as it was before.
func (s *session) exit(code int) {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatalf("no end; shown:\n%q", s.text())
	}
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("exit %d, want %d; shown:\n%s", got, code, s.text())
	}
	sane(s.t, s.text())
	after, err := term.GetState(int(s.screen.Fd()))
	if err != nil {
		s.t.Fatal(err)
	}
	if *after != *s.before {
		s.t.Error("the terminal's settings are not what they were")
	}
}

var cursorShape = regexp.MustCompile(`\x1b\[\d q`)

// sane holds what was written to a terminal to leave it usable: what is switched on is switched off.
func sane(t *testing.T, text string) {
	t.Helper()
	for name, pair := range map[string][2]string{
		"cursor": {"\x1b[?25l", "\x1b[?25h"}, "screen": {"\x1b[?1049h", "\x1b[?1049l"},
		"paste": {"\x1b[?2004h", "\x1b[?2004l"}, "keyboard": {"\x1b[>4;2m", "\x1b[>4m"},
	} {
		if strings.LastIndex(text, pair[0]) > strings.LastIndex(text, pair[1]) {
			t.Errorf("%s: left as %q", name, pair[0])
		}
	}
	if cursorShape.MatchString(text) {
		t.Errorf("the cursor has another shape: %q", text)
	}
	if strings.Contains(text, "$p") { // a question that the terminal answers into the shell
		t.Errorf("the terminal was asked something: %q", text)
	}
}

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
	s.wait("add image postgres:13.3 on prefect")
	end()
	s.exit(130)
	for _, want := range []string{"interrupted after ", "skipped", "run the same command again to go on"} {
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
	for _, want := range []string{"abandoning; this may still be running: ", "add image postgres:13.3 on prefect", "it may still be running there", "run the same command again"} {
		if !strings.Contains(s.text(), want) {
			t.Errorf("not shown: %q in\n%s", want, s.text())
		}
	}
	end()
	if code, out, errs := capture(t, "apply", "--yes", "--lock-wait", "1m", "-i", inventory); code != 0 {
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
	for _, want := range []string{"SIMULATED", "44 to add", "Ctrl-C finishes", "nothing to change", "# a change by hand", "provision status", "prefect-business-logic"} {
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
		live.Event(provision.Event{Type: "change", Host: "prefect", Stage: "images", Act: "add", Step: fmt.Sprint("image ", n), State: "start"})
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
			if err := pty.Setsize(s.screen, &pty.Winsize{Cols: 40, Rows: 6}); err != nil {
				t.Fatal(err)
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
