package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"provision/cmd/provision/ui"
	"provision/provision/report"
	"provision/remote/remotetest"
)

// person is a Terminal of somebody who types lines; without any they press Ctrl-C.
type person struct {
	lines    []string
	out, err screen
}

// screen keeps what is written, by several at once.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

var _ Terminal = (*person)(nil)

func (p *person) Out() io.Writer      { return &p.out }
func (p *person) Err() io.Writer      { return &p.err }
func (p *person) OutIsTerminal() bool { return false }
func (p *person) ErrIsTerminal() bool { return false } // events are lines
func (p *person) CanAsk() bool        { return true }

func (p *person) ReadLine(context.Context) (string, error) {
	if len(p.lines) == 0 {
		return "", context.Canceled
	}
	line := p.lines[0]
	p.lines = p.lines[1:]
	return line, nil
}

func (p *person) ReadSecret(context.Context, string) (string, error) {
	return "", errors.New("a secret is asked for")
}

func (p *person) Choose(context.Context, ui.Style, ui.Question) (string, error) {
	return "", errors.New("a choice is asked for")
}
func (p *person) Board(ui.Style) ui.Face { panic("a board is drawn where nobody sees it") }

// TestAnswers: what the answer to the question of apply does to the hosts, and how the call ends.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines   []string
		code    int
		changed bool
	}{
		"yes":                    {[]string{"y"}, report.ExitDone, true},
		"no":                     {[]string{"n"}, report.ExitFailed, false},
		"only Enter":             {[]string{""}, report.ExitFailed, false},
		"Ctrl-C at the question": {nil, report.ExitInterrupted, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fleet, inventory := bootFleet(t, remotetest.Options{})
			p := &person{lines: c.lines}
			if code := run([]string{"apply", "-i", inventory}, p); code != c.code {
				t.Errorf("exit %d, want %d\n%s", code, c.code, p.err.String())
			}
			if !strings.Contains(p.err.String(), "Carry out ") || c.changed != strings.Contains(p.out.String(), "everything works") {
				t.Errorf("%q\n%s", p.out.String(), p.err.String())
			}
			for _, h := range fleet.Hosts() {
				if got := len(h.Containers()) > 0; got != c.changed {
					t.Errorf("%s has containers: %v", h.Name(), got)
				}
			}
		})
	}
}
