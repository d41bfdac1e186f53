package remotetest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// preinstallDocker gives the host the engine that its options ask for.
func (h *Host) preinstallDocker() error {
	h.docker = newDocker(h)
	switch h.options.Docker {
	case "":
		return nil
	case "running", "stopped":
		for _, p := range h.family().enginePackages() {
			h.unpack(p)
		}
		h.setUnit("docker", h.options.Docker == "running", true)
		if h.options.Docker == "running" {
			h.docker.start()
		}
		return nil
	case "23":
		for _, p := range h.family().enginePackages() {
			h.unpack(p)
		}
		h.versions = map[string]string{"docker client": "23.0.6", "docker engine": "23.0.6"}
		h.setUnit("docker", true, true)
		h.docker.start()
		return nil
	case "old":
		h.unpackProgram("docker.io", "20.10.24+dfsg1")
		h.setUnit("docker", true, true)
		h.docker.start()
		return nil
	}
	return fmt.Errorf("no such state of Docker: %q", h.options.Docker)
}

// start reads daemon.json and brings back what should run. It reports what keeps the engine from
// starting.
func (d *docker) start() error {
	settings := map[string]any{}
	if text, err := d.h.sys.Tree.ReadFile("/etc/docker/daemon.json"); err == nil {
		if err := json.Unmarshal(text, &settings); err != nil {
			return fmt.Errorf("unable to configure the Docker daemon with file /etc/docker/daemon.json: %w", err)
		}
		for k := range settings {
			if !slices.Contains([]string{"log-driver", "log-opts", "live-restore", "default-address-pools", "proxies", "insecure-registries", "registry-mirrors", "bip", "data-root", "dns", "iptables", "no-new-privileges", "userland-proxy", "userns-remap", "selinux-enabled"}, k) {
				return fmt.Errorf("the following directives don't match any configuration option: %s", k)
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settings, d.running = settings, true
	_ = d.h.sys.Tree.MkdirAll("/var/lib/docker/volumes")
	_ = d.h.sys.Tree.Chmod(unix.Cred{}, "/var/lib/docker", 0o710)
	d.h.sys.Tree.Socket("/run/docker.sock", 0o660)
	for _, name := range slices.Sorted(maps.Keys(d.containers)) {
		c := d.containers[name]
		if policy := c.HostConfig.RestartPolicy.Name; !c.State.Running && (policy == "always" || policy == "unless-stopped" && !c.stopped) {
			if err := d.launch(c); err != nil {
				*c.State = ContainerState{Status: "exited", ExitCode: 128, StartedAt: c.State.StartedAt, FinishedAt: d.h.stamp(), Health: c.State.Health}
			}
		}
	}
	return nil
}

// stop ends the engine. Containers go on only with live-restore.
func (d *docker) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = false
	if live, _ := d.settings["live-restore"].(bool); !live {
		for _, c := range d.containers {
			d.halt(c, 0)
		}
	}
	d.h.sys.Tree.RemoveAll("/run/docker.sock")
}

// powerOff is what the engine's containers see when the machine goes down.
func (d *docker) powerOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = false
	for _, c := range d.containers {
		d.halt(c, 255)
	}
	d.h.sys.Tree.RemoveAll("/run/docker.sock")
}

// elapsed is how much of the host's time has passed since a container began or ended.
func (d *docker) elapsed(c *container) time.Duration {
	return time.Duration(float64(time.Since(c.since)) * d.h.fleet.options.Speed)
}

// halt ends a container without looking at its restart policy.
func (d *docker) halt(c *container, code int) {
	if !c.State.Running && !c.State.Restarting {
		return
	}
	health := c.State.Health
	if health != nil {
		health.Status = "unhealthy"
	}
	*c.State = ContainerState{Status: "exited", ExitCode: code, StartedAt: c.State.StartedAt, FinishedAt: d.h.stamp(), Health: health}
	c.since = time.Now()
	c.NetworkSettings.Ports = map[string][]PortBinding{}
}

// run starts a container's process. What the process does at its start decides how it goes on.
func (d *docker) run(c *container) {
	c.stopped = false
	c.since = time.Now()
	c.loaded = ""
	c.password = ""
	code, stays, text := d.begin(c)
	for l := range strings.Lines(text) {
		c.log = append(c.log, strings.TrimRight(l, "\n"))
	}
	*c.State = ContainerState{Status: "running", Running: true, Pid: 20000 + len(c.log), StartedAt: d.h.stamp(), FinishedAt: "0001-01-01T00:00:00Z"}
	c.checked = time.Time{}
	if c.Config.Healthcheck != nil {
		c.State.Health = &Health{Status: "starting", Log: []HealthLog{}}
	}
	c.NetworkSettings.Ports = maps.Clone(c.HostConfig.PortBindings)
	if !stays {
		d.ended(c, code)
	}
}

// ended is a process that has ended by itself.
func (d *docker) ended(c *container, code int) {
	d.halt(c, code)
	switch c.HostConfig.RestartPolicy.Name {
	case "always", "unless-stopped":
	case "on-failure":
		if code == 0 {
			return
		}
	default:
		return
	}
	c.failures++
	c.RestartCount++
	c.State.Status, c.State.Running, c.State.Restarting = "restarting", true, true
}

// refresh lets the time that has passed have its effects: starts are tried again, health is checked.
func (d *docker) refresh() {
	for _, name := range slices.Sorted(maps.Keys(d.containers)) {
		c := d.containers[name]
		if c.State.Restarting && d.elapsed(c) > min(100*time.Millisecond<<min(c.failures, 10), time.Minute) {
			failures := c.failures
			d.run(c)
			if c.State.Restarting {
				continue
			}
			c.failures = failures
		}
		if !c.State.Running || c.State.Restarting {
			continue
		}
		if crash := d.h.crashOf(name); crash.code != 0 {
			c.log = append(c.log, crash.text)
			d.ended(c, crash.code)
			continue
		}
		if d.elapsed(c) > 10*time.Second {
			c.failures = 0
		}
		check := c.Config.Healthcheck
		if c.State.Health == nil || d.elapsed(c) < d.h.healthDelay(name) || time.Since(c.checked) < time.Duration(float64(check.pause(d.elapsed(c)))/d.h.fleet.options.Speed) {
			continue
		}
		c.checked = time.Now()
		d.checkHealth(c)
	}
}

func (d *docker) checkHealth(c *container) {
	sick := d.sick(c)
	h := c.State.Health
	code := unix.BoolToInt(sick != "")
	stamp := d.h.stamp()
	h.Log = append(h.Log, HealthLog{stamp, stamp, code, sick})
	if len(h.Log) > 5 {
		h.Log = h.Log[len(h.Log)-5:]
	}
	if code == 0 {
		h.Status, h.FailingStreak = "healthy", 0
		return
	}
	h.FailingStreak++
	check := c.Config.Healthcheck
	if d.elapsed(c) >= check.StartPeriod+time.Duration(check.Retries)*check.Interval {
		h.Status = "unhealthy"
	}
}

// find looks a container up by name, id or unambiguous beginning of its id.
func (d *docker) find(name string) *container {
	if c := d.containers[strings.TrimPrefix(name, "/")]; c != nil {
		return c
	}
	var found *container
	for _, c := range d.containers {
		if len(name) >= 3 && strings.HasPrefix(c.ID, name) {
			if found != nil {
				return nil
			}
			found = c
		}
	}
	return found
}

func (d *docker) network(name string) *Network {
	if n := d.networks[name]; n != nil {
		return n
	}
	for _, n := range d.networks {
		if len(name) >= 3 && strings.HasPrefix(n.ID, name) {
			return n
		}
	}
	return nil
}

// reference completes an image reference with its tag.
func reference(ref string) string {
	ref = strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "library/")
	if strings.Contains(ref, "@") || strings.Contains(ref[strings.LastIndexByte(ref, '/')+1:], ":") {
		return ref
	}
	return ref + ":latest"
}

