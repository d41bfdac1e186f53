package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// defaultMaxOutput bounds the stdout of one script.
const defaultMaxOutput = 8 << 20

// floodLimit is how much a script may print on both streams before its channel is given up: nobody
// prints that much who means to end.
const floodLimit = 2 * defaultMaxOutput

// Command is one script on an exec channel of its own.
type Command struct {
	// Script is POSIX sh. Its standard input is empty, LC_ALL is C.
	Script    string
	Root      bool
	MaxOutput int // bytes of stdout; default 8 MiB; more ends the command with an error
}

// Result is what a script printed. Stderr is its last 64 KiB.
type Result struct {
	Stdout, Stderr []byte
	Code           int
}

// Run runs a script and waits for its end. A status other than 0 is an
// *[ExitError], with Result filled as well. When ctx ends, Run returns at once
// with its cause and kind Lost or Timeout: the remote command is not stopped.
func (c *Conn) Run(ctx context.Context, cmd Command) (res Result, err error) {
	done := c.d.observe(Op{Host: c.hop.label, Name: OpExec, Root: cmd.Root})
	defer func() { done(err) }()
	return c.run(ctx, "run", cmd)
}

func (c *Conn) run(ctx context.Context, op string, cmd Command) (Result, error) {
	j := newJob(newNonce(), 0, cmd.MaxOutput, nil)
	s, err := c.shell(ctx, op, cmd.Root, j, nil)
	if err != nil {
		return Result{}, err
	}
	defer s.abandon()
	s.send(wrap(j.begin, j.end, cmd.Script) + "exit\n")
	j.strict = true
	code, err := s.first(ctx, j)
	return Result{Stdout: j.output(s), Stderr: j.errorOutput(s), Code: code}, err
}

// job is one script in a session: its frames and what they collect.
type job struct {
	begin, end string
	out, err   *frame
	stdout     bytes.Buffer
	max        int
	strict     bool // too much stdout ends the wait at once
	over       bool // more than max bytes of stdout
	printed    int  // bytes on both streams
	tailOut    tail
	stderr     tail
	quiet      func() // ends the progress; nil without one; called with the session locked
}

func newJob(nonce string, seq, limit int, progress func(line string)) *job {
	if limit <= 0 {
		limit = defaultMaxOutput
	}
	j := &job{
		begin: fmt.Sprintf("%s-%d-BEGIN", nonce, seq), end: fmt.Sprintf("%s-%d-END", nonce, seq),
		max: limit, tailOut: tail{limit: evidenceLimit}, stderr: tail{limit: evidenceLimit},
	}
	var lo, le *lines
	if progress != nil {
		lo, le = &lines{tell: progress}, &lines{tell: progress}
		j.quiet = func() { lo.tell, le.tell = func(string) {}, func(string) {} }
	}
	j.out = newFrame(j.begin, j.end, func(p []byte) {
		j.printed += len(p)
		j.tailOut.add(p)
		if room := j.max - j.stdout.Len(); len(p) > room {
			j.over = true
			j.stdout.Write(p[:room])
		} else {
			j.stdout.Write(p)
		}
		lo.follow(p)
	})
	j.err = newFrame(j.begin, j.end, func(p []byte) {
		j.printed += len(p)
		j.stderr.add(p)
		le.follow(p)
	})
	j.out.pause, j.err.pause = lo.pause, le.pause
	return j
}

// run waits for the end of the script, which was sent.
func (j *job) run(ctx context.Context, s *session) (int, error) {
	return j.result(ctx, s, s.await(ctx, func() bool { return j.out.ended && j.err.ended || j.strict && j.over || j.printed > floodLimit }))
}

// result is what became of a script whose end was awaited with err.
func (j *job) result(ctx context.Context, s *session, err error) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.quiet != nil {
		defer j.quiet() // what a script that was given up still prints is shown to nobody
	}
	switch {
	case err == nil && !(j.out.ended && j.err.ended) && !(j.strict && j.over):
		return -1, &Error{
			Host: s.c.hop.label, Op: s.op, Kind: Lost, Err: fmt.Errorf("given up after %d MiB of output; it may still be running", floodLimit>>20),
			Evidence: lastLine(j.tailOut.String() + "\n" + j.stderr.String()),
		}
	case j.over && (err == nil || j.strict):
		return -1, &Error{
			Host: s.c.hop.label, Op: s.op, Kind: Failed, Err: fmt.Errorf("more than %d bytes of output", j.max),
			Evidence: lastLine(j.tailOut.String()),
		}
	case err == nil && j.out.status < 0:
		return -1, s.c.lost(s.op, errors.New("the end mark is damaged"))
	case err == nil:
		return j.out.status, j.exit(j.out.status, "")
	}
	j.out.flush()
	j.err.flush()
	if !errors.Is(err, errEnded) {
		return -1, s.c.abandoned(ctx, s.op)
	}
	how := s.outcome()
	var exit *ExitError
	switch {
	case how == nil: // status 0, and the script's own end was not seen
		return -1, s.c.lost(s.op, errors.New("the shell ended before the script did"))
	case !errors.As(how, &exit):
		return -1, how
	default:
		return exit.Code, j.exit(exit.Code, exit.Signal)
	}
}

// first is run for the first script of a session: a shell that does not begin it
// is no shell.
func (s *session) first(ctx context.Context, j *job) (int, error) {
	err := s.awaitStart(ctx, func() bool { return j.out.began && j.err.began })
	if err != nil {
		return -1, s.startError(ctx, err)
	}
	return j.run(ctx, s)
}

// finished: the shell told the end of the script, so it can take another.
func (j *job) finished(s *session) bool {
	return s.locked(func() bool { return j.out.ended && j.err.ended })
}

func (j *job) output(s *session) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(j.stdout.Bytes())
}

func (j *job) errorOutput(s *session) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(j.stderr.bytes())
}

// exit is the error for a status. What came before the begin mark counts as
// evidence when nothing came after it: a start program prints there.
func (j *job) exit(code int, signal string) error {
	if code == 0 && signal == "" {
		return nil
	}
	e := &ExitError{Code: code, Signal: signal, Stdout: j.tailOut.String(), Stderr: j.stderr.String()}
	if !j.out.began {
		e.Stdout, e.Stderr = j.out.noise.String(), j.err.noise.String()
	}
	return e
}
