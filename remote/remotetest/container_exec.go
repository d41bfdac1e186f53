package remotetest

import (
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"provision/remote/remotetest/unix"
)

// Call is one program that is run inside a container, or in place of one of the host's own.
type Call struct {
	Host      *Host
	Container string
	Argv      []string
	Env       map[string]string
	Stdin     io.Reader
	Stdout    io.Writer
	Stderr    io.Writer
	// Real runs the host's program that this one is in the place of, printing to out.
	Real func(out io.Writer) int
}

// InContainer adds a program, or the answer to a command line, to all containers of the fleet. It
// is asked before the programs that are there anyway, in the order in which it was added, and tells
// whether it took the call. It must not ask a host about its containers.
func (f *Fleet) InContainer(handle func(Call) (code int, ok bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handlers = append(f.handlers, handle)
}

// execInside runs a program in the container of this process.
func (p *proc) execInside(argv []string) int {
	p.host.fleet.mu.Lock()
	handlers := slices.Clone(p.host.fleet.handlers)
	p.host.fleet.mu.Unlock()
	for _, handle := range handlers {
		var code int
		var ok bool
		p.program(func(p *proc) int {
			code, ok = handle(Call{Host: p.host, Container: p.container.name(), Argv: argv, Env: p.Env, Stdin: p.Stdin(), Stdout: p.Stdout(), Stderr: p.Stderr()})
			return code
		})
		if ok {
			return code
		}
	}
	name := path.Base(argv[0])
	if f := p.host.inside[name]; f != nil {
		return p.program(f)
	}
	if strings.Contains(argv[0], "/") {
		if i, err := p.Stat(argv[0]); err == nil && i.FileMode.IsRegular() {
			if i.FileMode&0o111 == 0 {
				p.Errorf("%s: permission denied\n", argv[0])
				return 126
			}
			return p.Program(func(p *unix.Proc) int { return unix.RunScript(p, argv[0], argv) })
		}
	}
	switch name {
	case "docker", "dockerd", "systemctl", "journalctl", "sudo", "apt-get", "flock", "sftp-server", "cloud-init":
	default:
		if f := p.host.sys.Programs[name]; f != nil {
			return p.Program(f)
		}
	}
	if !slices.Contains([]string{"nosuch", "curl", "wget"}, name) {
		p.host.sys.Unknown(fmt.Sprintf("in container %s: %s", p.container.name(), strings.Join(argv, " ")))
	}
	return notInContainer
}

// notInContainer is what execInside returns for a program that the container lacks.
const notInContainer = 127

// begin runs a container's own process until it either has ended or is a service that is up. The
// docker lock is held. It returns the exit code and what was printed; code 0 with stays false is a
// program that has done its work.
func (d *docker) begin(c *container) (code int, stays bool, text string) {
	if crash := d.h.crashOf(c.name()); crash.code != 0 {
		return crash.code, false, crash.text
	}
	_ = d.h.sys.Tree.MkdirAll("/var/lib/docker/overlay2/" + c.ID + "/merged/tmp")
	for dir := range c.HostConfig.Tmpfs {
		_ = d.h.sys.Tree.MkdirAll("/var/lib/docker/overlay2/" + c.ID + "/tmpfs" + dir)
		_ = d.h.sys.Tree.Chmod(unix.Cred{}, "/var/lib/docker/overlay2/"+c.ID+"/tmpfs"+dir, 0o777)
	}
	return d.runInside(c, slices.Concat(c.Config.Entrypoint, c.Config.Cmd), true)
}

// sick runs the container's health check and returns what it says if it fails.
func (d *docker) sick(c *container) string {
	argv := c.Config.Healthcheck.Test
	switch {
	case len(argv) > 1 && argv[0] == "CMD":
		argv = argv[1:]
	case len(argv) > 1 && argv[0] == "CMD-SHELL":
		argv = []string{"/bin/sh", "-c", argv[1]}
	default:
		return ""
	}
	code, _, text := d.runInside(c, argv, false)
	if code == 0 {
		return ""
	}
	if text == "" {
		text = fmt.Sprintf("exit code %d", code)
	}
	return text
}

// runInside runs a program in a container for the engine itself, with the docker lock held.
func (d *docker) runInside(c *container, argv []string, service bool) (code int, stays bool, printed string) {
	base := d.h.proc(d.h.sys.NewProc(unix.Cred{}, nil, "/"))
	base.engine = &engineRun{service: service}
	defer base.End()
	in := c.process(base, "", nil, "")
	defer in.End()
	out, text := unix.TextDesc()
	null, err := d.h.sys.Tree.Open(unix.Cred{}, "/dev/null", os.O_RDONLY, 0)
	if err != nil {
		return 1, false, err.Error()
	}
	in.SetFD(0, unix.FileDesc(null))
	in.SetFD(1, out)
	in.SetFD(2, out.Dup())
	code = in.Exec(argv)
	return code, in.engine.stays.Load(), text()
}

// engineRun marks a process that the engine runs while it holds its lock.
type engineRun struct {
	service bool
	stays   atomic.Bool // which a process may still say that the program has left behind
}

// stay says that this program goes on in the background as the container's own process. Run in any
// other way it would never end, so it is refused there.
func (p *proc) stay() int {
	if p.engine == nil || !p.engine.service {
		p.Unsupported("a service in the foreground")
	}
	p.engine.stays.Store(true)
	return 0
}

// locked runs f with the docker lock held, which the engine's own processes have already.
func (p *proc) locked(f func()) {
	if p.engine == nil {
		p.host.docker.mu.Lock()
		defer p.host.docker.mu.Unlock()
	}
	f()
}

// workFor takes some of the host's time, except for the engine itself.
func (p *proc) workFor(seconds float64) {
	if p.engine == nil {
		p.Sleep(secondsOf(seconds))
	}
}