func (d *docker) image(ref string) *image {
	full := reference(ref)
	for _, i := range d.images {
		if slices.Contains(i.RepoTags, full) || slices.Contains(i.RepoDigests, full) || i.ID == ref {
			return i
		}
	}
	for _, i := range d.images {
		if id := strings.TrimPrefix(i.ID, "sha256:"); len(ref) >= 6 && strings.HasPrefix(id, strings.TrimPrefix(ref, "sha256:")) {
			return i
		}
	}
	return nil
}

// tag moves a reference to an image.
func (d *docker) tag(i *image, ref string) {
	ref = reference(ref)
	for _, other := range d.images {
		other.RepoTags = slices.DeleteFunc(other.RepoTags, func(t string) bool { return t == ref })
	}
	i.RepoTags = append(i.RepoTags, ref)
	slices.Sort(i.RepoTags)
}

// members fills in who is in a network.
func (d *docker) members(n *Network) *Network {
	out := *n
	out.Containers = map[string]NetworkMember{}
	for _, c := range d.containers {
		if e := c.NetworkSettings.Networks[n.Name]; e != nil && c.State.Running {
			out.Containers[c.ID] = NetworkMember{Name: c.name(), EndpointID: e.EndpointID, MacAddress: e.MacAddress, IPv4Address: e.IPAddress + "/24"}
		}
	}
	return &out
}

