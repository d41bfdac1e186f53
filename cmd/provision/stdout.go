package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"provision/provision/report"
)

// results is standard output. It keeps the first write that failed, so that no verb has to ask: what
// was asked for and did not arrive makes the command fail, whoever wrote it. Work on hosts continues.
type results struct {
	w io.Writer

	mu     sync.Mutex
	failed error
}

func (r *results) Write(b []byte) (int, error) {
	n, err := r.w.Write(b)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failed == nil {
			r.failed = err
		}
	}
	return n, err
}

// join adds to what a verb returned that its output could not be written, once.
func (r *results) join(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		return err
	}
	var all []error
	for _, e := range report.Errors(err) {
		if !errors.Is(e, r.failed) { // a verb that returned the same
			all = append(all, e)
		}
	}
	cause := r.failed
	var path *fs.PathError
	if errors.As(cause, &path) {
		cause = path.Err
	}
	hint := "see whether what it goes to is full, then run the same command again"
	if errors.Is(cause, syscall.EPIPE) {
		hint = "the program that read it has ended; write into a file, or let that program read to the end"
	}
	return errors.Join(append(all, &report.Error{Code: report.ExitFailed, Cause: "write to standard output: " + cause.Error(), Hint: hint})...)
}

// survivePipes makes a write to a pipe that nobody reads an error. Without it the process would be
// killed, perhaps in the middle of a change. A child gets the signal's default back.
func survivePipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
