package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"provision/inventory/strict"
	"provision/provision/cloud"
	"provision/provision/resource"
	"provision/remote"
)

// Exit codes of the command line.
const (
	ExitDone        = 0
	ExitFailed      = 1 // several classes at once, or declined
	ExitChanges     = 2
	ExitUsage       = 3
	ExitUnreachable = 10
	ExitHostKey     = 11
	ExitAuth        = 12
	ExitPrivilege   = 13
	ExitLocked      = 14
	ExitPreflight   = 15
	ExitStale       = 16
	ExitStep        = 20
	ExitUnknown     = 21
	ExitUnhealthy   = 22
	ExitCloud       = 30
	ExitData        = 40
	ExitInterrupted = 130
)

// Error is one thing that went wrong: where, in which step, why, what was seen, what to do next.
type Error struct {
	Code     int    `json:"code"`
	Host     string `json:"host,omitempty"`
	Step     string `json:"step,omitempty"`
	Cause    string `json:"cause"`
	Evidence string `json:"evidence,omitempty"` // last lines of what a host printed, made printable
	Hint     string `json:"hint,omitempty"`
	Err      error  `json:"-"`
}

func (e *Error) Error() string {
	var parts []string
	for _, p := range []string{e.Host, e.Step, e.Cause} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ": ")
}

func (e *Error) Unwrap() error { return e.Err }

// Errors lists the errors that err joins, in their order, however they are wrapped.
func Errors(err error) []*Error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		switch one := inner.(type) { //nolint:errorlint // the loop unwraps
		case *Error:
			return []*Error{one}
		case strict.Problems:
			var out []*Error
			for _, p := range one {
				hint := cmp.Or(p.Hint, "correct "+p.File+", then check it: provision validate")
				p.Hint = ""
				out = append(out, &Error{Code: ExitUsage, Cause: p.String(), Hint: hint})
			}
			return out
		case interface{ Unwrap() []error }:
			var out []*Error
			for _, joined := range one.Unwrap() {
				for _, e := range Errors(joined) {
					if e.Code != ExitUsage || e.Host != "" || !slices.ContainsFunc(out, func(have *Error) bool {
						return have.Code == e.Code && have.Host == "" && have.Cause == e.Cause
					}) {
						out = append(out, e) // a file that is wrong is said once, not per host
					}
				}
			}
			return out
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return []*Error{{Code: ExitInterrupted, Cause: "interrupted", Err: err}}
	}
	return []*Error{{Code: ExitFailed, Cause: err.Error(), Err: err}}
}

// ExitCode is the code of the command line for an error: that of its class, or 1 if several classes
// are in it. Cancellation by the user outranks what it caused.
func ExitCode(err error) int {
	code := ExitDone
	for _, e := range Errors(err) {
		switch {
		case e.Code == ExitInterrupted:
			return ExitInterrupted
		case code == ExitDone || code == e.Code:
			code = e.Code
		default:
			code = ExitFailed
		}
	}
	return code
}

// Usage is an error of the caller's making: an argument or a file that is wrong.
func Usage(hint, format string, args ...any) error {
	return &Error{Code: ExitUsage, Cause: fmt.Sprintf(format, args...), Hint: hint}
}

// hostError classifies what a connection or a script returned.
func HostError(host, step string, fallback int, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Code: fallback, Host: host, Step: step, Cause: err.Error(), Err: err}
	var re *remote.Error
	var xe *remote.ExitError
	var own *Error
	switch {
	case host == "" && errors.As(err, &own):
		return err // a host that a change of the account needs
	case errors.As(err, &re):
		e.Evidence, e.Hint = re.Evidence, re.Hint
		e.Cause = re.Err.Error()
		switch {
		case step == "connect":
			e.Step = re.Op // "connect to ADDRESS", "log in to ADDRESS", "verify host key of ADDRESS"
		case re.Op != "" && re.Op != "run" && re.Op != "run in shell":
			e.Cause = re.Op + ": " + e.Cause
		}
		switch {
		case re.Of(host):
			e.Host = re.Host
		case re.Host != "": // whose value is copied here
			e.Cause = re.Host + ": " + e.Cause
		}
		switch re.Kind {
		case remote.Config:
			e.Code, e.Host = ExitUsage, re.Host // one file for all hosts is one error
		case remote.Unreachable, remote.Busy:
			e.Code = ExitUnreachable
		case remote.HostKey:
			e.Code = ExitHostKey
		case remote.Auth:
			e.Code = ExitAuth
		case remote.Privilege:
			e.Code = ExitPrivilege
			// Package remote knows no inventory and cannot say where a password is written.
			switch {
			case e.Hint == "":
				e.Hint = "the inventory says under [sudo] where the password comes from"
			case re.WantsPassword:
				e.Hint += ", in the inventory: [sudo] password = { env = \"SUDO_PASSWORD\" }"
			}
		case remote.Lost, remote.Timeout:
			e.Code = ExitUnknown
			if e.Hint == "" {
				e.Hint = "what was running may have ended either way; run the same command again; it finds out and continues"
			}
		}
	case errors.As(err, &xe):
		e.Hint = "fix the problem shown above and run the same command again; it continues where this run stopped"
		last := lastLine(xe.Stderr)
		if xe.Code == resource.UnhealthyStatus {
			e.Code, e.Cause = ExitUnhealthy, last
			if container, ok := strings.CutPrefix(step, "container "); ok {
				e.Hint = fmt.Sprintf("see more of it on %s: docker logs --tail 100 %s\n%s", host, container, e.Hint)
			}
		} else if last != "" && xe.Code == 1 && err.Error() == xe.Error() { // only if the exit itself is the error, not wrapped in another message
			e.Cause = last
		} else {
			last = ""
		}
		e.Evidence = evidence(xe, last)
	}
	if errors.Is(err, resource.ErrStale) {
		e.Code, e.Hint = ExitStale, "run the same command again"
	} else if ce := (*cloud.Error)(nil); e.Code == ExitCloud && re == nil && errors.As(err, &ce) {
		e.Cause, e.Hint = ce.Cause, ce.Hint
	}
	if e.Code == ExitStep && e.Hint == "" { // whatever else a step says
		e.Hint = "fix what it says and run the same command again; it continues where this run stopped"
	}
	if errors.Is(err, context.Canceled) {
		e.Code, e.Cause, e.Evidence, e.Hint = ExitInterrupted, "interrupted", "", ""
	}
	return e
}

// evidenceLines is how much of what a failed script printed is shown.
const evidenceLines = 24

// logMark stands before the last lines that a failed service itself printed.
const logMark = "last lines of "

// evidence is what explains a failed script best, without the line that is the cause already: a
// service's own last lines where the script shows them, else the end of what it printed; what went
// wrong is on stderr, so that comes last.
func evidence(xe *remote.ExitError, cause string) string {
	text := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(xe.Stderr), cause))
	if i := strings.LastIndex("\n"+text, "\n"+logMark); i >= 0 {
		return LastLines(text[i:], evidenceLines)
	}
	return LastLines(xe.Stdout+"\n"+text, evidenceLines)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndex(s, "\n")+1:]
}

func LastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

// UsageOf is an error of a cloud about what the caller gave or named.
func UsageOf(err error) error {
	var e *cloud.Error
	if !errors.As(err, &e) {
		return &Error{Code: ExitUsage, Cause: err.Error(), Err: err}
	}
	return &Error{Code: ExitUsage, Cause: e.Cause, Hint: e.Hint, Err: err}
}
