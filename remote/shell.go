package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ShellOptions say which shell to keep running.
type ShellOptions struct {
	Root bool
	// Start is a POSIX sh program that ends in exec of a shell that reads its
	// standard input, for instance `exec flock -n /run/lock sh`. It must not read
	// its own standard input. "" is a plain /bin/sh.
	Start string
}

// Shell is a shell that is fed scripts, one at a time. It is safe for concurrent
// use: scripts wait for each other.
type Shell struct {
	c     *Conn
	s     *session
	root  bool
	nonce string

	turn   chan struct{} // holds a token while nothing runs
	seq    int
	broken error // why no further script can run

	closing sync.Once
	closed  error
}

// Shell starts a shell. When Start ends instead of becoming a shell, as the loser
// of a lock does, the error is an *[ExitError] with its status and what it
// printed. ctx bounds the start, also a Start that waits.
func (c *Conn) Shell(ctx context.Context, o ShellOptions) (_ *Shell, err error) {
	done := c.d.observe(Op{Host: c.hop.label, Name: OpExec, Root: o.Root})
	defer func() { done(err) }()
	const op = "start shell"
	nonce := newNonce()
	j := newJob(nonce, 0, 0, nil)
	s, err := c.shell(ctx, op, o.Root, j, nil)
	if err != nil {
		return nil, err
	}
	sh := &Shell{c: c, s: s, root: o.Root, nonce: nonce, seq: 1, turn: make(chan struct{}, 1)}
	sh.turn <- struct{}{}
	if err := sh.start(ctx, o.Start, j); err != nil {
		s.abandon()
		return nil, err
	}
	return sh, nil
}

func (sh *Shell) start(ctx context.Context, program string, j *job) error {
	if program == "" {
		sh.s.send(wrap(j.begin, j.end, ":"))
		_, err := sh.s.first(ctx, j)
		return err
	}
	// The shell that runs the program reads nothing more once it has begun: then
	// whatever is sent is for the shell that the program becomes.
	sh.s.send(startProgram(j.begin, program))
	err := sh.s.awaitStart(ctx, func() bool { return j.out.began && j.err.began })
	if err != nil {
		return sh.s.startError(ctx, err)
	}
	first := newJob(sh.nonce, sh.seq, 0, nil)
	sh.seq++
	sh.s.begin(first.out, first.err)
	sh.s.send(wrap(first.begin, first.end, ":"))
	_, err = first.run(ctx, sh.s)
	var exit *ExitError
	if errors.As(err, &exit) {
		// What the program printed came before or after the frames were changed.
		sh.s.mu.Lock()
		exit.Stdout, exit.Stderr = j.tailOut.String()+exit.Stdout, j.stderr.String()+exit.Stderr
		sh.s.mu.Unlock()
		return fmt.Errorf("start shell: %w", exit)
	}
	return err
}

// Run runs one script and returns its stdout. progress, which may be nil, gets
// each line of both streams as it comes, sanitised, without the empty ones; it is
// called by one goroutine at a time, not after Run has returned, and must return
// quickly.
//
// Like [Conn.Run], the script has an empty standard input and LC_ALL=C; it runs in
// a subshell, so what it sets or changes is gone afterwards. A status other than 0
// is an *[ExitError]; the shell can be used again. More than 8 MiB of stdout is an error
// after the script has ended. If the shell itself ends, or ctx does, or the script
// prints more than 16 MiB on both streams, no further script can run in it; then
// Run returns at once and what ran is not stopped: how that ends is not known.
func (sh *Shell) Run(ctx context.Context, script string, progress func(line string)) (stdout []byte, err error) {
	done := sh.c.d.observe(Op{Host: sh.c.hop.label, Name: OpShellRun, Root: sh.root})
	defer func() { done(err) }()
	const op = "run in shell"
	select {
	case <-sh.turn:
	case <-ctx.Done():
		return nil, &Error{Host: sh.c.hop.label, Op: op, Kind: Busy, Err: context.Cause(ctx)}
	}
	defer func() { sh.turn <- struct{}{} }()
	if sh.broken != nil {
		return nil, sh.broken
	}
	if err := context.Cause(ctx); err != nil { // nothing was sent yet: the shell stays good
		return nil, &Error{Host: sh.c.hop.label, Op: op, Kind: Busy, Err: err}
	}
	j := newJob(sh.nonce, sh.seq, 0, progress)
	sh.seq++
	sh.s.op = op
	sh.s.begin(j.out, j.err)
	sh.c.scripts.Add(1)
	sh.s.send(wrap(j.begin, j.end, script))
	_, err = j.run(ctx, sh.s)
	if !j.finished(sh.s) {
		var exit *ExitError
		if errors.As(err, &exit) { // the shell's own end: how the script's will be, or was, nobody has said
			err = &Error{Host: sh.c.hop.label, Op: op, Kind: Lost, Err: fmt.Errorf("the shell ended before the script did: %w", exit)}
		}
		sh.broken = &Error{Host: sh.c.hop.label, Op: op, Kind: Lost, Err: fmt.Errorf("the shell is no longer usable: %w", err)}
		sh.s.abandon()
	}
	return j.output(sh.s), err
}

// closePeriod is how long a shell may take to end after the end of its input.
const closePeriod = 10 * time.Second

// Close ends the shell and waits, up to 10 s, until it has ended. What its
// scripts left running is not stopped.
func (sh *Shell) Close() error {
	sh.closing.Do(func() {
		sh.s.endInput()
		timer := time.NewTimer(closePeriod)
		defer timer.Stop()
		select {
		case <-sh.s.done:
		case <-sh.c.gone:
			<-sh.s.done
		case <-timer.C:
			sh.closed = &Error{Host: sh.c.hop.label, Op: "close shell", Kind: Lost, Err: fmt.Errorf("still running after %v", closePeriod)}
		}
		sh.s.abandon()
		<-sh.turn
		if sh.broken == nil {
			sh.broken = &Error{Host: sh.c.hop.label, Op: "run in shell", Kind: Lost, Err: errClosed}
		}
		sh.turn <- struct{}{}
	})
	return sh.closed
}
