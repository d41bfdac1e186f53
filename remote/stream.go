package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Stream is a script whose data go through: nothing of them is kept, so they may be of any size.
type Stream struct {
	// Script is POSIX sh. LC_ALL is C.
	Script string
	Root   bool

	// Stdin is what the script reads; nil is an empty input. It is read only as fast as the script
	// takes it, by one goroutine. A Read that waits when the script has ended is not waited for, and
	// what it brings is lost; no other follows.
	Stdin io.Reader

	// Stdout and Stderr get what the script prints, byte for byte; nil: nobody. Each is called by one
	// goroutine at a time, the two possibly at once, and neither after Stream has returned. One that is
	// slow slows the script.
	Stdout, Stderr io.Writer
}

// Stream runs a script and waits for its end. A status other than 0 is an *[ExitError] with the last
// 64 KiB of stderr and nothing of stdout; a script that a signal ended has status 128+n, as in a shell.
// A connection that is cut is an error of kind Lost, also if all data have arrived.
//
// When ctx ends, or Stdin, Stdout or Stderr fails, the script is stopped: all of its process group get
// SIGTERM, and SIGKILL 3 s later. What left the group, as daemons do, continues. Stream then returns
// within about 30 s with the cause, and kind Lost or Timeout for ctx, Failed for the others; the error
// has a hint if it is not known that the script has ended. A writer that never returns holds it up.
// An error of Stdin is never shown to the script as the end of its input.
func (c *Conn) Stream(ctx context.Context, cmd Stream) (err error) {
	done := c.d.observe(Op{Host: c.hop.label, Name: OpStream, Root: cmd.Root})
	defer func() { done(err) }()
	return c.stream(ctx, "stream", cmd)
}

// groupMark goes before the number of the script's process group.
const groupMark = "-GROUP "

// tellGroup prints it, without a program: /proc/PID/stat is one line.
const tellGroup = `printf '\n%%s%%s\n' %s "$(read -r _ _ _ _ g _ <"/proc/$$/stat"; echo "$g")"; `

func (c *Conn) stream(ctx context.Context, op string, cmd Stream) error {
	j := newJob(newNonce(), 0, 0, nil)
	discard := func([]byte) {}
	j.out.payload, j.out.to = discard, cmd.Stdout
	j.err.payload, j.err.to = j.stderr.add, cmd.Stderr
	s, err := c.shell(ctx, op, cmd.Root, j, nil)
	if err != nil {
		return err
	}
	defer s.abandon()
	redirect := "</dev/null"
	if cmd.Stdin != nil {
		redirect = ""
	}
	s.send(wrapped(j.begin, j.end, cmd.Script, fmt.Sprintf(tellGroup, Quote(j.begin+groupMark)), redirect, `exit "$1"`))
	begun := func() bool { return j.out.began && j.err.began }
	if err := s.awaitStart(ctx, begun); err != nil && (ctx.Err() == nil || !s.beginsYet(begun)) {
		return s.startError(ctx, err)
	}
	return s.through(ctx, j, cmd.Stdin, cmd.Root)
}

// through moves the data of a script that has begun until it ends. The shell has read all of the script
// and reads no more before its end: what follows is the script's.
func (s *session) through(ctx context.Context, j *job, stdin io.Reader, root bool) error {
	in := &input{from: stdin, s: s}
	if stdin != nil {
		go in.copy()
	}
	err := s.await(ctx, func() bool {
		return in.err != nil || j.out.broken != nil || j.err.broken != nil || j.out.ended && j.err.ended && !j.out.busy && !j.err.busy
	})
	failed := s.failure(in, j)
	if failed == nil && (err == nil || errors.Is(err, errEnded)) {
		_, err = j.result(ctx, s, err)
		s.rest(j)
		if failed = s.failure(in, j); failed == nil {
			s.silence(in, j)
			return err
		}
	}
	over := j.finished(s)
	s.silence(in, j)
	e := s.c.abandoned(ctx, s.op)
	if failed != nil {
		e = &Error{Host: s.c.hop.label, Op: s.op, Kind: Failed, Err: failed}
	}
	if !over {
		e.Hint = s.c.stopGroup(s, j, root)
	}
	return e
}

// beginsYet waits a little longer for a script that was sent when the caller gave up: only one that has
// begun can be stopped.
func (s *session) beginsYet(begun func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupPeriod)
	defer cancel()
	return s.await(ctx, begun) == nil
}

// input copies a reader to a session. Its fields are guarded by the session's lock.
type input struct {
	from io.Reader
	s    *session
	over bool  // nothing more is to be read
	err  error // of the reader
}

func (in *input) copy() {
	in.s.writing.Lock() // after the script
	defer in.s.writing.Unlock()
	buf := make([]byte, 32<<10)
	over := func() bool { return in.s.locked(func() bool { return in.over }) }
	for !over() {
		n, err := in.from.Read(buf)
		if over() {
			return
		}
		if n > 0 {
			if _, werr := in.s.stdin.Write(buf[:n]); werr != nil {
				return // the script or its channel has ended, and that says why
			}
		}
		switch err {
		case nil:
		case io.EOF:
			_ = in.s.stdin.Close()
			return
		default:
			in.s.mu.Lock()
			in.err = fmt.Errorf("read the input: %w", err)
			in.s.mu.Unlock()
			in.s.wake()
			return
		}
	}
}

// failure is the error of a reader or writer of ours.
func (s *session) failure(in *input, j *job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range []*frame{j.out, j.err} {
		if f.broken != nil {
			return fmt.Errorf("write the output: %w", f.broken)
		}
	}
	return in.err
}

// rest delivers what was held back when the stream ended without its end mark.
func (s *session) rest(j *job) {
	for _, f := range []*frame{j.out, j.err} {
		s.mu.Lock()
		due := f.due()
		s.mu.Unlock()
		f.deliver(&s.mu, due)
	}
}

// silence sees to it that no reader or writer of ours is called any more.
func (s *session) silence(in *input, j *job) {
	s.mu.Lock()
	in.over = true
	s.mu.Unlock()
	j.out.refuse(&s.mu, errGivenUp)
	j.err.refuse(&s.mu, errGivenUp)
	for s.locked(func() bool { return j.out.busy || j.err.busy }) {
		<-s.mark
	}
}

// stopGroup ends what a script started, over a channel of its own: sshd passes no signals on to a
// command of root's, nor to one that sudo runs. It returns a hint if that was not possible.
func (c *Conn) stopGroup(s *session, j *job, root bool) string {
	s.mu.Lock()
	_, told, _ := strings.Cut(j.out.unframed(), j.begin+groupMark)
	s.mu.Unlock()
	told, _, _ = strings.Cut(told, "\n")
	// 1 would be everybody, and less what kill takes for something else.
	if group, err := strconv.Atoi(told); err == nil && group > 1 && !c.isGone() {
		ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), spareChannel{}, true), stopPeriod)
		defer cancel()
		if _, err := c.run(ctx, "stop", Command{Script: scripts.With("stop", "g", strconv.Itoa(group)), Root: root}); err == nil {
			return ""
		}
	}
	return "the command may still be running on the host"
}

// stopPeriod bounds how long a script that is to be stopped is waited for: a busy host takes seconds to
// start the shell that does it.
const stopPeriod = 30 * time.Second

// cleanupPeriod bounds what is done after an error or a cancel.
const cleanupPeriod = 10 * time.Second
