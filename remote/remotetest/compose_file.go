package remotetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"provision/remote/remotetest/unix"
)

var variable = regexp.MustCompile(`\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?+])([^}]*))?\})`)

// interpolate fills in variables as Compose does: only in values, never in keys.
func interpolate(n *yaml.Node, env map[string]string) error {
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "$") {
		var failed error
		out := variable.ReplaceAllStringFunc(n.Value, func(m string) string {
			if m == "$$" {
				return "$"
			}
			g := variable.FindStringSubmatch(m)
			name := g[1] + g[2]
			v, set := env[name]
			full := set && (v != "" || !strings.HasPrefix(g[3], ":"))
			switch strings.TrimPrefix(g[3], ":") {
			case "-":
				if !full {
					return g[4]
				}
			case "?":
				if !full {
					failed = fmt.Errorf("required variable %s is missing a value: %s", name, g[4])
				}
			case "+":
				if full {
					return g[4]
				}
				return ""
			}
			return v
		})
		if failed != nil {
			return failed
		}
		if strings.Contains(strings.NewReplacer("$$", "").Replace(n.Value), "$") && !variable.MatchString(n.Value) {
			return fmt.Errorf("invalid interpolation format for %q", n.Value)
		}
		n.SetString(out)
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		if err := interpolate(c, env); err != nil {
			return err
		}
	}
	return nil
}

var errNoComposeFile = errors.New("no configuration file provided: not found")

// loadCompose reads compose.yaml in the working directory, or the given file.
func (p *proc) loadCompose(file, projectDir string) (*composeFile, string, error) {
	dir := p.Dir
	if file == "" {
		for _, name := range []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"} {
			if _, err := p.Stat(name); err == nil {
				file = name
				break
			}
		}
		if file == "" {
			return nil, dir, errNoComposeFile
		}
	} else {
		dir = path.Dir(p.Abs(file))
	}
	if projectDir != "" {
		dir = p.Abs(projectDir)
	}
	text, err := p.ReadAll(file)
	if err != nil {
		return nil, dir, fmt.Errorf("open %s: %s", p.Abs(file), strings.ToLower(unix.Strerror(err)))
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, dir, err
	}
	env := maps.Clone(p.Env)
	if b, err := p.ReadAll(path.Join(dir, ".env")); err == nil {
		for l := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(strings.TrimSpace(l), "="); ok && !strings.HasPrefix(k, "#") {
				if _, set := env[k]; !set {
					env[k] = strings.Trim(v, `"'`)
				}
			}
		}
	}
	if err := interpolate(&root, env); err != nil {
		return nil, dir, err
	}
	var merged bytes.Buffer
	if err := yaml.NewEncoder(&merged).Encode(&root); err != nil {
		return nil, dir, err
	}
	dec := yaml.NewDecoder(&merged)
	dec.KnownFields(true)
	var f composeFile
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		p.host.sys.Unknown("compose file: " + err.Error())
		return nil, dir, fmt.Errorf("validating %s: %w", p.Abs(file), err)
	}
	for k := range f.Extra {
		if !strings.HasPrefix(k, "x-") {
			return nil, dir, fmt.Errorf("validating %s: (root) Additional property %s is not allowed", p.Abs(file), k)
		}
	}
	return &f, dir, f.check()
}

func (f *composeFile) check() error {
	for _, name := range slices.Sorted(maps.Keys(f.Services)) {
		s := f.Services[name]
		if s == nil || s.Image == "" {
			return fmt.Errorf("service %q has neither an image nor a build context specified: invalid compose project", name)
		}
		if s.NetworkMode != "" && len(s.Networks) > 0 {
			return fmt.Errorf("service %s declares mutually exclusive `network_mode` and `networks`: invalid compose project", name)
		}
		for n := range s.Networks {
			if _, ok := f.Networks[n]; !ok && n != "default" {
				return fmt.Errorf("service %q refers to undefined network %s: invalid compose project", name, n)
			}
		}
		for _, m := range s.Volumes {
			if _, ok := f.Volumes[m.Source]; !ok && m.Type == "volume" && m.Source != "" {
				return fmt.Errorf("service %q refers to undefined volume %s: invalid compose project", name, m.Source)
			}
		}
		for d := range s.DependsOn {
			if f.Services[d] == nil {
				return fmt.Errorf("service %q depends on undefined service %q: invalid compose project", name, d)
			}
		}
	}
	return nil
}

