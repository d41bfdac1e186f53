// Package compose renders Compose projects, each service of them hardened in the same way.
package compose

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"provision/files/naming"
)

// Rendered is a rendered Compose project.
type Rendered struct {
	YAML     []byte
	Services []Described // sorted by name
}

// Described is what a caller must know of a rendered service to tell whether its container is up to date.
type Described struct {
	Name  string
	Image string
	// Networks that the container is on, sorted.
	Networks []string
	// Definition is the value of the container's label provision.definition: it changes exactly when the container must be replaced for a
	// reason other than changed mounts.
	Definition string
	// Mounts are the directories, relative to the project's own, whose content the container takes at its start only. The caller digests them on the host
	// and passes the result as the environment variable MountsVar when it starts the service.
	Mounts []string
	// MountsVar is the variable that Compose substitutes into the label provision.mounts; empty if there are no such directories.
	MountsVar string
	// OneShot says that the service is run by hand, is never "up" and has no lasting container.
	OneShot bool

	Defined string // what Definition is the digest of
}

// The shape of a Compose file, as far as it is used here. Services and what has names are maps, which are written in the order of their keys.
type (
	Project struct {
		Name     string              `yaml:"name"`
		Services map[string]*Service `yaml:"services"`
		Networks map[string]external `yaml:"networks,omitempty"`
		Volumes  map[string]external `yaml:"volumes,omitempty"`
	}
	// external objects are made by provision: a network that one project makes cannot be shared with another, and a volume must outlive them.
	external struct {
		Name     string `yaml:"name"`
		External bool   `yaml:"external"`
	}
	Service struct {
		Image         string                `yaml:"image"`
		PullPolicy    string                `yaml:"pull_policy"`
		Profiles      []string              `yaml:"profiles,omitempty"`
		ContainerName string                `yaml:"container_name,omitempty"`
		Hostname      string                `yaml:"hostname,omitempty"`
		User          string                `yaml:"user"`
		Entrypoint    []string              `yaml:"entrypoint,omitempty"`
		Command       []string              `yaml:"command"`
		WorkingDir    string                `yaml:"working_dir,omitempty"`
		Environment   map[string]string     `yaml:"environment,omitempty"`
		NetworkMode   string                `yaml:"network_mode,omitempty"`
		Networks      map[string]Attachment `yaml:"networks,omitempty"`
		ExtraHosts    map[string]string     `yaml:"extra_hosts,omitempty"`
		Sysctls       map[string]string     `yaml:"sysctls,omitempty"`
		Ports         []Port                `yaml:"ports,omitempty"`
		Volumes       []Mount               `yaml:"volumes,omitempty"`
		Tmpfs         []string              `yaml:"tmpfs,omitempty"`
		ShmSize       string                `yaml:"shm_size,omitempty"`
		DependsOn     map[string]Dependency `yaml:"depends_on,omitempty"`
		HealthCheck   *HealthCheck          `yaml:"healthcheck,omitempty"`
		StopGrace     string                `yaml:"stop_grace_period,omitempty"`
		Restart       string                `yaml:"restart"`
		Init          bool                  `yaml:"init"`
		ReadOnly      bool                  `yaml:"read_only"`
		CapDrop       []string              `yaml:"cap_drop"`
		CapAdd        []string              `yaml:"cap_add,omitempty"`
		SecurityOpt   []string              `yaml:"security_opt"`
		PidsLimit     int                   `yaml:"pids_limit"`
		CPUShares     int                   `yaml:"cpu_shares,omitempty"`
		Ulimits       map[string]int        `yaml:"ulimits"`
		Logging       logging               `yaml:"logging"`
		Labels        map[string]string     `yaml:"labels,omitempty"`

		StartMounts []string `yaml:"-"` // see Described.Mounts
	}
	Attachment struct {
		Aliases []string `yaml:"aliases,omitempty"`
	}
	Port struct {
		Target    int    `yaml:"target"`
		Published string `yaml:"published"`
		Protocol  string `yaml:"protocol"`
	}
	Mount struct {
		Type     string    `yaml:"type"`
		Source   string    `yaml:"source"`
		Target   string    `yaml:"target"`
		ReadOnly bool      `yaml:"read_only,omitempty"`
		Bind     *bindRule `yaml:"bind,omitempty"`
	}
	bindRule struct {
		CreateHostPath bool `yaml:"create_host_path"`
	}
	Dependency struct {
		Condition string `yaml:"condition"`
	}
	HealthCheck struct {
		Test     []string `yaml:"test"`
		Interval string   `yaml:"interval"`
		Timeout  string   `yaml:"timeout"`
		Retries  int      `yaml:"retries"`
		// StartInterval takes the place of Interval within StartPeriod, from Docker 25 on.
		StartPeriod   string `yaml:"start_period"`
		StartInterval string `yaml:"start_interval"`
	}
	logging struct {
		Driver  string            `yaml:"driver"`
		Options map[string]string `yaml:"options"`
	}
)

