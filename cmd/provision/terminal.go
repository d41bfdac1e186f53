package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"provision/cmd/provision/ui"
)

// Terminal is what a call reads from and writes to. It is an argument of run, so that a test can give its own, and nothing else in
// this package touches the streams of the process.
type Terminal interface {
	// Out takes results; Err takes all else: progress, questions and errors.
	Out() io.Writer
	Err() io.Writer
	// OutIsTerminal and ErrIsTerminal tell whether a person sees them at once.
	OutIsTerminal() bool
	ErrIsTerminal() bool
	// CanAsk tells whether somebody sees a question on Err and can answer it.
	CanAsk() bool
	// ReadLine returns what is typed next, without the space around it. The end of the input is an empty line, the end of ctx an error.
	ReadLine(ctx context.Context) (string, error)
	// ReadSecret shows the prompt once what is typed is not shown, and returns what is typed.
	ReadSecret(ctx context.Context, prompt string) (string, error)
	// Choose asks a question that is drawn.
	Choose(ctx context.Context, s ui.Style, q ui.Question) (string, error)
	// Board is a face that is drawn on Err.
	Board(s ui.Style) ui.Face
}

// streams is the Terminal of three files, which are those of the process.
type streams struct{ in, out, err *os.File }

var _ Terminal = streams{}

func (s streams) Out() io.Writer      { return s.out }
func (s streams) Err() io.Writer      { return s.err }
func (s streams) OutIsTerminal() bool { return term.IsTerminal(int(s.out.Fd())) }
func (s streams) ErrIsTerminal() bool { return term.IsTerminal(int(s.err.Fd())) }
func (s streams) CanAsk() bool        { return term.IsTerminal(int(s.in.Fd())) && s.ErrIsTerminal() }

func (s streams) Board(style ui.Style) ui.Face { return ui.NewLive(s.err, style) }

func (s streams) Choose(ctx context.Context, style ui.Style, q ui.Question) (string, error) {
	return ui.Ask(ctx, s.in, s.err, style, q)
}

func (s streams) ReadLine(ctx context.Context) (string, error) {
	answer := make(chan string, 1)
	go func() { // ends with the process, if nobody answers
		line, _ := bufio.NewReader(s.in).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (s streams) ReadSecret(ctx context.Context, prompt string) (string, error) {
	fd := int(s.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	type typed struct {
		text []byte
		err  error
	}
	answer := make(chan typed, 1)
	go func() { // ends with the process, if nobody answers
		text, err := term.ReadPassword(fd)
		answer <- typed{text, err}
	}()
	// Whoever types as soon as the question is there must not be shown: it comes once the terminal has been told.
	for range 1000 {
		if now, err := term.GetState(fd); err != nil || *now != *before {
			break
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Fprint(s.err, prompt)
	defer fmt.Fprintln(s.err)
	select {
	case a := <-answer:
		return string(a.text), a.err
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, before))
	}
}
