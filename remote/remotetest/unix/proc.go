package unix

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// killed is why a process ended without calling exit.
type killed syscall.Signal

func (k killed) Error() string { return fmt.Sprintf("killed by signal %d", int(k)) }

// Exited unwinds a simulated program, as exit(3) does.
type Exited int

func (e Exited) Error() string { return "exit status " + strconv.Itoa(int(e)) }

// Proc is one process. Its descriptors, directory, mask and credentials are its own; a child starts
// with copies of them.
type Proc struct {
	sys             *System
	PID, PPID, pgid int
	Session         int  // the first process of the login or service that it descends from
	Cred            Cred // changed by SetCred
	Argv            []string
	Env             map[string]string
	Dir             string
	Umask           fs.FileMode
	FDs             map[int]*Desc
	start           time.Time
	ctx             context.Context
	cancel          context.CancelCauseFunc
	ignore          map[syscall.Signal]bool   // changed with the table's lock held
	trap            func(syscall.Signal) bool // takes a signal that the shell has a trap for, with the table's lock held
	Done            chan struct{}
	Place           Place // that it runs in, nil for the system itself
	byShell         bool  // the program is started by a shell, whose words tell if that fails
	Terminal        bool  // its output goes to a terminal, unless it is redirected
}

// Place is where processes run that are not in the system itself: a container.
type Place interface {
	// Path is where the system keeps the file that a process there knows by an absolute name.
	Path(name string) string
	// Exec runs a program in a process that is there.
	Exec(p *Proc, argv []string) int
}

// NewProc is a process without a parent, a session of its own.
func (s *System) NewProc(c Cred, env map[string]string, dir string) *Proc {
	p := &Proc{sys: s, PPID: 1, Cred: c, Env: env, Dir: dir, Umask: 0o022, FDs: map[int]*Desc{}, ignore: map[syscall.Signal]bool{}}
	s.register(p)
	return p
}

// register puts a process into the table. Others may look at it from here on: its argv and credentials are
// changed with the table's lock held. One without a session leads its own.
func (s *System) register(p *Proc) {
	p.start, p.Done = s.Now(), make(chan struct{})
	p.ctx, p.cancel = context.WithCancelCause(s.Alive())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastPID++
	p.PID = s.lastPID
	if p.Session == 0 {
		p.pgid, p.Session = p.PID, p.PID
	}
	s.procs[p.PID] = p
}

// Fork is a copy of the process, with descriptors of its own, that has not begun to run.
func (p *Proc) Fork() *Proc {
	c := &Proc{
		sys: p.sys, PPID: p.PID, pgid: p.pgid, Session: p.Session, Cred: p.Cred, Argv: p.Argv, Env: maps.Clone(p.Env), Dir: p.Dir,
		Umask: p.Umask, Place: p.Place, Terminal: p.Terminal, FDs: make(map[int]*Desc, len(p.FDs)), ignore: maps.Clone(p.ignore),
	}
	for n, d := range p.FDs {
		c.FDs[n] = d.Dup()
	}
	p.sys.register(c)
	return c
}

// End closes everything that the process holds and takes it out of the table.
func (p *Proc) End() {
	for _, d := range p.FDs {
		d.Close()
	}
	p.FDs = nil
	p.sys.mu.Lock()
	delete(p.sys.procs, p.PID)
	p.sys.mu.Unlock()
	p.cancel(nil)
	close(p.Done)
}

// SetArgv changes the words that others see.
func (p *Proc) SetArgv(argv []string) {
	p.sys.mu.Lock()
	defer p.sys.mu.Unlock()
	p.Argv = argv
}

// SetCred changes whose process it is, which others look at before they send it a signal.
func (p *Proc) SetCred(c Cred) {
	p.sys.mu.Lock()
	defer p.sys.mu.Unlock()
	p.Cred = c
}

// SetFD puts a description at a number and closes what was there.
func (p *Proc) SetFD(n int, d *Desc) {
	if old := p.FDs[n]; old != nil {
		old.Close()
	}
	if d == nil {
		delete(p.FDs, n)
		return
	}
	p.FDs[n] = d
}

