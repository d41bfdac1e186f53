package remotetest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// spec is what a container is made from.
type spec struct {
	name, image              string
	entrypoint, cmd          []string
	env                      map[string]string
	labels                   map[string]string
	user, hostname, workdir  string
	mounts                   []MountPoint // bind: Source is a path; volume: Name
	createPath               map[string]bool
	tmpfs                    map[string]string
	networks                 map[string][]string // name to aliases
	isolated                 bool                // has none, not even the default
	ports                    map[string][]PortBinding
	restart                  string
	readOnly, init, remove   bool
	privileged               bool
	capAdd, capDrop, secOpt  []string
	extraHosts               []string
	sysctls                  map[string]string
	pids                     int64
	log                      LogConfig
	health                   *Healthcheck
	stopTimeout              *int
	project, service, oneOff string
	hash                     string
}

// create makes a container. The engine's own words are in the error.
func (d *docker) create(s spec) (*container, error) {
	i := d.image(s.image)
	if i == nil {
		return nil, fmt.Errorf("No such image: %s", s.image) //nolint:staticcheck // the engine's words
	}
	if s.name == "" {
		s.name = "friendly_" + hexID()[:8]
	}
	if other := d.containers[s.name]; other != nil {
		return nil, fmt.Errorf("Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to remove (or rename) that container to be able to reuse that name.", s.name, other.ID) //nolint:staticcheck // the engine's words
	}
	id := hexID()
	if s.hostname == "" {
		s.hostname = id[:12]
	}
	config := &ContainerConfig{
		Hostname: s.hostname, User: cmp.Or(s.user, i.Config.User), Env: slices.Clone(i.Config.Env), Image: s.image,
		WorkingDir: cmp.Or(s.workdir, i.Config.WorkingDir), Entrypoint: i.Config.Entrypoint, Cmd: i.Config.Cmd, Labels: map[string]string{},
		Healthcheck: s.health, StopSignal: i.Config.StopSignal, StopTimeout: s.stopTimeout,
	}
	if s.entrypoint != nil {
		config.Entrypoint, config.Cmd = s.entrypoint, nil
	}
	if s.cmd != nil {
		config.Cmd = s.cmd
	}
	maps.Copy(config.Labels, i.Config.Labels)
	maps.Copy(config.Labels, s.labels)
	for _, k := range slices.Sorted(maps.Keys(s.env)) {
		config.Env = slices.DeleteFunc(config.Env, func(e string) bool { return strings.HasPrefix(e, k+"=") })
		config.Env = append(config.Env, k+"="+s.env[k])
	}
	argv := slices.Concat(config.Entrypoint, config.Cmd)
	if len(argv) == 0 {
		if i.files == "" { // the real image has a command, most likely
			d.h.sys.Unknown("how a container of image " + s.image + " starts: give it a case in pulled, in remote/remotetest/docker_image.go")
		}
		return nil, errors.New("No command specified") //nolint:staticcheck // the engine's words
	}
	c := &container{image: i, hash: s.hash, Container: Container{
		ID: id, Name: "/" + s.name, Created: d.h.stamp(), Path: argv[0], Args: argv[1:],
		Image: i.ID, Driver: "overlay2", Platform: "linux", Config: config, LogPath: "", Mounts: []MountPoint{},
		State: &ContainerState{Status: "created", StartedAt: "0001-01-01T00:00:00Z", FinishedAt: "0001-01-01T00:00:00Z"},
		HostConfig: &HostConfig{
			Binds: []string{}, PortBindings: s.ports, RestartPolicy: RestartPolicy{Name: cmp.Or(s.restart, "no")}, AutoRemove: s.remove,
			CapAdd: s.capAdd, CapDrop: s.capDrop, ExtraHosts: s.extraHosts, Privileged: s.privileged, ReadonlyRootfs: s.readOnly, SecurityOpt: s.secOpt,
			Tmpfs: s.tmpfs, Sysctls: s.sysctls, LogConfig: d.logConfig(s.log),
		},
		NetworkSettings: &NetworkSettings{Ports: map[string][]PortBinding{}, Networks: map[string]*Endpoint{}},
	}}
	if s.pids > 0 {
		c.HostConfig.PidsLimit = &s.pids
	}
	if s.init {
		c.HostConfig.Init = &s.init
	}
	if c.HostConfig.PortBindings == nil {
		c.HostConfig.PortBindings = map[string][]PortBinding{}
	}
	for _, m := range s.mounts {
		if err := d.mount(c, m, s.createPath[m.Source]); err != nil {
			return nil, err
		}
	}
	if s.isolated {
		c.HostConfig.NetworkMode = "none"
	} else if err := d.attach(c, s.networks); err != nil {
		return nil, err
	}
	if s.project != "" {
		config.Labels["com.docker.compose.project"], config.Labels["com.docker.compose.service"] = s.project, s.service
		config.Labels["com.docker.compose.oneoff"], config.Labels["com.docker.compose.config-hash"] = cmp.Or(s.oneOff, "False"), s.hash
		config.Labels["com.docker.compose.container-number"] = "1"
	}
	d.containers[s.name] = c
	return c, nil
}

