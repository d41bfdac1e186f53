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

// objects makes or finds what the services stand on. The lock is held.
func (c compose) objects(names []string) error {
	for _, n := range names {
		s := c.f.Services[n]
		nets := s.attached()
		for _, key := range slices.Sorted(maps.Keys(nets)) {
			e := c.f.Networks[key]
			name := objectName(c.project, key, e)
			if c.d.networks[name] != nil {
				continue
			}
			if e.External {
				return fmt.Errorf("network %s declared as external, but could not be found", name)
			}
			subnet := c.d.freeSubnet()
			c.d.networks[name] = &Network{
				Name: name, ID: hexID(), Created: c.d.h.stamp(), Scope: "local", Driver: "bridge", Internal: e.Internal,
				IPAM: IPAM{Driver: "default", Config: []IPAMConfig{{subnet, ""}}}, Containers: map[string]NetworkMember{}, Options: map[string]string{},
				Labels: map[string]string{"com.docker.compose.project": c.project, "com.docker.compose.network": key},
			}
			c.p.Errorf(" Network %s  Created\n", name)
		}
		for _, m := range s.Volumes {
			if m.Type != "volume" {
				continue
			}
			e := c.f.Volumes[m.Source]
			name := objectName(c.project, m.Source, e)
			if c.d.volumes[name] != nil {
				continue
			}
			if e.External {
				return fmt.Errorf("external volume %q not found", name)
			}
			c.d.newVolume(name, map[string]string{"com.docker.compose.project": c.project, "com.docker.compose.volume": m.Source})
			c.p.Errorf(" Volume \"%s\"  Created\n", name)
		}
	}
	return nil
}

func (c compose) up(args []string) error {
	o := c.p.Parse(args, "dt", "t:", map[string]string{
		"detach": "d", "no-deps": "nd", "no-build": "nb", "pull": "pull:", "remove-orphans": "ro", "force-recreate": "fr",
		"wait": "w", "wait-timeout": "wt:", "timeout": "t:", "no-recreate": "nr", "quiet-pull": "qp", "no-start": "ns",
	}, true)
	if !o.Has("d", "w") {
		c.p.Unsupported("docker compose up in the foreground")
	}
	names, err := c.services(o.Args)
	if err != nil {
		return err
	}
	if !o.Has("nd") {
		names = c.withDependencies(names)
	}
	c.d.mu.Lock()
	err = c.objects(names)
	c.d.mu.Unlock()
	if err != nil {
		return err
	}
	for _, n := range names {
		if !o.Has("nd") {
			if err := c.await(c.f.Services[n].DependsOn); err != nil {
				return err
			}
		}
		if err := c.converge(n, o); err != nil {
			return err
		}
	}
	if o.Has("w") {
		return c.healthy(names, o.Value["wt"])
	}
	return nil
}

func (c compose) withDependencies(names []string) []string {
	var out []string
	var visit func(string)
	visit = func(n string) {
		if slices.Contains(out, n) {
			return
		}
		for _, d := range slices.Sorted(maps.Keys(c.f.Services[n].DependsOn)) {
			visit(d)
		}
		out = append(out, n)
	}
	for _, n := range names {
		visit(n)
	}
	return out
}

// converge gives one service its container.
func (c compose) converge(name string, o unix.Parsed) error {
	s := c.f.spec(c.project, c.dir, name)
	if s.health != nil && s.health.StartInterval > 0 && c.p.host.apiVersion() == "1.42" {
		return errors.New("can't set healthcheck.start_interval as feature require Docker Engine v25 or later")
	}
	c.d.mu.Lock()
	missing := c.d.image(s.image) == nil
	c.d.mu.Unlock()
	policy := c.f.Services[name].PullPolicy
	if v := o.Value["pull"]; v != "" {
		policy = v
	}
	if missing && policy != "never" {
		if err := c.p.host.fleet.serves(s.image); err != nil {
			return daemonRefusal{err}
		}
		c.p.Sleep(2 * time.Second)
		c.d.mu.Lock()
		c.d.pulled(s.image)
		c.d.mu.Unlock()
	}
	c.p.Sleep(500 * time.Millisecond)
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.refresh()
	old := c.container(name)
	switch i := c.d.image(s.image); {
	case old == nil:
		c.say(s.name, "Creating")
		made, err := c.d.create(s)
		if err != nil {
			return daemonRefusal{err}
		}
		c.say(s.name, "Created")
		return c.begin(made)
	case !o.Has("nr") && (o.Has("fr") || old.hash != s.hash || i == nil || i != old.image):
		return c.recreate(old, s)
	case old.State.Running:
		c.say(old.name(), "Running")
		return nil
	default:
		c.say(old.name(), "Created")
		return c.begin(old)
	}
}