// Signal delivers what kill(2) does, as far as it can be seen from outside.
func (p *Proc) Signal(sig syscall.Signal) {
	switch sig {
	case 0, syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGWINCH:
		return
	case syscall.SIGKILL:
	default:
		p.sys.mu.Lock()
		taken := p.ignore[sig] || p.trap != nil && p.trap(sig)
		p.sys.mu.Unlock()
		if taken {
			return
		}
	}
	p.cancel(killed(sig))
}

// setTrap says who takes the signals that are not ignored; nil: nobody.
func (p *Proc) setTrap(take func(syscall.Signal) bool) {
	p.sys.mu.Lock()
	defer p.sys.mu.Unlock()
	p.trap = take
}

// status is the exit status of a killed process as its parent's shell sees it.
func (p *Proc) status() int {
	var k killed
	if errors.As(context.Cause(p.ctx), &k) {
		return 128 + int(k)
	}
	return 128 + int(syscall.SIGKILL)
}

// Program runs f as this process's program and returns its exit status.
func (p *Proc) Program(f func(*Proc) int) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case Exited:
			code = int(r)
		case killed:
			p.cancel(r)
			code = p.status()
		default:
			panic(r)
		}
	}()
	return f(p)
}

// Exec runs a program in this process, found on its PATH.
func (p *Proc) Exec(argv []string) int {
	caller, byShell := p.Argv, p.byShell
	p.byShell = false
	p.SetArgv(argv)
	if p.sys.Start != nil {
		if f := p.sys.Start(p); f != nil {
			return p.Program(f)
		}
	}
	if p.Place != nil {
		return p.Place.Exec(p, argv)
	}
	name, errno := p.LookPath(argv[0])
	if errno == 0 {
		if i, err := p.sys.Tree.Stat(Cred{}, name, true); err == nil && i.IsDir() {
			errno = syscall.EACCES
		}
	}
	if errno != 0 {
		p.sys.missing(argv)
		why, code := Strerror(errno), 126
		if errno == syscall.ENOENT {
			code = 127
			if byShell {
				why = "not found"
			}
		}
		if byShell || len(caller) == 0 {
			p.Errorf("sh: 1: %s: %s\n", argv[0], why)
		} else {
			p.Errorf("%s: failed to run command ‘%s’: %s\n", path.Base(caller[0]), argv[0], why)
		}
		return code
	}
	return p.Program(func(p *Proc) int { return p.begin(name) })
}

// begin runs the file that this process's name was found as.
func (p *Proc) begin(file string) int {
	if f := p.sys.Programs[path.Base(file)]; f != nil {
		return f(p)
	}
	if given := p.Argv[0]; strings.Contains(given, "/") {
		file = given // $0 of a script is the path as it was given, else the one that was found
	}
	return RunScript(p, file, p.Argv)
}

// Real runs the program that [Options.Start] gave this process another for.
func (p *Proc) Real() int {
	name, errno := p.LookPath(p.Argv[0])
	if errno != 0 {
		p.Errorf("%s: not found\n", p.Argv[0])
		return 127
	}
	return p.begin(name)
}

// Hang waits until the process is killed.
func (p *Proc) Hang() {
	<-p.ctx.Done()
	panic(p.cause())
}

// Run is fork, exec and wait. prepare may change the child before it starts.
func (p *Proc) Run(argv []string, prepare func(*Proc)) int {
	c := p.Fork()
	if prepare != nil {
		prepare(c)
	}
	return p.Wait(c, p.Launch(c, func() int { return c.Exec(argv) }))
}

// Launch starts a forked process.
func (p *Proc) Launch(c *Proc, f func() int) <-chan int {
	result := make(chan int, 1)
	p.sys.Work.Go(func() {
		code := f()
		c.End()
		result <- code
	})
	return result
}

// Wait returns the child's status, or unwinds when the waiting process is killed: the child goes on.
func (p *Proc) Wait(c *Proc, result <-chan int) int {
	select {
	case code := <-result:
		return code
	default:
	}
	select {
	case code := <-result:
		return code
	case <-p.ctx.Done():
		panic(p.cause())
	}
}

func (p *Proc) cause() killed {
	var k killed
	if errors.As(context.Cause(p.ctx), &k) {
		return k
	}
	return killed(syscall.SIGKILL)
}

// Sleep waits on the system's clock, which runs faster than ours ([Options.Speed]).
func (p *Proc) Sleep(d time.Duration) {
	t := time.NewTimer(p.sys.ourTime(d))
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.ctx.Done():
		panic(p.cause())
	}
}
