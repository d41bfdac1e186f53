package remotecontract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/remote"
)

// screen keeps what a terminal shows, and does something once a text is there.
type screen struct {
	text string
	when func()

	mu    sync.Mutex
	shown bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.shown.Write(p)
	var when func()
	if s.when != nil && strings.Contains(s.shown.String(), s.text) {
		when, s.when = s.when, nil
	}
	s.mu.Unlock()
	if when != nil {
		when()
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// keyboard is an input that brings what is typed, and does not end before end is called.
type keyboard chan string

func (k keyboard) Read(p []byte) (int, error) {
	text, ok := <-k
	if !ok {
		return 0, io.EOF
	}
	return copy(p, text), nil
}

func terminal(t *testing.T, c *remote.Conn) {
	big := `i=0; while [ $i -lt 3000 ]; do echo 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde; i=$((i+1)); done`
	tests := []struct {
		name, script string
		typed        string // once the script shows ready
		size         remote.Size
		resize       bool // then, too
		ends         bool // the input ends with what was typed
		want         string
		code         int
	}{
		{name: "is a terminal", script: `[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo "$TERM"`, want: "vt100\r\n"},
		{name: "size", script: `stty size`, size: remote.Size{Columns: 101, Rows: 31}, want: "31 101\r\n"},
		{name: "no size", script: `stty size`, want: "24 80\r\n"},
		{name: "resized", script: `echo ready; while [ "$(stty size)" = "24 80" ]; do sleep 0.05; done; stty size`, resize: true, want: "ready\r\n22 77\r\n"},
		{name: "status", script: `echo out; echo why >&2; exit 7`, want: "out\r\nwhy\r\n", code: 7},
		{name: "several lines and backslashes", script: "x='a\\nb'\nprintf '%s' \"$x\"", want: `a\nb`},
		{name: "long script", script: "x=" + strings.Repeat("x", 20000) + "; echo ${#x}", want: "20000\r\n"},
		{name: "what looks like ours", script: `printf 'PROVISION-0-END 0\n\n'`, want: "PROVISION-0-END 0\r\n\r\n"},
		{name: "what is typed", script: `echo ready; read -r x; echo "got $x"`, typed: "it's \\q\r", want: "ready\r\nit's \\q\r\ngot it's \\q\r\n"},
		{name: "end of the input", script: `echo ready; read -r x; echo "got $x"; sleep 0.3; echo end`, typed: "a\r", ends: true, want: "ready\r\na\r\ngot a\r\nend\r\n"},
		{name: "Ctrl-D", script: `echo ready; cat; echo end`, typed: "a\r\x04", want: "ready\r\na\r\na\r\nend\r\n"},
		{name: "Ctrl-C", script: `echo ready; sleep 60`, typed: "\x03", want: "ready\r\n^C", code: 130},
		{name: "Ctrl-C for who waits for it", script: `trap 'echo told; exit 3' INT; echo ready; while :; do sleep 0.05; done`, typed: "\x03", want: "ready\r\n^Ctold\r\n", code: 3},
		{name: "raw", script: `stty raw -echo; echo ready; read -r x; echo "got $x"`, typed: "\x03\x04\n", want: "ready\ngot \x03\x04\n"},
		{name: "much output", script: big, want: strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\r\n", 3000)},
	}
	accounts(t, c, func(t *testing.T, root bool) {
		for _, tt := range tests {
			keys, resize := make(keyboard, 1), make(chan remote.Size, 1)
			s := &screen{text: "ready", when: func() {
				if tt.typed != "" {
					keys <- tt.typed
				}
				if tt.resize {
					resize <- remote.Size{Columns: 77, Rows: 22}
				}
				if tt.ends {
					close(keys)
				}
			}}
			err := c.Terminal(ctx(t), remote.Terminal{Script: tt.script, Root: root, Type: "vt100", Size: tt.size, Resize: resize, Stdin: keys, Stdout: s})
			if !tt.ends {
				close(keys)
			}
			code := 0
			var exit *remote.ExitError
			if errors.As(err, &exit) {
				code = exit.Code
			} else if err != nil {
				t.Errorf("%s: %v\n%s", tt.name, err, evidence(err))
			}
			if got := s.String(); code != tt.code || got != tt.want {
				t.Errorf("%s: status %d and %d bytes %.200q, want %d and %d bytes %.200q", tt.name, code, len(got), got, tt.code, len(tt.want), tt.want)
			}
		}
	})
}

// terminalCut ends the connection under a terminal.
func terminalCut(t *testing.T, c *remote.Conn) {
	err := c.Terminal(ctx(t), remote.Terminal{Script: "echo ready; sleep 60", Stdout: &screen{text: "ready", when: func() { go c.Close() }}})
	var e *remote.Error
	if !errors.As(err, &e) || e.Kind != remote.Lost {
		t.Errorf("got %v, want kind Lost", err)
	}
}

// terminalStopped gives a terminal up: what runs on it ends.
func terminalStopped(t *testing.T, c *remote.Conn) {
	accounts(t, c, func(t *testing.T, root bool) {
		pid := remote.Quote(tempDir(t, c) + "/pid")
		why := errors.New("operator said stop")
		cx, cancel := context.WithCancelCause(ctx(t))
		defer cancel(nil)
		s := &screen{text: "ready", when: func() { cancel(why) }}
		err := c.Terminal(cx, remote.Terminal{Script: fmt.Sprintf(`echo $$ >%[1]s; sh -c 'echo $$ >>"$0"; echo ready; exec sleep 60' %[1]s`, pid), Root: root, Stdout: s})
		var e *remote.Error
		if !errors.As(err, &e) || e.Kind != remote.Lost || !errors.Is(err, why) || e.Hint != "" {
			t.Errorf("got %v (%s), want kind Lost with the cause", err, evidence(err))
		}
		for range 100 {
			res, err := c.Run(ctx(t), remote.Command{Script: `while read -r p; do echo seen; kill -s 0 "$p" 2>/dev/null && echo lives; done <` + pid, Root: root})
			if string(res.Stdout) == "seen\nseen\n" {
				return
			} else if err != nil && !errors.As(err, new(*remote.ExitError)) {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Error("what ran on the terminal is still there")
	})
}