// logConfig is what the container asks for, else what the engine was started with.
func (d *docker) logConfig(c LogConfig) LogConfig {
	if c.Type == "" {
		driver, _ := d.settings["log-driver"].(string)
		c = LogConfig{Type: cmp.Or(driver, "json-file")}
	}
	if c.Config == nil {
		c.Config = map[string]string{}
	}
	return c
}

func (d *docker) mount(c *container, m MountPoint, createPath bool) error {
	mode := ""
	if !m.RW {
		mode = "ro"
	}
	switch m.Type {
	case "bind":
		if _, err := d.h.sys.Tree.Stat(unix.Cred{}, m.Source, true); err != nil {
			if !createPath {
				return fmt.Errorf("invalid mount config for type \"bind\": bind source path does not exist: %s", m.Source)
			}
			_ = d.h.sys.Tree.MkdirAll(m.Source)
		}
		m.Propagation = "rprivate"
		c.HostConfig.Binds = append(c.HostConfig.Binds, m.Source+":"+m.Destination+":"+cmp.Or(mode, "rw"))
	case "volume":
		if m.Name == "" {
			m.Name = hexID()
		}
		v := d.volumes[m.Name]
		if v == nil {
			v = d.newVolume(m.Name, nil)
		}
		m.Source, m.Driver = v.Mountpoint, "local"
	}
	m.Mode = mode
	c.Mounts = append(c.Mounts, m)
	return nil
}

func (d *docker) newVolume(name string, labels map[string]string) *volume {
	dir := "/var/lib/docker/volumes/" + name + "/_data"
	_ = d.h.sys.Tree.MkdirAll(dir)
	if labels == nil {
		labels = map[string]string{}
	}
	v := &volume{Volume: Volume{CreatedAt: d.h.sys.Now().UTC().Format(time.RFC3339), Driver: "local", Labels: labels, Mountpoint: dir, Name: name, Options: map[string]string{}, Scope: "local"}}
	d.volumes[name] = v
	return v
}

func (d *docker) attach(c *container, networks map[string][]string) error {
	if len(networks) == 0 {
		networks = map[string][]string{"bridge": nil}
	}
	names := slices.Sorted(maps.Keys(networks))
	c.HostConfig.NetworkMode = names[0]
	for _, name := range names {
		n := d.network(name)
		if n == nil {
			return fmt.Errorf("network %s not found", name)
		}
		c.NetworkSettings.Networks[n.Name] = &Endpoint{
			Aliases: append(slices.Clone(networks[name]), c.short()), NetworkID: n.ID, EndpointID: hexID(),
			Gateway: gateway(n), IPAddress: d.address(n), MacAddress: "02:42:ac:11:00:02",
		}
	}
	return nil
}

func gateway(n *Network) string {
	if len(n.IPAM.Config) == 0 {
		return ""
	}
	return n.IPAM.Config[0].Gateway
}