// Harden gives a service what all have in common.
func Harden(s Service) *Service {
	s.PullPolicy = "never" // images are there before: pulled or built as changes of their own
	s.Init = true
	s.ReadOnly = true
	s.CapDrop = []string{"ALL"}
	s.SecurityOpt = []string{"no-new-privileges:true"}
	s.Ulimits = map[string]int{"core": 0} // a core file holds the secrets of its process
	s.Tmpfs = append([]string{"/tmp:mode=1777"}, s.Tmpfs...)
	s.Logging = logging{Driver: "local", Options: map[string]string{"max-size": "10m", "max-file": "5"}}
	s.Restart = "unless-stopped"
	if s.Profiles != nil {
		s.Restart = "no"
	}
	if s.PidsLimit == 0 {
		s.PidsLimit = 512
	}
	return &s
}

// Bind mounts a directory of the host. One that is missing is an error: made by the engine, it would be empty and owned by root.
func Bind(source, target string) Mount {
	return Mount{Type: "bind", Source: source, Target: target, ReadOnly: true, Bind: &bindRule{}}
}

// WritableBind is Bind, and the container may write there.
func WritableBind(source, target string) Mount {
	return Mount{Type: "bind", Source: source, Target: target, Bind: &bindRule{}}
}

// Volume mounts a volume.
func Volume(source, target string) Mount {
	return Mount{Type: "volume", Source: source, Target: target}
}

// Seconds is how Compose writes a duration.
func Seconds(d time.Duration) string { return fmt.Sprintf("%ds", int64(d/time.Second)) }

// Render writes the project, after it has given every service its labels.
func (p Project) Render(stack naming.Stack, id string) (Rendered, error) {
	p.Networks, p.Volumes = map[string]external{}, map[string]external{}
	var out Rendered
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		s := p.Services[name]
		for network := range s.Networks {
			p.Networks[network] = external{Name: network, External: true}
		}
		for _, m := range s.Volumes {
			if m.Type == "volume" {
				p.Volumes[m.Source] = external{Name: m.Source, External: true}
			}
		}
		defined, definition, err := s.definition()
		if err != nil {
			return Rendered{}, fmt.Errorf("digest the service %s: %w", name, err)
		}
		s.Labels = map[string]string{naming.LabelStack: string(stack), naming.LabelDefinition: definition}
		if id != "" {
			s.Labels[naming.LabelID] = id
		}
		described := Described{Name: name, Image: s.Image, Networks: slices.Sorted(maps.Keys(s.Networks)), Definition: definition, Mounts: s.StartMounts, OneShot: s.Profiles != nil, Defined: defined}
		if len(s.StartMounts) > 0 {
			described.MountsVar = "PROVISION_MOUNTS_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
			s.Labels[naming.LabelMounts] = "${" + described.MountsVar + ":-}"
		}
		out.Services = append(out.Services, described)
	}
	var root yaml.Node
	if err := root.Encode(p); err != nil {
		return Rendered{}, fmt.Errorf("render the project %s: %w", p.Name, err)
	}
	escape(&root)
	var text bytes.Buffer
	text.WriteString("# Rendered by provision: what is changed here by hand is undone by the next apply.\n")
	enc := yaml.NewEncoder(&text)
	enc.SetIndent(2)
	if err := enc.Encode(&root); err != nil {
		return Rendered{}, fmt.Errorf("render the project %s: %w", p.Name, err)
	}
	out.YAML = bytes.Clone(text.Bytes()) // without the room that the buffer has left: a fleet keeps one per host
	return out, nil
}

// definition is all that Compose replaces a container for, but for the labels that are made from it, and its digest.
func (s Service) definition() (text, digest string, err error) {
	s.Labels, s.DependsOn, s.Profiles, s.PullPolicy = nil, nil, nil, ""
	all, err := yaml.Marshal(s)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(all)
	return string(all), hex.EncodeToString(sum[:]), nil
}

// escape keeps Compose from substituting variables in any value but the one that is made for it.
func escape(n *yaml.Node) {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == naming.LabelMounts {
			continue
		}
		escape(child)
	}
	if n.Kind == yaml.ScalarNode {
		n.Value = strings.ReplaceAll(n.Value, "$", "$$")
	}
}
