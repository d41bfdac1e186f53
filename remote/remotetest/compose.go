package remotetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// composeMain is the Compose plugin.
func composeMain(p *proc, args []string) int {
	version := p.host.packageVersion("docker compose")
	if version == "" {
		p.Errorf("docker: 'compose' is not a docker command.\nSee 'docker --help'\n")
		return 1
	}
	global := p.Parse(args, "", "p:f:", map[string]string{"project-name": "p:", "file": "f:", "ansi": "ansi:", "progress": "progress:", "project-directory": "dir:", "env-file": "env:", "profile": "profile:"}, false)
	if len(global.Args) == 0 || global.Value["env"] != "" || len(global.List["f"]) > 1 {
		p.Unsupported("docker compose " + strings.Join(args, " "))
	}
	verb := global.Args[0]
	if verb == "version" {
		o := p.Parse(global.Args[1:], "", "f:", map[string]string{"short": "s", "format": "f:"}, true)
		if o.Has("s") {
			p.Printf("%s\n", version)
		} else {
			p.Printf("Docker Compose version %s\n", version)
		}
		return 0
	}
	f, dir, err := p.loadCompose(global.Value["f"], global.Value["dir"])
	if err != nil {
		p.Errorf("%v\n", err)
		if errors.Is(err, errNoComposeFile) {
			return 14
		}
		return 15
	}
	c := compose{p: p, f: f, dir: dir, d: p.host.docker, project: global.Value["p"], profiles: global.List["profile"]}
	if c.project == "" {
		c.project = f.Name
	}
	if c.project == "" {
		p.Unsupported("a compose project without a name")
	}
	run, ok := map[string]func([]string) error{
		"up": c.up, "run": c.oneShot, "stop": c.stop, "start": c.start, "rm": c.rm, "ps": c.ps, "config": c.config, "down": c.down,
		"exec": c.exec, "logs": c.logs, "restart": c.restart, "kill": c.kill, "pull": c.pull, "create": nil,
	}[verb]
	if !ok || run == nil {
		p.Unsupported("docker compose " + verb)
	}
	if p.Cred.UID != 0 {
		p.Errorf("permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock\n")
		return 1
	}
	c.d.mu.Lock()
	running := c.d.running
	c.d.mu.Unlock()
	if !running && verb != "config" {
		p.Errorf("%s\n", noDaemon)
		return 1
	}
	var code unix.Exited
	switch err := run(global.Args[1:]); {
	case errors.As(err, &code):
		return int(code)
	case err != nil:
		p.Errorf("%v\n", err)
		return 1
	}
	return 0
}

type compose struct {
	p        *proc
	f        *composeFile
	d        *docker
	dir      string
	project  string
	profiles []string
}

func (c compose) say(name, what string) { c.p.Errorf(" Container %s  %s\n", name, what) }

type daemonRefusal struct{ error }

func (e daemonRefusal) Error() string { return "Error response from daemon: " + e.error.Error() }

