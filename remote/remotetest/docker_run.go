package remotetest

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

func dockerLogs(p *proc, o unix.Parsed) int {
	if o.Has("f") {
		p.Unsupported("docker logs --follow")
	}
	d := p.host.docker
	d.mu.Lock()
	d.refresh()
	c := d.find(o.Args[0])
	var log []string
	if c != nil {
		log = slices.Clone(c.log)
	}
	d.mu.Unlock()
	if c == nil {
		return p.daemonError("No such container: %s", o.Args[0])
	}
	if v, ok := o.Value["n"]; ok && v != "all" {
		n, _ := p.Count(v, "lines")
		log = log[max(0, len(log)-int(n)):]
	}
	for _, l := range log {
		p.Errorf("%s\n", l)
	}
	return 0
}

func dockerExec(p *proc, o unix.Parsed) int {
	if len(o.Args) < 2 {
		p.Errorf("\"docker exec\" requires at least 2 arguments.\n")
		return 1
	}
	d := p.host.docker
	d.mu.Lock()
	d.refresh()
	c := d.find(o.Args[0])
	running, restarting := c != nil && c.State.Running, c != nil && c.State.Restarting
	d.mu.Unlock()
	switch {
	case c == nil:
		return p.daemonError("No such container: %s", o.Args[0])
	case restarting:
		return p.daemonError("Container %s is restarting, wait until the container is running", c.ID)
	case !running:
		return p.daemonError("container %s is not running", c.ID)
	}
	env := map[string]string{}
	for _, e := range o.List["e"] {
		k, v, _ := strings.Cut(e, "=")
		env[k] = v
	}
	return p.inContainer(c, o.Args[1:], o.Value["u"], env, o.Value["w"], o.Has("i"))
}

// inContainer runs a program in a container in the foreground.
func (p *proc) inContainer(c *container, argv []string, user string, env map[string]string, dir string, stdin bool) int {
	return p.inContainerThen(c, argv, user, env, dir, stdin, func(int) {})
}

// inContainerThen calls then when the program has ended, also if this client is gone by then.
func (p *proc) inContainerThen(c *container, argv []string, user string, env map[string]string, dir string, stdin bool, then func(code int)) int {
	in := c.process(p, user, env, dir)
	if !stdin {
		if null, err := p.host.sys.Tree.Open(unix.Cred{}, "/dev/null", os.O_RDONLY, 0); err == nil {
			in.SetFD(0, unix.FileDesc(null))
		}
	}
	known := in.resolves(argv[0])
	code := p.Wait(in.Proc, p.Launch(in.Proc, func() int {
		code := in.Exec(argv)
		then(code)
		return code
	}))
	if code == notInContainer && !known {
		p.Printf("OCI runtime exec failed: exec failed: unable to start container process: exec: %q: executable file not found in $PATH: unknown\n", argv[0])
		return 126
	}
	return code
}

// resolves tells whether the container has the program.
func (p *proc) resolves(name string) bool {
	if p.host.inside[path.Base(name)] != nil || p.host.sys.Programs[path.Base(name)] != nil {
		return true
	}
	i, err := p.Stat(name)
	return strings.Contains(name, "/") && err == nil && i.FileMode.IsRegular()
}

// eachContainer runs f for every named container.
func (p *proc) eachContainer(names []string, verb string, f func(*docker, *container) error) int {
	d := p.host.docker
	code := 0
	var failed []string
	for _, n := range names {
		d.mu.Lock()
		c := d.find(n)
		var err error
		if c == nil {
			err = fmt.Errorf("No such container: %s", n) //nolint:staticcheck // the engine's words
		} else {
			err = f(d, c)
		}
		d.mu.Unlock()
		if err != nil {
			p.daemonError("%v", err)
			failed = append(failed, n)
			code = 1
			continue
		}
		p.Printf("%s\n", n)
	}
	if verb == "start" && len(failed) > 0 {
		p.Errorf("Error: failed to start containers: %s\n", strings.Join(failed, ", "))
	}
	return code
}

func dockerStop(p *proc, o unix.Parsed) int {
	p.Sleep(300 * time.Millisecond)
	return p.eachContainer(o.Args, "stop", func(d *docker, c *container) error { d.stopContainer(c); return nil })
}

func dockerStart(p *proc, o unix.Parsed) int {
	return p.eachContainer(o.Args, "start", func(d *docker, c *container) error { return d.launch(c) })
}

func dockerRestart(p *proc, o unix.Parsed) int {
	return p.eachContainer(o.Args, "restart", func(d *docker, c *container) error { d.halt(c, 0); return d.launch(c) })
}

func dockerKill(p *proc, o unix.Parsed) int {
	sig := strings.TrimPrefix(o.Value["s"], "SIG")
	return p.eachContainer(o.Args, "kill", func(d *docker, c *container) error {
		if !c.State.Running {
			return fmt.Errorf("cannot kill container: %s: container %s is not running", c.name(), c.ID)
		}
		if sig == "" || sig == "KILL" || sig == "9" {
			d.halt(c, 137)
			c.stopped = true
		}
		return nil
	})
}

func dockerRm(p *proc, o unix.Parsed) int {
	code := p.eachContainer(o.Args, "rm", func(d *docker, c *container) error {
		if c.State.Running && !o.Has("f") {
			return fmt.Errorf("cannot remove container \"/%s\": container is running: stop the container before removing or force remove", c.name())
		}
		d.halt(c, 137)
		d.remove(c)
		return nil
	})
	if o.Has("f") {
		return 0
	}
	return code
}
