package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Size is the size of a terminal, in characters.
type Size struct{ Columns, Rows int }

// Terminal is a script that has a terminal of the host as its input and output.
type Terminal struct {
	// Script is POSIX sh; "" is the account's own shell, as after a login. The environment is that of the
	// account, with TERM.
	Script string
	Root   bool

	Type string // TERM; "" is xterm-256color
	Size Size   // what is 0 is 80 columns, 24 rows

	// Resize, which may be nil, brings each later size of the operator's terminal. It is read until Terminal
	// returns.
	Resize <-chan Size

	// Stdin goes to the host's terminal byte for byte, and that makes of them what terminals make: byte 3,
	// which is Ctrl-C, interrupts what runs in the foreground. So an operator's own terminal has to be raw,
	// which is the caller's business. The end of Stdin ends nothing, because a terminal has no end: byte 4,
	// which is Ctrl-D, is what programs take for it. Otherwise it is as Stdin of a [Stream].
	Stdin io.Reader

	// Stdout gets what the terminal shows: both streams of the script and the echo of what is typed, with
	// line breaks as \r\n. It is called as Stdout of a [Stream] is.
	Stdout io.Writer
}

// Terminal runs a script on a terminal and waits for its end. How the script ends, and what a context, a
// reader, a writer or a connection that ends does, is told as [Conn.Stream] tells it; an *[ExitError] holds
// nothing of the output. One that Ctrl-C ended has status 130.
//
// The terminal lives as long as Terminal does. What still runs on it then, in the background or because the
// connection was cut, gets SIGHUP. It needs stty on the host.
func (c *Conn) Terminal(ctx context.Context, t Terminal) (err error) {
	done := c.d.observe(Op{Host: c.hop.label, Name: OpTerminal, Root: t.Root})
	defer func() { done(err) }()
	const op = "terminal"
	j := newJob(newNonce(), 0, 0, nil)
	j.out.payload, j.out.to = func([]byte) {}, t.Stdout
	// The usual marks have line breaks: one before the end mark would be held back until more follows, and a
	// person sees that; the one after the begin mark is another when the terminal is no longer raw.
	j.out.begin, j.out.end = []byte(j.begin+";"), []byte("\x00"+j.end+" ")
	j.err.began, j.err.ended = true, true // a terminal has one stream
	s, err := c.shell(ctx, op, t.Root, j, &t)
	if err != nil {
		return err
	}
	defer s.abandon()
	s.send(encodeLine.Replace(onTerminal(j, t.Script)) + "\n")
	begun := func() bool { return j.out.began }
	if err := s.awaitStart(ctx, begun); err != nil && (ctx.Err() == nil || !s.beginsYet(begun)) {
		return s.startError(ctx, err)
	}
	ended := make(chan struct{})
	defer close(ended)
	go s.resize(t.Resize, ended)
	return s.through(ctx, j, t.Stdin, t.Root)
}

// readScript takes one line and runs it. It is read byte by byte, so what follows stays for the script; a
// shell that took its script from a terminal as from a pipe would be interactive.
const readScript = `IFS= read -r script; eval "$(printf %b "$script")"`

// encodeLine makes of a script the line of which printf %b makes the script.
var encodeLine = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

// onTerminal is a script between marks. The terminal, which began raw, becomes one for people before the
// script starts. Ctrl-C and Ctrl-\ are for the script, and not for who tells how it ended.
func onTerminal(j *job, script string) string {
	if script == "" {
		script = `exec "${SHELL:-/bin/sh}" -l`
	}
	return fmt.Sprintf(tellGroup+`stty sane; stty iutf8 2>/dev/null; trap : INT QUIT; printf '%%s;' %s
(eval %s)
set -- "$?"; printf '\000%%s %%d\n' %s "$1"; exit "$1"`, Quote(j.begin+groupMark), j.begin, Quote(script), j.end)
}

// request asks for the terminal, if there is to be one. It begins raw: what is sent to the shell arrives as
// it is and is not shown.
func (t *Terminal) request(ch *ssh.Session) error {
	if t == nil {
		return nil
	}
	raw := ssh.TerminalModes{
		ssh.ECHO: 0, ssh.ICANON: 0, ssh.ISIG: 0, ssh.IEXTEN: 0, ssh.ICRNL: 0, ssh.IXON: 0, ssh.OPOST: 0,
		ssh.TTY_OP_ISPEED: 38400, ssh.TTY_OP_OSPEED: 38400,
	}
	if err := ch.RequestPty(cmp.Or(t.Type, "xterm-256color"), cmp.Or(t.Size.Rows, 24), cmp.Or(t.Size.Columns, 80), raw); err != nil {
		return fmt.Errorf("%w: %w", errNoTerminal, err)
	}
	return nil
}

var errNoTerminal = errors.New("the server gives no terminal")

// resize tells the host of each new size.
func (s *session) resize(sizes <-chan Size, ended <-chan struct{}) {
	for {
		select {
		case size, ok := <-sizes:
			if !ok {
				return
			}
			_ = s.ch.WindowChange(size.Rows, size.Columns) // fails only with the channel, which says why
		case <-ended:
			return
		}
	}
}
