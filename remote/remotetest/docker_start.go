package remotetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// dockerRun is docker run, in the foreground or detached.
func dockerRun(p *proc, o unix.Parsed) int {
	if len(o.Args) == 0 {
		p.Errorf("docker: \"docker run\" requires at least 1 argument.\nSee 'docker run --help'.\n")
		return 125
	}
	s := spec{
		name: o.Value["name"], image: o.Args[0], cmd: o.Args[1:], user: o.Value["u"], hostname: o.Value["h"], workdir: o.Value["w"], env: map[string]string{},
		labels: labels(o.List["l"]), networks: map[string][]string{}, readOnly: o.Has("ro"), init: o.Has("init"), remove: o.Has("R"), privileged: o.Has("priv"),
		capAdd: o.List["cap-add"], capDrop: o.List["cap-drop"], secOpt: o.List["sec"], restart: o.Value["restart"], tmpfs: map[string]string{}, createPath: map[string]bool{},
		ports: map[string][]PortBinding{}, extraHosts: o.List["addhost"],
	}
	if len(s.cmd) == 0 {
		s.cmd = nil
	}
	if v, ok := o.Value["entrypoint"]; ok {
		s.entrypoint = []string{v}
	}
	for _, e := range o.List["e"] {
		k, v, ok := strings.Cut(e, "=")
		if !ok {
			v = p.Env[k]
		}
		s.env[k] = v
	}
	for _, n := range o.List["net"] {
		s.networks[n] = nil
	}
	for _, t := range o.List["tmpfs"] {
		dir, opts, _ := strings.Cut(t, ":")
		s.tmpfs[dir] = opts
	}
	for _, v := range o.List["v"] {
		f := strings.Split(v, ":")
		if len(f) < 2 {
			p.Unsupported("docker run -v " + v)
		}
		m := MountPoint{Type: "volume", Name: f[0], Destination: f[1], RW: len(f) < 3 || !strings.Contains(f[2], "ro")}
		if strings.HasPrefix(f[0], "/") {
			m.Type, m.Source, m.Name = "bind", f[0], ""
			s.createPath[f[0]] = true
		}
		s.mounts = append(s.mounts, m)
	}
	for _, v := range o.List["mount"] {
		m := MountPoint{RW: true, Type: "volume"}
		for f := range strings.SplitSeq(v, ",") {
			k, x, _ := strings.Cut(f, "=")
			switch k {
			case "type":
				m.Type = x
			case "source", "src":
				m.Source, m.Name = x, x
			case "target", "dst", "destination":
				m.Destination = x
			case "readonly", "ro":
				m.RW = false
			default:
				p.Unsupported("docker run --mount " + v)
			}
		}
		if m.Type == "bind" {
			m.Name = ""
		}
		s.mounts = append(s.mounts, m)
	}
	if v := o.Value["hc"]; v != "" {
		s.health = &Healthcheck{Test: []string{"CMD-SHELL", v}, Interval: 30 * time.Second, Retries: 3}
	}
	for _, v := range o.List["p"] {
		host, inside, ok := strings.Cut(v, ":")
		if !ok {
			p.Unsupported("docker run -p " + v)
		}
		if !strings.Contains(inside, "/") {
			inside += "/tcp"
		}
		s.ports[inside] = append(s.ports[inside], PortBinding{"", host})
	}
	return p.runContainer(s, o.Has("d"), o.Has("i"), o.Value["pull"])
}

// runContainer makes and starts a container; in the foreground it is also waited for.
func (p *proc) runContainer(s spec, detach, stdin bool, pull string) int {
	d := p.host.docker
	const runHelp = "See 'docker run --help'.\n"
	refused := func(err error, help string) int {
		p.Errorf("docker: Error response from daemon: %v.\n%s", err, help)
		return 125
	}
	d.mu.Lock()
	if d.image(s.image) == nil {
		if pull == "never" {
			d.mu.Unlock()
			return refused(fmt.Errorf("No such image: %s", s.image), runHelp) //nolint:staticcheck // the engine's words
		}
		p.Errorf("Unable to find image '%s' locally\n", reference(s.image))
		if err := p.host.fleet.serves(s.image); err != nil {
			d.mu.Unlock()
			return refused(err, runHelp)
		}
		d.pulled(s.image)
	}
	c, err := d.create(s)
	if err == nil && detach {
		if err = d.launch(c); err != nil && s.remove {
			d.remove(c)
		}
	}
	if err == nil && !detach {
		*c.State = ContainerState{Status: "running", Running: true, StartedAt: d.h.stamp()}
		_ = d.h.sys.Tree.MkdirAll("/var/lib/docker/overlay2/" + c.ID + "/merged/tmp")
		for dir := range c.HostConfig.Tmpfs {
			_ = d.h.sys.Tree.MkdirAll("/var/lib/docker/overlay2/" + c.ID + "/tmpfs" + dir)
			_ = d.h.sys.Tree.Chmod(unix.Cred{}, "/var/lib/docker/overlay2/"+c.ID+"/tmpfs"+dir, 0o777)
		}
	}
	d.mu.Unlock()
	if err != nil {
		return refused(err, "")
	}
	if detach {
		p.Printf("%s\n", c.ID)
		return 0
	}
	// Whatever becomes of this client: the container is the engine's, and goes on without it.
	argv := slices.Concat(c.Config.Entrypoint, c.Config.Cmd)
	return p.inContainerThen(c, argv, "", nil, "", stdin, func(code int) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.halt(c, code)
		if s.remove {
			d.remove(c)
		}
	})
}
