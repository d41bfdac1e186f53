package fleet

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"provision/provision/report"
	"provision/provision/resource"
	"provision/remote"
)

// Lock is a host's lock, held by the apply shell itself: the kernel frees it when the last process
// that the shell started has ended, and no clock is involved. Changes of the host run in that shell.
type Lock struct {
	host  string
	conn  *remote.Conn
	shell *remote.Shell
	doing string // the change that begins with the next script, for the note

	listeners sync.Mutex // guards say and sent
	say       func(line string)
	sent      func(name string, done, total int64)
	mu        sync.Mutex // the shell runs one script at a time
	mark      string     // the line of the note that names the shell
	staging   string
	staged    int
	stop      context.CancelFunc // ends the heartbeat
	grace     time.Duration      // that running flows have to end in
	beating   sync.WaitGroup
}

const (
	lockPath = resource.LockPath
	notePath = resource.NotePath
	// lockedCode is what flock ends with when somebody else holds the lock.
	lockedCode = 75
	heartbeat  = 5 * time.Second
	// staleAfter is the age of a note, by the host's own clock, from which its writer is taken to
	// have lost the connection. Its session is then ended, and the kernel's lock waited for.
	staleAfter = 60 * time.Second
	// leftWait is how long it is waited for what a run that is gone has left running: as long as a
	// change may take.
	leftWait = stepTimeout
	// What a killed run left on a host mostly ends at once, so a lock is asked for often at first.
	firstPoll, lockPoll = 50 * time.Millisecond, 2 * time.Second
)

//go:embed *.sh
var scriptFiles embed.FS

// scripts are the shell of this package.
var scripts = remote.ReadScripts(scriptFiles)

// lockStart takes the lock and becomes the apply shell, or ends with lockedCode.
func lockStart() string {
	return scripts.With("lock_take", "root", resource.Root, "lock", lockPath, "code", strconv.Itoa(lockedCode))
}

// noteChange adds to the note what is done now. That costs no process, and a note that cannot be
// written stops no work.
const noteChange = `printf '%%s\n' %s 2>/dev/null >>%s || :`

// readNote prints the note.
func readNote() string { return scripts.With("lock_read", "note", notePath) }

// ifOwn does something to the note if it is still that of this run's shell, whose line is mark.
func ifOwn(mark, then string) string {
	return scripts.With("lock_own", "note", notePath, "mark", mark) + then
}

// awaitOneShots waits for what an interrupted run left in a container.
func awaitOneShots() string { return scripts.With("lock_await", "label", resource.LabelStack) }

