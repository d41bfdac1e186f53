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

// shell starts /bin/sh on a new channel, as root if asked, with j as its first
// job. The command lines are plain enough to mean the same in any login shell.
func (c *Conn) shell(ctx context.Context, op string, root bool, j *job) (*session, error) {
	switch {
	case !root || c.hop.user == "root":
		return c.open(ctx, op, "/bin/sh", j.out, j.err)
	case c.sudo.ask == nil:
		return c.open(ctx, op, "sudo -n /bin/sh", j.out, j.err)
	}
	if c.sudo.isRefused() {
		return nil, c.wrongPassword(op, "")
	}
	// The password is written only after our own prompt was seen, so that it can
	// never become input of the shell; the script only after the ready mark, so
	// that it can never become a password.
	// Both are seen by everybody in the host's process list, so they share nothing
	// with the marks that frame output.
	nonce := newNonce()
	prompt, ready := nonce+"-PASSWORD", nonce+"-READY"
	out, errs := newFrame(ready, nonce+"-NEVER", func([]byte) {}), newFrame(nonce+"-NEVER", nonce+"-NEVER", func([]byte) {})
	s, err := c.open(ctx, op, fmt.Sprintf("sudo -S -p %s /bin/sh -c 'echo %s; exec /bin/sh'", prompt, ready), out, errs)
	if err != nil {
		return nil, err
	}
	if err := s.sudoPassword(ctx, prompt, out, errs); err != nil {
		s.abandon()
		return nil, err
	}
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
	case err == nil, errors.Is(err, errEnded) && strings.Contains(s.printed(), "incorrect password"):
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

// awaitStart is await, within startPeriod.
func (s *session) awaitStart(ctx context.Context, cond func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startPeriod, errSlowStart)
	defer cancel()
	return s.await(ctx, cond)
}

// startError explains why a shell that was awaited did not come up.
func (s *session) startError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errSlowStart):
		return &Error{
			Host: s.c.hop.label, Op: s.op, Kind: Privilege, Evidence: s.printed(),
			Err:  fmt.Errorf("no shell came up within %v", startPeriod),
			Hint: fmt.Sprintf("%q waits for something; a login script (~/.bashrc, ~/.profile) must not ask or read", s.line),
		}
	case !errors.Is(err, errEnded):
		return s.c.abandoned(ctx, s.op)
	}
	how := s.outcome()
	var exit *ExitError
	if how == nil {
		exit = &ExitError{} // ended with status 0 and without our mark
	} else if !errors.As(how, &exit) {
		return how
	}
	return s.noShell(exit)
}

// noShell is the error of a shell that ended before it ran anything of ours. Text
// of other programs is only used to choose the words, never the kind.
func (s *session) noShell(exit *ExitError) *Error {
	user, printed := s.c.hop.user, s.printed()
	e := &Error{Host: s.c.hop.label, Op: s.op, Kind: Privilege, Evidence: printed}
	said := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(strings.ToLower(printed), p) {
				return true
			}
		}
		return false
	}
	sudoers := fmt.Sprintf("%s ALL=(ALL) NOPASSWD: ALL", user)
	sudo := strings.HasPrefix(s.line, "sudo ")
	switch {
	case !sudo, said("account is currently not available", "not allowed to execute", "restricted"):
		e.Err = fmt.Errorf("the login shell of %s does not run commands (exit status %d)", user, exit.Code)
		e.Hint = fmt.Sprintf("give %s a shell (chsh -s /bin/sh %s), or correct what its login scripts (~/.bashrc, ~/.config/fish/config.fish, ~/.cshrc) end with", user, user)
	case exit.Code == 127 || said("sudo: not found", "sudo: command not found", "unknown command: sudo", "unknown command 'sudo'"):
		e.Err = errors.New("sudo is not installed")
		e.Hint = fmt.Sprintf("log in as root, or as root: apt-get install sudo, then add to /etc/sudoers.d/provision: %s", sudoers)
	case said("must have a tty", "no tty present"):
		e.Err = errors.New("sudo wants a terminal (requiretty)")
		e.Hint = fmt.Sprintf("as root, add to /etc/sudoers.d/provision:\nDefaults:%s !requiretty\n%s", user, sudoers)
	case said("not in the sudoers", "may not run sudo", "is not allowed to"):
		e.Err = fmt.Errorf("%s may not use sudo", user)
		e.Hint = "as root, add to /etc/sudoers.d/provision: " + sudoers
	case s.c.sudo.ask == nil:
		e.Err = errors.New("sudo wants a password")
		e.Hint = "as root, add to /etc/sudoers.d/provision: " + sudoers + "\nor give the sudo password"
	default:
		e.Err = fmt.Errorf("sudo refused (exit status %d)", exit.Code)
		e.Hint = "as root, add to /etc/sudoers.d/provision: " + sudoers
	}
	return e
}
