package remotetest

import "provision/remote/remotetest/unix"

// proc is a process with what a host knows of it beside its system.
type proc struct {
	*unix.Proc
	host      *Host
	container *container // that it runs in, nil for the host itself
	engine    *engineRun // set for what the engine itself runs
}

// inside is where the processes of a container run.
type inside struct {
	host      *Host
	container *container
	engine    *engineRun
}

// Path is where the host's tree keeps a file of the container.
func (i *inside) Path(name string) string { return i.container.inside(name) }

// Exec runs a program of the container.
func (i *inside) Exec(p *unix.Proc, argv []string) int { return i.host.proc(p).execInside(argv) }

// proc is a process of the host.
func (h *Host) proc(p *unix.Proc) *proc {
	if in, ok := p.Place.(*inside); ok {
		return &proc{p, h, in.container, in.engine}
	}
	return &proc{Proc: p, host: h}
}

// program runs f as this process's program and returns its exit status.
func (p *proc) program(f func(*proc) int) int {
	return p.Program(func(*unix.Proc) int { return f(p) })
}