// attached are the networks of a service: its own, the project's, or none at all.
func (c *composeService) attached() composeNetworks {
	switch {
	case c.NetworkMode == "none":
		return nil
	case len(c.Networks) == 0:
		return composeNetworks{"default": nil}
	}
	return c.Networks
}

// objectName is how a network or volume of the file is called at the engine.
func objectName(project, key string, e composeExternal) string {
	switch {
	case e.Name != "":
		return e.Name
	case e.External:
		return key
	}
	return project + "_" + key
}

func duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d
}

// spec turns a service into what the engine is asked for.
func (f *composeFile) spec(project, dir, name string) spec {
	c := f.Services[name]
	s := spec{
		name: c.ContainerName, image: c.Image, entrypoint: c.Entrypoint, cmd: c.Command, env: c.Environment, labels: map[string]string{}, user: c.User,
		hostname: c.Hostname, workdir: c.WorkingDir, networks: map[string][]string{}, isolated: c.NetworkMode == "none", ports: map[string][]PortBinding{}, restart: c.Restart, readOnly: c.ReadOnly,
		init: c.Init, privileged: c.Privileged, capAdd: c.CapAdd, capDrop: c.CapDrop, secOpt: c.SecurityOpt, sysctls: c.Sysctls, pids: c.PidsLimit,
		log: LogConfig{c.Logging.Driver, c.Logging.Options}, tmpfs: map[string]string{}, createPath: map[string]bool{}, project: project, service: name,
	}
	if s.name == "" {
		s.name = project + "-" + name + "-1"
	}
	maps.Copy(s.labels, c.Labels)
	for n, aliases := range c.attached() {
		s.networks[objectName(project, n, f.Networks[n])] = append([]string{s.name, name}, aliases...)
	}
	for _, m := range c.Volumes {
		mp := MountPoint{Type: m.Type, Destination: m.Target, RW: !m.ReadOnly}
		if m.Type == "bind" {
			mp.Source = m.Source
			if !strings.HasPrefix(mp.Source, "/") {
				mp.Source = path.Join(dir, m.Source)
			}
			s.createPath[mp.Source] = m.Bind.CreateHostPath == nil || *m.Bind.CreateHostPath
		} else {
			mp.Name = objectName(project, m.Source, f.Volumes[m.Source])
		}
		s.mounts = append(s.mounts, mp)
	}
	for _, t := range c.Tmpfs {
		d, opts, _ := strings.Cut(t, ":")
		s.tmpfs[d] = opts
	}
	for _, p := range c.Ports {
		proto := p.Protocol
		if proto == "" {
			proto = "tcp"
		}
		key := fmt.Sprintf("%d/%s", p.Target, proto)
		s.ports[key] = append(s.ports[key], PortBinding{p.HostIP, p.Published})
	}
	for _, h := range slices.Sorted(maps.Keys(c.ExtraHosts)) {
		s.extraHosts = append(s.extraHosts, h+":"+c.ExtraHosts[h])
	}
	if h := c.HealthCheck; h != nil && !h.Disable {
		s.health = &Healthcheck{Test: h.Test, Interval: duration(h.Interval), Timeout: duration(h.Timeout), StartPeriod: duration(h.StartPeriod), StartInterval: duration(h.StartInterval), Retries: h.Retries}
	}
	if c.StopGracePeriod != "" {
		secs := int(duration(c.StopGracePeriod).Seconds())
		s.stopTimeout = &secs
	}
	hashed := *c
	hashed.DependsOn, hashed.Profiles, hashed.PullPolicy = nil, nil, ""
	text, _ := yaml.Marshal(hashed)
	sum := sha256.Sum256(text)
	s.hash = hex.EncodeToString(sum[:])
	return s
}
