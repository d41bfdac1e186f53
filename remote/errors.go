package remote

import (
	"fmt"
	"strings"
)

// Kind says what an [Error] means for what may be done next.
type Kind int

const (
	// Unreachable: no SSH session came about: name, route, refused, silent,
	// closed during the handshake, or not within the connect timeout.
	// Nothing was run.
	Unreachable Kind = iota + 1
	// HostKey: the machine could not be shown to be the right one. Never retry.
	HostKey
	// Auth: no offered key was accepted. Nothing was run.
	Auth
	// Privilege: logged in, but no shell with the wanted rights came up: sudo
	// refused, login shell unusable. Nothing was run.
	Privilege
	// Lost: the connection ended, or the caller gave up, while something ran.
	// Its outcome is unknown, it may still be running.
	Lost
	// Timeout: as Lost, because the deadline of the caller's context passed.
	Timeout
	// Busy: the machine refuses further channels on this connection.
	// Nothing was run.
	Busy
	// Failed: the operation was carried out and failed, as an upload to a full
	// disk does.
	Failed
	// Config: the controller's own ssh_config cannot be followed. Nothing was
	// connected to. Host is empty if it is so for every host.
	Config
)

func (k Kind) String() string {
	names := [...]string{"unknown", "unreachable", "host key", "authentication", "privilege", "lost", "timeout", "busy", "failed", "ssh_config"}
	if k < 0 || int(k) >= len(names) {
		return names[0]
	}
	return names[k]
}

// Error is a failed operation on a host. Every error that a Dialer, Conn or
// Shell returns is an *Error or an *[ExitError], possibly wrapped.
type Error struct {
	Host string // name of the target; for a jump host "NAME (jump ADDRESS)"
	Op   string // what was being done
	Kind Kind
	Err  error
	// Evidence is what the other side showed, sanitised, possibly several lines.
	Evidence string
	// Hint is what a person can do next, one action a line.
	Hint string
	// WantsPassword says that sudo asks for a password and none was given.
	WantsPassword bool
	// Unheard says that the connection ended before any command was answered: nothing was run.
	Unheard bool

	// everyHost says that a file of the controller is to blame, which is the same for all hosts.
	everyHost bool
}

// Of tells whether the error is of this host, or of a jump host on the way to it.
func (e *Error) Of(host string) bool {
	return e.Host == host || strings.HasPrefix(e.Host, host+" (jump ")
}

// Error is one line, without evidence and hint.
func (e *Error) Error() string {
	parts := make([]string, 0, 3)
	for _, p := range []string{e.Host, e.Op} {
		if p != "" {
			parts = append(parts, oneLine(p))
		}
	}
	if e.Err != nil {
		parts = append(parts, oneLine(e.Err.Error()))
	}
	return strings.Join(parts, ": ")
}

func (e *Error) Unwrap() error { return e.Err }

// ExitError is a remote program that ran and ended with another status than 0.
type ExitError struct {
	Code   int    // 128+n for a signal
	Signal string // "KILL", "TERM", ... if a signal ended it, and the server says so
	// The last 64 KiB of each stream, sanitised.
	Stdout, Stderr string
}

// Error is one line: the status and the last line of what was printed.
func (e *ExitError) Error() string {
	msg := fmt.Sprintf("exit status %d", e.Code)
	if e.Signal != "" {
		msg = "killed by signal " + Sanitize(e.Signal)
	}
	why := lastLine(e.Stderr)
	if why == "" {
		why = lastLine(e.Stdout)
	}
	if why == "" {
		return msg
	}
	const limit = 300
	if r := []rune(why); len(r) > limit {
		why = string(r[:limit]) + "..."
	}
	return msg + ": " + why
}
