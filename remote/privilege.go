package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// startPeriod is how long a shell may take to come up: login scripts, PAM and
// sudo's look-up of the host's name all take their time.
const startPeriod = time.Minute

var errSlowStart = errors.New("shell start timeout")

// sudoer knows the sudo password of a connection and whether it was refused.
type sudoer struct {
	ask func(context.Context) (string, error)

	mu       sync.Mutex
	known    bool
	password string
	refused  bool
}

// answer returns the password; it is asked for once.
func (s *sudoer) answer(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known {
		return s.password, nil
	}
	p, err := s.ask(ctx)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(p, "\r\n\x00") {
		return "", errors.New("the sudo password holds a line break")
	}
	s.known, s.password = true, p
	return p, nil
}

func (s *sudoer) isRefused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func (s *sudoer) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = true
}

// The gate is the line that is sent before a script. Our own shell takes it and continues with nothing
// else; another one, which a login script became, carries it out and ends. So what is left of a script
// whose beginning somebody else read is never run.
const (
	gate        = "exit 87"
	otherShell  = 87 // the status of a shell that carried the gate out
	lineMissing = 88 // the status of ours, to which another line came
	takeGate    = `read -r l; test "$l" = "` + gate + `" || exit 88; `
)

// english has sudo say what it says in the words that foreign.go knows.
const english = "LC_ALL=C "

// commandLine is what the login shell is given: a shell of ours that says that it was reached, and
// becomes the one that reads the script. It is plain enough to mean the same in any login shell.
func commandLine(reached, become, program string) string {
	take := takeGate + program
	if become == "" {
		return fmt.Sprintf(`/bin/sh -c 'echo %s; %s'`, reached, take)
	}
	return fmt.Sprintf(`/bin/sh -c 'echo "$0"; `+english+`exec "$@"' %s %s /bin/sh -c '%s'`, reached, become, take)
}

// shell starts /bin/sh on a new channel, as root if asked, with j as its first
// job. With pty it has that terminal, and takes one script as readScript says.
func (c *Conn) shell(ctx context.Context, op string, root bool, j *job, pty *Terminal) (*session, error) {
	program := "exec /bin/sh"
	if pty != nil {
		program = readScript
	}
	// Everybody on the host sees the command line in the list of processes, so it shares nothing with
	// the marks that frame output.
	nonce := newNonce()
	reached := nonce + "-REACHED"
	become := ""
	switch {
	case !root || c.hop.user == "root":
	case c.sudo.ask == nil && pty == nil:
		become = "sudo -n"
	case c.sudo.isRefused():
		return nil, c.wrongPassword(op, "")
	default: // on a terminal in any case: sudo sets it up, which may lose what was sent before
		return c.sudoShell(ctx, op, nonce, reached, program, j, pty)
	}
	s, err := c.open(ctx, op, commandLine(reached, become, program), j.out, j.err, pty)
	if err != nil {
		return nil, err
	}
	s.reached, s.sudo, s.before = reached, become != "", gate+"\n"
	return s, nil
}

// sudoLine is commandLine where the shell says that it is root's before it takes anything. A terminal keeps the language of the account.
func sudoLine(reached, sudo, ready, program string, pty bool) string {
	language := english
	if pty {
		language = ""
	}
	return fmt.Sprintf(`/bin/sh -c 'echo "$0"; %sexec "$@"' %s %s /bin/sh -c 'echo %s; %s'`, language, reached, sudo, ready, program)
}

// sudoShell is shell as root by sudo. A password is written only after our own prompt was seen, so that it
// can never become input of the shell; the script only after the ready mark, so that it can never become a
// password.
func (c *Conn) sudoShell(ctx context.Context, op, nonce, reached, program string, j *job, pty *Terminal) (*session, error) {
	prompt, ready := nonce+"-PASSWORD", nonce+"-READY"
	sudo := "sudo -n"
	if c.sudo.ask != nil {
		sudo = "sudo -S -p " + prompt
	}
	out, errs := newFrame(ready, nonce+"-NEVER", func([]byte) {}), newFrame(nonce+"-NEVER", nonce+"-NEVER", func([]byte) {})
	s, err := c.open(ctx, op, sudoLine(reached, sudo, ready, program, pty != nil), out, errs, pty)
	if err != nil {
		return nil, err
	}
	s.reached, s.sudo = reached, true
	asks := errs
	if pty != nil {
		asks = out // a terminal has one stream
	}
	if err := s.sudoPassword(ctx, prompt, out, asks); err != nil {
		s.abandon()
		return nil, err
	}
	s.up = true
	s.begin(j.out, j.err)
	return s, nil
}

func (s *session) sudoPassword(ctx context.Context, prompt string, out, errs *frame) error {
	prompts := func() int { return strings.Count(errs.unframed(), prompt) }
	err := s.awaitStart(ctx, func() bool { return out.began || prompts() > 0 })
	if err != nil {
		return s.startError(ctx, err)
	}
	if s.locked(func() bool { return out.began }) {
		return nil
	}
	password, err := s.c.sudo.answer(ctx)
	if err != nil {
		return &Error{Host: s.c.hop.label, Op: s.op, Kind: Privilege, Err: fmt.Errorf("ask for the sudo password: %w", err)}
	}
	go func() { _, _ = io.WriteString(s.stdin, password+"\n") }()
	err = s.awaitStart(ctx, func() bool { return out.began || prompts() > 1 })
	switch {
	case err == nil && s.locked(func() bool { return out.began }):
		return nil
	case err == nil, errors.Is(err, errEnded) && foreign.Say(s.printed(), wrongPassword):
		s.c.sudo.refuse()
		return s.c.wrongPassword(s.op, strings.ReplaceAll(s.printed(), prompt, ""))
	default:
		return s.startError(ctx, err)
	}
}

func (c *Conn) wrongPassword(op, printed string) *Error {
	return &Error{
		Host: c.hop.label, Op: op, Kind: Privilege, Err: errors.New("sudo refused the password"), Evidence: strings.TrimSpace(printed),
		Hint: fmt.Sprintf("check the sudo password of %s on this host; it was tried once and is not tried again", c.hop.user),
	}
}

func (c *Conn) startPeriod() time.Duration {
	if c.d.startPeriod > 0 {
		return c.d.startPeriod
	}
	return startPeriod
}

// awaitStart is await, within startPeriod.
func (s *session) awaitStart(ctx context.Context, cond func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.c.startPeriod(), errSlowStart)
	defer cancel()
	return s.await(ctx, cond)
}
