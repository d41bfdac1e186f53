//go:build unix

package main

import (
	"bytes"
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