// portOwner tells who has a port of the host.
func (d *docker) portOwner(port string, except *container) string {
	for _, p := range d.h.sys.Ports {
		if strconv.Itoa(p.Number) == port {
			return p.Process
		}
	}
	for _, c := range d.containers {
		if c == except || !c.State.Running {
			continue
		}
		for _, bs := range c.HostConfig.PortBindings {
			for _, b := range bs {
				if b.HostPort == port {
					return c.name()
				}
			}
		}
	}
	return ""
}

func (h *Host) publishedPorts() []Port {
	d := h.docker
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := map[int]bool{}
	for _, c := range d.containers {
		if !c.State.Running {
			continue
		}
		for proto, bs := range c.HostConfig.PortBindings {
			for _, b := range bs {
				if n, err := strconv.Atoi(b.HostPort); err == nil && strings.HasSuffix(proto, "/tcp") {
					seen[n] = true
				}
			}
		}
	}
	var out []Port
	for _, n := range slices.Sorted(maps.Keys(seen)) {
		out = append(out, Port{Number: n, Process: "docker-proxy"})
	}
	return out
}

func (h *Host) bridgeRoutes() []string {
	d := h.docker
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.running {
		return nil
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(d.networks)) {
		n := d.networks[name]
		for _, c := range n.IPAM.Config {
			dev := cmp.Or(n.Options["com.docker.network.bridge.name"], "br-"+n.ID[:12])
			if name == "bridge" {
				dev = "docker0"
			}
			out = append(out, dev+" "+c.Subnet)
		}
	}
	return out
}

// SetHealthDelay is how long a container of that name takes, by the host's time, until its health
// is first checked.
func (h *Host) SetHealthDelay(container string, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.healthDelays[container] = d
}

func (h *Host) healthDelay(name string) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.healthDelays[name]
}

// Crash makes a container of that name end at once whenever it is started, with that exit code and
// last words; code 0 takes it back.
func (h *Host) Crash(container string, code int, lastWords string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.crashes[container] = crash{code, lastWords}
}

type crash struct {
	code int
	text string
}

func (h *Host) crashOf(name string) crash {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.crashes[name]
}

// place is where a path inside a container lies in the host's tree.
func (c *container) place(name string) string {
	best := MountPoint{}
	for _, m := range c.Mounts {
		if (name == m.Destination || strings.HasPrefix(name, m.Destination+"/")) && len(m.Destination) > len(best.Destination) {
			best = m
		}
	}
	if best.Destination != "" {
		return best.Source + unix.RootMark + strings.TrimPrefix(name, best.Destination)
	}
	for dir := range c.HostConfig.Tmpfs {
		if name == dir || strings.HasPrefix(name, dir+"/") {
			return "/var/lib/docker/overlay2/" + c.ID + "/tmpfs" + unix.RootMark + name
		}
	}
	if c.image.files != "" {
		return c.image.files + unix.RootMark + name
	}
	return "/var/lib/docker/overlay2/" + c.ID + "/merged" + unix.RootMark + name
}