// address is the next free address of a network.
func (d *docker) address(n *Network) string {
	if len(n.IPAM.Config) == 0 {
		return ""
	}
	p, err := netip.ParsePrefix(n.IPAM.Config[0].Subnet)
	if err != nil {
		return ""
	}
	taken := map[string]bool{gateway(n): true}
	for _, c := range d.containers {
		if e := c.NetworkSettings.Networks[n.Name]; e != nil {
			taken[e.IPAddress] = true
		}
	}
	a := p.Masked().Addr().Next()
	for taken[a.String()] {
		a = a.Next()
	}
	return a.String()
}

// launch starts a created or stopped container.
func (d *docker) launch(c *container) error {
	if c.State.Running && !c.State.Restarting {
		return nil
	}
	for name, e := range c.NetworkSettings.Networks {
		if n := d.networks[name]; n == nil || n.ID != e.NetworkID {
			return fmt.Errorf("network %s not found", e.NetworkID)
		}
	}
	for _, m := range c.Mounts {
		if v := d.volumes[m.Name]; m.Type == "volume" && v != nil && v.Options["device"] != "" {
			if _, err := d.h.sys.Tree.Stat(unix.Cred{}, v.Options["device"], true); err != nil {
				return fmt.Errorf("error while mounting volume '%s': failed to mount local volume: mount %s:%s, flags: 0x1000: no such file or directory", v.Mountpoint, v.Options["device"], v.Mountpoint)
			}
		}
		if m.Type == "bind" {
			if _, err := d.h.sys.Tree.Stat(unix.Cred{}, m.Source, true); err != nil {
				return fmt.Errorf("invalid mount config for type \"bind\": bind source path does not exist: %s", m.Source)
			}
		}
	}
	for _, proto := range slices.Sorted(maps.Keys(c.HostConfig.PortBindings)) {
		for _, b := range c.HostConfig.PortBindings[proto] {
			if !strings.HasSuffix(proto, "/tcp") {
				continue
			}
			if d.portOwner(b.HostPort, c) != "" {
				err := fmt.Errorf("driver failed programming external connectivity on endpoint %s (%s): failed to bind port 0.0.0.0:%s/tcp: Error starting userland proxy: listen tcp4 0.0.0.0:%[3]s: bind: address already in use", c.name(), hexID(), b.HostPort)
				c.State.Error = err.Error()
				return err
			}
		}
	}
	d.run(c)
	return nil
}

func (d *docker) remove(c *container) {
	delete(d.containers, c.name())
	d.h.sys.Tree.RemoveAll("/var/lib/docker/overlay2/" + c.ID)
}

// stopContainer ends a container as `docker stop` does.
func (d *docker) stopContainer(c *container) {
	code := 0
	if argv := slices.Concat(c.Config.Entrypoint, c.Config.Cmd); len(argv) > 0 && argv[0] == "sleep" {
		code = 137
	}
	d.halt(c, code)
	c.stopped, c.failures = true, 0
}

// process makes a process inside a container, as exec and run do.
func (c *container) process(p *proc, user string, env map[string]string, dir string) *proc {
	in := &proc{p.Fork(), p.host, c, p.engine}
	in.Place = &inside{p.host, c, p.engine}
	in.Env = map[string]string{"HOSTNAME": c.Config.Hostname, "HOME": "/"}
	for _, e := range c.Config.Env {
		k, v, _ := strings.Cut(e, "=")
		in.Env[k] = v
	}
	maps.Copy(in.Env, env)
	in.Dir = cmp.Or(dir, c.Config.WorkingDir, "/")
	in.Umask = fs.FileMode(0o022)
	uid, gid, _ := strings.Cut(cmp.Or(user, c.Config.User, "0"), ":")
	u, _ := strconv.Atoi(uid)
	g, err := strconv.Atoi(gid)
	if err != nil {
		g = u
	}
	if uid == "postgres" {
		u, g = 999, 999
	}
	in.SetCred(unix.Cred{UID: u, GID: g})
	return in
}

// inside is where a path of a container lies in the host's tree.
func (c *container) inside(name string) string {
	name = path.Clean("/" + name)
	switch {
	case name == "/dev/null", name == "/dev/zero", name == "/dev/urandom", name == "/dev/tty", strings.HasPrefix(name, "/proc/"):
		return name
	}
	return c.place(name)
}
