package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// startError explains why a shell that was awaited did not come up.
func (s *session) startError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errSlowStart):
		e := &Error{Host: s.c.hop.label, Op: s.op, Kind: Privilege, Evidence: s.said()}
		if s.locked(s.wasReached) {
			e.Err = fmt.Errorf("sudo did not start a shell within %v", s.c.startPeriod())
			e.Hint = fmt.Sprintf("see what it waits for: %s sudo true", s.c.byHand())
		} else {
			e.Err = fmt.Errorf("the login shell of %s did not run our command within %v: a login script waits for something, reads, or starts another program", s.c.hop.user, s.c.startPeriod())
			e.Hint = s.scriptsHint()
		}
		return e
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

// wasReached tells whether our command line was run; with the session locked.
func (s *session) wasReached() bool {
	return s.up || strings.Contains(s.out.unframed(), s.reached)
}

// said is what was printed, without our own mark.
func (s *session) said() string {
	return strings.TrimSpace(strings.ReplaceAll(s.printed(), s.reached, ""))
}

// byHand is how a person logs in to the same account.
func (c *Conn) byHand() string {
	port := ""
	if c.hop.port != 22 {
		port = fmt.Sprintf("-p %d ", c.hop.port)
	}
	return fmt.Sprintf("ssh -t %s%s@%s", port, c.hop.user, c.hop.alias)
}

func (s *session) scriptsHint() string {
	return fmt.Sprintf("login scripts of %s (~/.bashrc, ~/.profile, ~/.zshenv, ~/.cshrc, ~/.config/fish/config.fish, /etc/bash.bashrc) must not ask, read, exit or start another program without a terminal: begin them with\n[ -t 0 ] || return 0", s.c.hop.user)
}

// noSuchProgram is the status of a shell that was to become a program which is not there.
const noSuchProgram = 127

// noShell is the error of a shell that ended before it ran anything of ours. The marks say who ended
// it; text of other programs is only used to choose the words, never the kind.
func (s *session) noShell(exit *ExitError) *Error {
	user, printed, reached := s.c.hop.user, s.said(), s.locked(s.wasReached)
	e := &Error{Host: s.c.hop.label, Op: s.op, Kind: Privilege, Evidence: printed}
	said := func(meanings ...Meaning) bool {
		return slices.ContainsFunc(meanings, func(m Meaning) bool { return foreign.Say(printed, m) })
	}
	sudoers := fmt.Sprintf("%s ALL=(ALL) NOPASSWD: ALL", user)
	other := asOther.FindStringSubmatch(printed)
	switch {
	case exit.Code == otherShell:
		e.Err = fmt.Errorf("a login script of %s starts another shell, which read in place of ours; nothing was run", user)
		e.Hint = s.scriptsHint()
	case reached && exit.Code == lineMissing:
		e.Err = fmt.Errorf("a login script of %s reads what is meant for our shell; nothing was run", user)
		e.Hint = s.scriptsHint()
	case !reached && other != nil:
		e.Err = fmt.Errorf("the host does not let %s log in, it wants the user %s", user, other[1])
		e.Hint = fmt.Sprintf("log in as that user: user = %q", other[1])
	case !reached && said(passwordExpired):
		e.Err = fmt.Errorf("the password of %s has expired, and the host runs nothing before it is changed", user)
		e.Hint = fmt.Sprintf("change it: %s\nor, as root on the host, let it live on: chage -d today -M -1 %s", s.c.byHand(), user)
	case !reached && said(accountExpired):
		e.Err = fmt.Errorf("the account of %s has expired", user)
		e.Hint = fmt.Sprintf("as root on the host: chage -E -1 %s", user)
	case !reached && said(noLogin):
		e.Err = fmt.Errorf("the login shell of %s does not run commands (exit status %d)", user, exit.Code)
		e.Hint = fmt.Sprintf("give %s a shell (chsh -s /bin/sh %s), or, if the system says that it is going down or coming up, wait", user, user)
	case !reached:
		e.Err = fmt.Errorf("the login shell of %s does not run commands (exit status %d): a login script ends it, or its key is bound to another command", user, exit.Code)
		e.Hint = s.scriptsHint() + fmt.Sprintf("\na bound key: see command= in authorized_keys and ForceCommand in sshd_config; no shell: chsh -s /bin/sh %s", user)
	case !s.sudo:
		e.Err = fmt.Errorf("the shell of %s ended before it ran anything (exit status %d)", user, exit.Code)
		e.Hint = s.scriptsHint()
	case exit.Code == noSuchProgram:
		e.Err = errors.New("sudo is not installed")
		e.Hint = fmt.Sprintf("log in as root, or as root: apt-get install sudo, then add to /etc/sudoers.d/provision: %s", sudoers)
	case said(wantsTerminal):
		e.Err = errors.New("sudo wants a terminal (requiretty)")
		e.Hint = fmt.Sprintf("as root, add to /etc/sudoers.d/provision:\nDefaults:%s !requiretty\n%s", user, sudoers)
	case said(badAccount, accountExpired, passwordExpired):
		e.Err = fmt.Errorf("sudo refuses %s because of its account", user)
		e.Hint = fmt.Sprintf("as root on the host: chage -l %s, then chage -E -1 -M -1 %[1]s", user)
	case said(notAllowed):
		e.Err = fmt.Errorf("%s may not use sudo", user)
		e.Hint = "as root, add to /etc/sudoers.d/provision: " + sudoers
	case said(badRules):
		e.Err = errors.New("sudo cannot read its rules")
		e.Hint = "as root: visudo -c"
	case said(cannotBecomeRoot):
		e.Err = errors.New("sudo is there and cannot become root")
		e.Hint = "log in as root, or correct what the lines above say"
	case s.c.sudo.ask == nil:
		e.Err = errors.New("sudo wants a password")
		e.Hint = "as root, add to /etc/sudoers.d/provision: " + sudoers + "\nor give the sudo password"
		e.WantsPassword = true
	default:
		e.Err = fmt.Errorf("sudo refused (exit status %d)", exit.Code)
		e.Hint = "as root, add to /etc/sudoers.d/provision: " + sudoers
	}
	return e
}