// recreate makes the new container under another name first, so that a refusal leaves the old one.
func (c compose) recreate(old *container, s spec) error {
	c.say(old.name(), "Recreate")
	final := s.name
	s.name = old.ID[:12] + "_" + final
	made, err := c.d.create(s)
	if err != nil {
		return daemonRefusal{err}
	}
	c.d.halt(old, 0)
	c.d.remove(old)
	delete(c.d.containers, s.name)
	made.Name = "/" + final
	for _, e := range made.NetworkSettings.Networks {
		for i, a := range e.Aliases {
			if a == s.name {
				e.Aliases[i] = final
			}
		}
	}
	c.d.containers[final] = made
	c.say(final, "Recreated")
	return c.begin(made)
}

func (c compose) begin(made *container) error {
	c.say(made.name(), "Starting")
	if err := c.d.launch(made); err != nil {
		return daemonRefusal{err}
	}
	c.say(made.name(), "Started")
	return nil
}

// await waits for the conditions of depends_on.
func (c compose) await(deps composeDependencies) error {
	for _, n := range slices.Sorted(maps.Keys(deps)) {
		if deps[n] == "service_started" {
			continue
		}
		if deps[n] != "service_healthy" {
			c.p.Unsupported("depends_on condition " + deps[n])
		}
		if err := c.healthy([]string{n}, ""); err != nil {
			return fmt.Errorf("dependency failed to start: %w", err)
		}
	}
	return nil
}

func (c compose) healthy(names []string, limit string) error {
	deadline := time.Duration(1 << 62)
	if limit != "" {
		deadline = c.p.Duration(limit)
	}
	for _, n := range names {
		for waited := time.Duration(0); ; waited += 500 * time.Millisecond {
			c.d.mu.Lock()
			c.d.refresh()
			o := c.container(n)
			var state ContainerState
			name := n
			if o != nil {
				state, name = *o.State, o.name()
				if o.State.Health != nil {
					h := *o.State.Health
					state.Health = &h
				}
			}
			c.d.mu.Unlock()
			if waited == 0 {
				c.say(name, "Waiting")
			}
			switch {
			case o == nil || state.Status == "exited":
				return fmt.Errorf("container %s exited (%d)", name, state.ExitCode)
			case state.Health != nil && state.Health.Status == "unhealthy":
				return fmt.Errorf("container %s is unhealthy", name)
			case state.Running && !state.Restarting && (state.Health == nil || state.Health.Status == "healthy"):
				c.say(name, "Healthy")
			case waited > deadline:
				return fmt.Errorf("application not healthy after %s", deadline)
			default:
				c.p.Sleep(500 * time.Millisecond)
				continue
			}
			break
		}
	}
	return nil
}

// oneShot is docker compose run.
func (c compose) oneShot(args []string) error {
	o := c.p.Parse(args, "Td", "e:u:w:v:", map[string]string{"rm": "R", "no-TTY": "T", "no-deps": "nd", "env": "e:", "entrypoint": "ep:", "user": "u:", "workdir": "w:", "name": "name:", "no-tty": "T", "interactive": "I"}, false)
	if len(o.Args) == 0 {
		return errors.New("requires at least 1 arg(s), only received 0")
	}
	name := o.Args[0]
	if c.f.Services[name] == nil {
		return fmt.Errorf("no such service: %s", name)
	}
	if !o.Has("nd") {
		deps := slices.Sorted(maps.Keys(c.f.Services[name].DependsOn))
		for _, n := range c.withDependencies(deps) {
			if err := c.converge(n, unix.Parsed{Flags: map[string]bool{}, Value: map[string]string{}}); err != nil {
				return err
			}
		}
		if err := c.await(c.f.Services[name].DependsOn); err != nil {
			return err
		}
	}
	s := c.f.spec(c.project, c.dir, name)
	s.name = c.project + "-" + name + "-run-" + hexID()[:12]
	if v := o.Value["name"]; v != "" {
		s.name = v
	}
	if len(o.Args) > 1 {
		s.cmd = o.Args[1:]
	}
	if v, ok := o.Value["ep"]; ok {
		s.entrypoint = strings.Fields(v)
	}
	if v := o.Value["u"]; v != "" {
		s.user = v
	}
	if v := o.Value["w"]; v != "" {
		s.workdir = v
	}
	s.env = maps.Clone(s.env)
	for k, v := range labels(o.List["e"]) {
		s.env[k] = v
	}
	s.oneOff, s.remove, s.health, s.ports, s.restart = "True", o.Has("R"), nil, nil, "no"
	for n, aliases := range s.networks {
		s.networks[n] = slices.DeleteFunc(aliases, func(a string) bool { return a == name })
	}
	c.d.mu.Lock()
	err := c.objects([]string{name})
	if err == nil && c.d.image(s.image) == nil {
		err = daemonRefusal{fmt.Errorf("No such image: %s", s.image)} //nolint:staticcheck // the engine's words
	}
	c.d.mu.Unlock()
	if err != nil {
		return err
	}
	if code := c.p.runContainer(s, o.Has("d"), true, "never"); code != 0 {
		return unix.Exited(code)
	}
	return nil
}