// services are those named, or all without a profile.
func (c compose) services(names []string) ([]string, error) {
	for _, n := range names {
		if c.f.Services[n] == nil {
			return nil, fmt.Errorf("no such service: %s", n)
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	for _, n := range slices.Sorted(maps.Keys(c.f.Services)) {
		s := c.f.Services[n]
		if len(s.Profiles) == 0 || slices.ContainsFunc(s.Profiles, func(x string) bool { return slices.Contains(c.profiles, x) }) {
			names = append(names, n)
		}
	}
	return names, nil
}

// container is the service's lasting container. The lock is held.
func (c compose) container(service string) *container {
	for _, k := range slices.Sorted(maps.Keys(c.d.containers)) {
		o := c.d.containers[k]
		l := o.Config.Labels
		if l["com.docker.compose.project"] == c.project && l["com.docker.compose.service"] == service && l["com.docker.compose.oneoff"] == "False" {
			return o
		}
	}
	return nil
}

// all runs f on the containers of the named services, all without names.
func (c compose) all(names []string, f func(*container)) error {
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(c.f.Services))
	} else if _, err := c.services(names); err != nil {
		return err
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	for _, n := range names {
		if o := c.container(n); o != nil {
			f(o)
		}
	}
	return nil
}

func (c compose) stop(args []string) error {
	o := c.p.Parse(args, "", "t:", map[string]string{"timeout": "t:"}, true)
	c.p.Sleep(300 * time.Millisecond)
	return c.all(o.Args, func(k *container) {
		c.say(k.name(), "Stopping")
		c.d.stopContainer(k)
		c.say(k.name(), "Stopped")
	})
}

func (c compose) kill(args []string) error {
	o := c.p.Parse(args, "", "s:", map[string]string{"signal": "s:"}, true)
	return c.all(o.Args, func(k *container) {
		if s := strings.TrimPrefix(o.Value["s"], "SIG"); s == "" || s == "KILL" {
			c.d.halt(k, 137)
			k.stopped = true
		}
		c.say(k.name(), "Killed")
	})
}

func (c compose) start(args []string) error {
	o := c.p.Parse(args, "", "", nil, true)
	var failed error
	err := c.all(o.Args, func(k *container) { failed = errors.Join(failed, c.begin(k)) })
	return errors.Join(err, failed)
}

func (c compose) restart(args []string) error {
	o := c.p.Parse(args, "", "t:", map[string]string{"timeout": "t:", "no-deps": "nd"}, true)
	var failed error
	err := c.all(o.Args, func(k *container) {
		c.say(k.name(), "Restarting")
		c.d.halt(k, 0)
		failed = errors.Join(failed, c.begin(k))
	})
	return errors.Join(err, failed)
}

func (c compose) rm(args []string) error {
	o := c.p.Parse(args, "sfv", "", map[string]string{"stop": "s", "force": "f", "volumes": "v"}, true)
	var gone []*container
	if err := c.all(o.Args, func(k *container) {
		if o.Has("s") || !k.State.Running {
			gone = append(gone, k)
		}
	}); err != nil {
		return err
	}
	if len(gone) == 0 {
		c.p.Errorf("No stopped containers\n")
		return nil
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	for _, k := range gone {
		c.p.Printf("Going to remove %s\n", k.name())
		c.discard(k)
	}
	return nil
}

// discard stops and removes a container. The lock is held.
func (c compose) discard(k *container) {
	c.say(k.name(), "Stopping")
	c.d.halt(k, 0)
	c.say(k.name(), "Stopped")
	c.say(k.name(), "Removing")
	c.d.remove(k)
	c.say(k.name(), "Removed")
}

func (c compose) down(args []string) error {
	o := c.p.Parse(args, "vt", "t:", map[string]string{"volumes": "v", "remove-orphans": "ro", "timeout": "t:"}, true)
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(c.d.containers)) {
		if o := c.d.containers[k]; o.Config.Labels["com.docker.compose.project"] == c.project {
			c.discard(o)
		}
	}
	for key, e := range c.f.Networks {
		if !e.External {
			delete(c.d.networks, objectName(c.project, key, e))
		}
	}
	for key, e := range c.f.Volumes {
		if name := objectName(c.project, key, e); !e.External && o.Has("v") {
			delete(c.d.volumes, name)
			c.d.h.sys.Tree.RemoveAll("/var/lib/docker/volumes/" + name)
		}
	}
	return nil
}

func (c compose) ps(args []string) error {
	o := c.p.Parse(args, "aq", "", map[string]string{"all": "a", "quiet": "q", "format": "F:", "services": "s", "status": "st:"}, true)
	if !o.Has("q") || o.Value["F"] != "" || o.Value["st"] != "" {
		c.p.Unsupported("docker compose ps without -q")
	}
	return c.all(o.Args, func(k *container) {
		if o.Has("a") || k.State.Running {
			c.p.Printf("%s\n", k.ID)
		}
	})
}

func (c compose) config(args []string) error {
	o := c.p.Parse(args, "q", "", map[string]string{"quiet": "q", "services": "s", "images": "i"}, true)
	names, err := c.services(o.Args)
	if err != nil {
		return err
	}
	switch {
	case o.Has("q"):
	case o.Has("s"):
		for _, n := range names {
			c.p.Printf("%s\n", n)
		}
	case o.Has("i"):
		for _, n := range names {
			c.p.Printf("%s\n", c.f.Services[n].Image)
		}
	default:
		c.p.Unsupported("docker compose config without -q")
	}
	return nil
}

func (c compose) exec(args []string) error {
	o := c.p.Parse(args, "Td", "e:u:w:", map[string]string{"no-TTY": "T", "no-tty": "T", "env": "e:", "user": "u:", "workdir": "w:"}, false)
	if len(o.Args) < 2 {
		return errors.New("requires at least 2 arg(s)")
	}
	c.d.mu.Lock()
	k := c.container(o.Args[0])
	running := k != nil && k.State.Running
	c.d.mu.Unlock()
	if !running {
		return fmt.Errorf("service %q is not running", o.Args[0])
	}
	if code := c.p.inContainer(k, o.Args[1:], o.Value["u"], labels(o.List["e"]), o.Value["w"], true); code != 0 {
		return unix.Exited(code)
	}
	return nil
}

func (c compose) logs(args []string) error {
	o := c.p.Parse(args, "n", "n:", map[string]string{"tail": "n:", "no-color": "C", "no-log-prefix": "P"}, true)
	return c.all(o.Args, func(k *container) {
		log := k.log
		if v := o.Value["n"]; v != "" {
			n, _ := c.p.Count(v, "lines")
			log = log[max(0, len(log)-int(n)):]
		}
		for _, l := range log {
			c.p.Printf("%s  | %s\n", k.name(), l)
		}
	})
}

func (c compose) pull(args []string) error {
	o := c.p.Parse(args, "q", "", map[string]string{"quiet": "q", "policy": "p:"}, true)
	names, err := c.services(o.Args)
	if err != nil {
		return err
	}
	for _, n := range names {
		ref := c.f.Services[n].Image
		if err := c.p.host.fleet.serves(ref); err != nil {
			return daemonRefusal{err}
		}
		c.p.Sleep(2 * time.Second)
		c.d.mu.Lock()
		c.d.pulled(ref)
		c.d.mu.Unlock()
	}
	return nil
}
