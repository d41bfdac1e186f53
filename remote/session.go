package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// session is one exec channel with a shell behind it that is fed through stdin.
type session struct {
	c     *Conn
	op    string
	ch    *ssh.Session
	stdin io.WriteCloser
	line  string // the command line that was run

	reached string // what our command line prints when it is run
	up      bool   // it was, in frames that are gone
	sudo    bool   // it is one that goes through sudo
	before  string // what is sent before the first script

	writing sync.Mutex // x/crypto's channel must not be told of its end while something is written

	mu       sync.Mutex
	out, err *frame        // of the current script
	mark     chan struct{} // gets a token when something in the frames changed

	quit chan struct{} // closed when we gave the channel up
	once sync.Once
	done chan struct{} // closed when the channel has ended, which may be long after
	end  error         // how, valid after done
}

// sink is where a stream of the channel goes: to the frame of the current script.
type sink struct {
	s      *session
	stderr bool
}

func (k sink) Write(p []byte) (int, error) {
	k.s.mu.Lock()
	f := k.s.out
	if k.stderr {
		f = k.s.err
	}
	f.feed(p)
	due := f.due()
	k.s.mu.Unlock()
	k.s.wake()
	if len(due) > 0 {
		f.deliver(&k.s.mu, due)
		k.s.wake()
	}
	return len(p), nil
}

// wake makes await look again.
func (s *session) wake() {
	select {
	case s.mark <- struct{}{}:
	default:
	}
}

func (s *session) locked(f func() bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

// begin installs the frames of the next script.
func (s *session) begin(out, err *frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.flush()
	s.err.flush()
	s.out, s.err = out, err
	select {
	case <-s.mark:
	default:
	}
}

// await waits until cond holds, which is asked with the lock held whenever the
// frames changed. It returns an error if the channel or ctx ended before.
func (s *session) await(ctx context.Context, cond func() bool) error {
	for {
		s.mu.Lock()
		ok := cond()
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-s.mark:
		case <-s.done:
			// What came before the end has been delivered: done is closed after.
			s.mu.Lock()
			ok := cond()
			s.mu.Unlock()
			if ok {
				return nil
			}
			return errEnded
		case <-s.quit:
			return errGivenUp
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

var (
	errEnded   = errors.New("the remote shell ended")
	errGivenUp = errors.New("the remote shell was given up")
)

// open starts line on a new channel, with a first pair of frames installed, and with a terminal if pty
// describes one.
func (c *Conn) open(ctx context.Context, op, line string, out, errs *frame, pty *Terminal) (*session, error) {
	ch, free, err := c.channel(ctx, op)
	if err != nil {
		return nil, err
	}
	s := &session{c: c, op: op, line: line, ch: ch, out: out, err: errs, mark: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	ch.Stdout, ch.Stderr = sink{s, false}, sink{s, true}
	if s.stdin, err = ch.StdinPipe(); err != nil {
		_ = ch.Close()
		free()
		return nil, c.lost(op, err)
	}
	c.execs.Add(1)
	started := make(chan error, 1)
	go func() {
		err := pty.request(ch)
		if err == nil {
			err = ch.Start(line)
		}
		started <- err
		if err == nil {
			err = ch.Wait()
		} else {
			_ = ch.Close()
		}
		s.end = err
		close(s.done)
		free()
	}()
	select {
	case err := <-started:
		if err != nil {
			// A refusal is an answer; without one the channel or connection has ended.
			if errors.Is(err, io.EOF) || c.isGone() {
				c.settle()
				return nil, c.unheard(op, err)
			}
			c.judged.Store(true)
			if errors.Is(err, errNoTerminal) {
				return nil, &Error{
					Host: c.hop.label, Op: op, Kind: Privilege, Err: err,
					Hint: "see PermitTTY in sshd_config of the host, and no-pty and restrict in authorized_keys of the login",
				}
			}
			return nil, &Error{
				Host: c.hop.label, Op: op, Kind: Privilege, Err: fmt.Errorf("the server refused to run %s: %w", line, err),
				Hint: "the login may be restricted to file transfer or to one command",
			}
		}
		c.judged.Store(true)
		return s, nil
	case <-ctx.Done():
		_ = ch.Close()
		return nil, c.abandoned(ctx, op)
	}
}

// send writes to the shell without waiting for it to read. A write that fails
// needs no answer here: the channel has ended, and that says why.
func (s *session) send(text string) {
	s.writing.Lock()
	text, s.before = s.before+text, ""
	go func() {
		defer s.writing.Unlock()
		_, _ = io.WriteString(s.stdin, text)
	}()
}

// endInput tells the shell that nothing follows. One that has not taken what was sent to it, or that
// the connection has lost, cannot be told.
func (s *session) endInput() {
	if s.writing.TryLock() {
		defer s.writing.Unlock()
		_ = s.stdin.Close()
		return
	}
	s.abandon()
}

// abandon closes the channel. The remote program is not told, and a server may
// keep its side open until that has ended.
func (s *session) abandon() {
	s.once.Do(func() {
		close(s.quit)
		_ = s.ch.Close()
	})
}

// outcome is how the channel ended, as an error: an *ExitError without its
// streams, or Lost. Nil is exit status 0.
func (s *session) outcome() error {
	var exit *ssh.ExitError
	switch {
	case s.end == nil:
		return nil
	case errors.As(s.end, &exit):
		return &ExitError{Code: exit.ExitStatus(), Signal: exit.Signal()}
	default:
		s.c.settle()
		return s.c.lost(s.op, s.end)
	}
}

// printed is what the current frames saw that was not payload of a script.
func (s *session) printed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.flush()
	s.err.flush()
	return strings.TrimSpace(strings.TrimSpace(s.out.noise.String()) + "\n" + strings.TrimSpace(s.err.noise.String()))
}

func newNonce() string { return "PROVISION" + rand.Text() }

// startProgram is the text that makes the shell that reads it run program, with the
// rest of its input untouched.
func startProgram(begin, program string) string {
	return fmt.Sprintf(`{ export LC_ALL=C; printf '\n%%s\n' %[1]s; printf '\n%%s\n' %[1]s >&2
eval %[2]s
exit; }
`, begin, Quote(program))
}

// wrap is the text that runs script in a subshell of the shell that reads it, between
// marks. It is one command that ends with its last byte: the shell has read all of
// it before it starts, and nothing in script can read what follows. A script that
// does not parse, exits or sets options only ends its subshell.
func wrap(begin, end, script string) string {
	return wrapped(begin, end, script, "", "</dev/null", `(exit "$1")`)
}

// wrapped is wrap with words before the first mark, redirections, and words after the last.
func wrapped(begin, end, script, first, redirect, last string) string {
	return fmt.Sprintf(`{ export LC_ALL=C; %[4]sprintf '\n%%s\n' %[1]s; printf '\n%%s\n' %[1]s >&2
(eval %[3]s) %[5]s
set -- "$?"; printf '\n%%s %%d\n' %[2]s "$1"; printf '\n%%s %%d\n' %[2]s "$1" >&2; %[6]s; }
`, begin, end, Quote(script), first, redirect, last)
}