// Lock takes a host's lock, and waits for it as long as Options say. Who holds it meanwhile is told.
func (f *Fleet) Lock(ctx context.Context, host string) (*Lock, error) {
	conn, err := f.Conn(ctx, host)
	if err != nil {
		return nil, err
	}
	wait := patience{deadline: time.Now().Add(f.o.LockWait)}
	poll := firstPoll
	for said := ""; ; poll = min(2*poll, lockPoll) {
		shell, err := conn.Shell(ctx, remote.ShellOptions{Root: true, Start: lockStart()})
		var exit *remote.ExitError
		if err == nil {
			return f.hold(ctx, host, conn, shell)
		}
		if !errors.As(err, &exit) || exit.Code != lockedCode {
			return nil, report.HostError(host, "lock", report.ExitStep, err)
		}
		res, err := conn.Run(ctx, remote.Command{Root: true, Script: readNote()})
		if err != nil {
			return nil, report.HostError(host, "lock", report.ExitStep, err)
		}
		n := parseNote(string(res.Stdout))
		more, end := wait.look(n, time.Now())
		if end {
			f.o.Tell(report.Event{Type: "note", Host: host, Text: fmt.Sprintf("%s, but gave no sign of life for %s; ending that session and waiting for what it still runs", n.who, n.age)})
			if _, err := conn.Run(ctx, remote.Command{Root: true, Script: scripts.With("lock_end", "p", strconv.Itoa(n.pid), "s", n.start)}); err != nil {
				return nil, report.HostError(host, "lock", report.ExitStep, err)
			}
		}
		if !more {
			return nil, &report.Error{Code: report.ExitLocked, Host: host, Step: "lock", Cause: n.who, Hint: "wait for it: provision apply --lock-wait 10m"}
		}
		if text := n.waiting(); said == "" || n.abandoned && said != text {
			said = text
			f.o.Tell(report.Event{Type: "lock", Host: host, State: "start", Text: text})
		}
		select {
		case <-ctx.Done():
			return nil, report.HostError(host, "lock", report.ExitLocked, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
}

// stagingName is what mktemp makes of the template in lock_begin.
var stagingName = regexp.MustCompile(`^/var/tmp/\.provision-[A-Za-z0-9]{8}$`)

// pidLine is the first line that lock_begin prints.
var pidLine = regexp.MustCompile(`^pid [0-9]+ [0-9]+$`)

func (f *Fleet) hold(ctx context.Context, host string, conn *remote.Conn, shell *remote.Shell) (*Lock, error) {
	l := &Lock{host: host, conn: conn, shell: shell, grace: f.o.Grace}
	out, err := shell.Run(ctx, scripts.With("lock_begin", "note", notePath, "who", f.o.Who), nil)
	if err != nil {
		shell.Close()
		return nil, report.HostError(host, "lock", report.ExitStep, err)
	}
	// The name is removed with all that it holds at the end, so it is not just anything the host says.
	mark, staging, _ := strings.Cut(string(out), "\n")
	if pidLine.MatchString(mark) {
		l.mark = mark
	}
	if l.staging = strings.TrimSuffix(staging, "\n"); !stagingName.MatchString(l.staging) {
		shell.Close()
		return nil, &report.Error{Code: report.ExitStep, Host: host, Step: "lock", Cause: fmt.Sprintf("mktemp did not create a staging directory; it printed %q", remote.Sanitize(report.LastLines(l.staging, 1)))}
	}
	beatCtx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.beating.Add(1)
	go l.beat(beatCtx)
	_, err = shell.Run(ctx, awaitOneShots(), func(line string) { f.o.Tell(report.Event{Type: "lock", Host: host, State: "start", Text: line}) })
	if err != nil {
		l.release()
		return nil, report.HostError(host, "lock", report.ExitLocked, err)
	}
	f.o.Tell(report.Event{Type: "lock", Host: host, State: "done"})
	return l, nil
}

// beat touches the note while the lock is held. It needs a shell of its own: the apply shell may be
// busy for minutes.
func (l *Lock) beat(ctx context.Context) {
	defer l.beating.Done()
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	var shell *remote.Shell
	defer func() {
		if shell != nil {
			shell.Close()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var err error
		if shell == nil {
			if shell, err = l.conn.Shell(ctx, remote.ShellOptions{Root: true}); err != nil {
				shell = nil
				return // the connection is gone; whoever works in the apply shell hears of it there
			}
		}
		if _, err := shell.Run(ctx, ifOwn(l.mark, `touch -c "$note"`), nil); err != nil {
			return // the note is another's by now
		}
	}
}

// release ends the apply shell and with it the lock. What was staged is removed first. If the shell is
// in a change that was abandoned, the note says so: the lock stays until what the change began has ended.
func (l *Lock) release() {
	l.stop()
	l.beating.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.shell.Run(ctx, "rm -rf "+remote.Quote(l.staging)+"; rm -f "+notePath, nil)
	if err != nil {
		l.conn.Run(ctx, remote.Command{Root: true, Script: ifOwn(l.mark, "echo "+resource.AbandonedMark+` >>"$note"`)})
	}
	l.shell.Close()
}

// Doing says which change begins with the next script, for the note.
func (l *Lock) Doing(step string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doing = step
}

// stepTimeout bounds one change, besides the time that running flows are given to end. What waits
// inside a change has a shorter limit of its own.
const stepTimeout = 50 * time.Minute

// Sh runs a change's script in the apply shell.
func (l *Lock) Sh(ctx context.Context, script string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := stepTimeout + l.grace
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no end within %s", limit))
	defer cancel()
	if l.doing != "" {
		script = fmt.Sprintf(noteChange, remote.Quote(l.doing), notePath) + "\n" + script
		l.doing = ""
	}
	out, err := l.shell.Run(ctx, script, l.progress)
	return string(out), err
}

// Get runs a script whose output is a value: it is shown nowhere, not even where it fails. It has a
// channel of its own, because the apply shell may be busy for minutes.
func (l *Lock) Get(ctx context.Context, script string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, valueTimeout, fmt.Errorf("no answer within %s", valueTimeout))
	defer cancel()
	res, err := l.conn.Run(ctx, remote.Command{Root: true, Script: script})
	var exit *remote.ExitError
	if errors.As(err, &exit) {
		exit.Stdout = ""
	}
	return string(res.Stdout), err
}

const valueTimeout = time.Minute

// Follow says who is told what the change in hand prints and uploads; nil: nobody.
func (l *Lock) Follow(say func(line string), sent func(name string, done, total int64)) {
	l.listeners.Lock()
	defer l.listeners.Unlock()
	l.say, l.sent = say, sent
}

func (l *Lock) progress(line string) {
	l.listeners.Lock()
	defer l.listeners.Unlock()
	if l.say != nil {
		l.say(line)
	}
}

func (l *Lock) uploaded(name string, done, total int64) {
	l.listeners.Lock()
	defer l.listeners.Unlock()
	if l.sent != nil {
		l.sent(name, done, total)
	}
}

// Stage uploads content as the login user into the run's private directory.
func (l *Lock) Stage(ctx context.Context, name string, content []byte) (string, error) {
	l.staged++
	dst := path.Join(l.staging, strconv.Itoa(l.staged)+"-"+name)
	total := int64(len(content))
	err := l.conn.Upload(ctx, dst, bytes.NewReader(content), total, 0o600, func(done int64) { l.uploaded(name, done, total) })
	return dst, err
}
