package remotetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strings"
	"syscall"
	"time"
)

// killed is why a process ended without calling exit.
type killed syscall.Signal

func (k killed) Error() string { return fmt.Sprintf("killed by signal %d", int(k)) }

// exited unwinds a simulated program, as exit(3) does.
type exited int

// proc is one process. Its descriptors, directory, mask and credentials are its own; a child starts
// with copies of them.
type proc struct {
	host            *Host
	pid, ppid, pgid int
	session         int // the first process of the login or service that it descends from
	cred            cred
	argv            []string
	env             map[string]string
	dir             string
	umask           fs.FileMode
	fds             map[int]*desc
	start           time.Time
	ctx             context.Context
	cancel          context.CancelCauseFunc
	ignore          map[syscall.Signal]bool   // changed with the table's lock held
	trap            func(syscall.Signal) bool // takes a signal that the shell has a trap for, with the table's lock held
	done            chan struct{}
	container       *container // that it runs in, nil for the host itself
	byShell         bool       // the program is started by a shell, whose words tell if that fails
	engine          *engineRun // set for what the engine itself runs
	terminal        bool       // its output goes to a terminal, unless it is redirected
}

// newProc is a process without a parent, a session of its own.
func (h *Host) newProc(c cred, env map[string]string, dir string) *proc {
	p := &proc{host: h, ppid: 1, cred: c, env: env, dir: dir, umask: 0o022, fds: map[int]*desc{}, ignore: map[syscall.Signal]bool{}}
	h.register(p)
	return p
}

// register puts a process into the table. Others may look at it from here on: its argv and group are
// changed with the table's lock held. One without a session leads its own.
func (h *Host) register(p *proc) {
	p.start, p.done = h.now(), make(chan struct{})
	p.ctx, p.cancel = context.WithCancelCause(h.alive())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastPid++
	p.pid = h.lastPid
	if p.session == 0 {
		p.pgid, p.session = p.pid, p.pid
	}
	h.procs[p.pid] = p
}

func (p *proc) fork() *proc {
	c := &proc{
		host: p.host, ppid: p.pid, pgid: p.pgid, session: p.session, cred: p.cred, argv: p.argv, env: maps.Clone(p.env), dir: p.dir,
		umask: p.umask, container: p.container, engine: p.engine, terminal: p.terminal, fds: make(map[int]*desc, len(p.fds)), ignore: maps.Clone(p.ignore),
	}
	for n, d := range p.fds {
		c.fds[n] = d.dup()
	}
	p.host.register(c)
	return c
}

// end closes everything that the process holds and takes it out of the table.
func (p *proc) end() {
	for _, d := range p.fds {
		d.close()
	}
	p.fds = nil
	p.host.mu.Lock()
	delete(p.host.procs, p.pid)
	p.host.mu.Unlock()
	p.cancel(nil)
	close(p.done)
}

func (p *proc) setArgv(argv []string) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.argv = argv
}

// leadGroup makes the process the leader of a group of its own.
func (p *proc) leadGroup() {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.pgid = p.pid
}

// setFd puts a description at a number and closes what was there.
func (p *proc) setFd(n int, d *desc) {
	if old := p.fds[n]; old != nil {
		old.close()
	}
	if d == nil {
		delete(p.fds, n)
		return
	}
	p.fds[n] = d
}

// signal delivers what kill(2) does, as far as it can be seen from outside.
func (p *proc) signal(sig syscall.Signal) {
	switch sig {
	case 0, syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGWINCH:
		return
	case syscall.SIGKILL:
	default:
		p.host.mu.Lock()
		taken := p.ignore[sig] || p.trap != nil && p.trap(sig)
		p.host.mu.Unlock()
		if taken {
			return
		}
	}
	p.cancel(killed(sig))
}

// setTrap says who takes the signals that are not ignored; nil: nobody.
func (p *proc) setTrap(take func(syscall.Signal) bool) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.trap = take
}

// status is the exit status of a killed process as its parent's shell sees it.
func (p *proc) status() int {
	var k killed
	if errors.As(context.Cause(p.ctx), &k) {
		return 128 + int(k)
	}
	return 128 + int(syscall.SIGKILL)
}

// program runs f as this process's program and returns its exit status.
func (p *proc) program(f func(*proc) int) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
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

// exec runs a program in this process, found on its PATH.
func (p *proc) exec(argv []string) int {
	caller, byShell := p.argv, p.byShell
	p.byShell = false
	p.setArgv(argv)
	p.host.ran(p)
	if p.engine == nil {
		if f := p.host.intercept(p); f != nil {
			return p.program(f)
		}
	}
	if p.container != nil {
		return p.execInside(argv)
	}
	name, errno := p.lookPath(argv[0])
	if errno == 0 {
		if i, err := p.host.tree.stat(cred{}, name, true); err == nil && i.IsDir() {
			errno = syscall.EACCES
		}
	}
	if errno != 0 {
		p.host.missing(argv)
		why, code := strerror(errno), 126
		if errno == syscall.ENOENT {
			code = 127
			if byShell {
				why = "not found"
			}
		}
		if byShell || len(caller) == 0 {
			p.errorf("sh: 1: %s: %s\n", argv[0], why)
		} else {
			p.errorf("%s: failed to run command ‘%s’: %s\n", path.Base(caller[0]), argv[0], why)
		}
		return code
	}
	if f := p.host.command(path.Base(name)); f != nil {
		return p.program(f)
	}
	return p.program(func(p *proc) int { return runScript(p, scriptName(name, argv[0]), argv) })
}

// run is fork, exec and wait. prepare may change the child before it starts.
func (p *proc) run(argv []string, prepare func(*proc)) int {
	c := p.fork()
	if prepare != nil {
		prepare(c)
	}
	return p.wait(c, p.launch(c, func() int { return c.exec(argv) }))
}

// launch starts a forked process.
func (p *proc) launch(c *proc, f func() int) <-chan int {
	result := make(chan int, 1)
	p.host.work.Go(func() {
		code := f()
		c.end()
		result <- code
	})
	return result
}

// wait returns the child's status, or unwinds when the waiting process is killed: the child goes on.
func (p *proc) wait(c *proc, result <-chan int) int {
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

func (p *proc) cause() killed {
	var k killed
	if errors.As(context.Cause(p.ctx), &k) {
		return k
	}
	return killed(syscall.SIGKILL)
}

// sleep waits on the host's clock, which runs faster than ours (Options.Speed).
func (p *proc) sleep(d time.Duration) {
	t := time.NewTimer(time.Duration(float64(d) / p.host.fleet.options.Speed))
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.ctx.Done():
		panic(p.cause())
	}
}

// lookPath finds a program the way execvp(3) does.
func (p *proc) lookPath(name string) (string, syscall.Errno) {
	try := func(f string) syscall.Errno {
		i, err := p.host.tree.stat(p.cred, f, true)
		if err != nil {
			return errnoOf(err)
		}
		if i.IsDir() || p.host.tree.access(p.cred, f, 1) != nil {
			return syscall.EACCES
		}
		return 0
	}
	if strings.Contains(name, "/") {
		return p.abs(name), try(p.abs(name))
	}
	result := syscall.ENOENT
	search, ok := p.env["PATH"]
	if !ok {
		search = "/bin:/usr/bin"
	}
	for dir := range strings.SplitSeq(search, ":") {
		f := path.Join(dir, name)
		switch e := try(f); e {
		case 0:
			return f, 0
		case syscall.EACCES:
			result = e
		}
	}
	return "", result
}

// abs makes a path absolute and leaves the rest to the walk: "a/link/.." is not "a".
// In a container it is the place where the host keeps the file.
func (p *proc) abs(name string) string {
	if name == "" {
		return name
	}
	if !strings.HasPrefix(name, "/") {
		name = strings.TrimSuffix(p.dir, "/") + "/" + name
	}
	if p.container != nil {
		return p.container.inside(name)
	}
	return name
}

func (p *proc) open(name string, flag int) (*handle, error) {
	return p.host.tree.open(p.cred, p.abs(name), flag, 0o666&^p.umask)
}

func (p *proc) stat(name string) (Info, error) { return p.host.tree.stat(p.cred, p.abs(name), true) }

func (p *proc) lstat(name string) (Info, error) {
	return p.host.tree.stat(p.cred, p.abs(name), false)
}
