package remotetest

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// composeFile is as much of a compose file as the simulation knows. A key that it does not know is
// reported: the real Compose may know it.
type composeFile struct {
	Name     string                     `yaml:"name"`
	Services map[string]*composeService `yaml:"services"`
	Networks map[string]composeExternal `yaml:"networks"`
	Volumes  map[string]composeExternal `yaml:"volumes"`
	Extra    map[string]yaml.Node       `yaml:",inline"` // x-...
}

type composeExternal struct {
	Name     string            `yaml:"name"`
	External bool              `yaml:"external"`
	Internal bool              `yaml:"internal"`
	Driver   string            `yaml:"driver"`
	Labels   map[string]string `yaml:"labels"`
}

type composeService struct {
	Image           string               `yaml:"image"`
	PullPolicy      string               `yaml:"pull_policy"`
	Profiles        []string             `yaml:"profiles"`
	ContainerName   string               `yaml:"container_name"`
	Hostname        string               `yaml:"hostname"`
	User            string               `yaml:"user"`
	Entrypoint      words                `yaml:"entrypoint"`
	Command         words                `yaml:"command"`
	WorkingDir      string               `yaml:"working_dir"`
	Environment     pairs                `yaml:"environment"`
	NetworkMode     string               `yaml:"network_mode"`
	Networks        composeNetworks      `yaml:"networks"`
	ExtraHosts      pairs                `yaml:"extra_hosts"`
	Sysctls         pairs                `yaml:"sysctls"`
	Ports           []composePort        `yaml:"ports"`
	Volumes         []composeMount       `yaml:"volumes"`
	Tmpfs           words                `yaml:"tmpfs"`
	ShmSize         string               `yaml:"shm_size"`
	DependsOn       composeDependencies  `yaml:"depends_on"`
	HealthCheck     *composeHealth       `yaml:"healthcheck"`
	StopGracePeriod string               `yaml:"stop_grace_period"`
	StopSignal      string               `yaml:"stop_signal"`
	Restart         string               `yaml:"restart"`
	Init            bool                 `yaml:"init"`
	ReadOnly        bool                 `yaml:"read_only"`
	Privileged      bool                 `yaml:"privileged"`
	CapDrop         []string             `yaml:"cap_drop"`
	CapAdd          []string             `yaml:"cap_add"`
	SecurityOpt     []string             `yaml:"security_opt"`
	PidsLimit       int64                `yaml:"pids_limit"`
	MemLimit        string               `yaml:"mem_limit"`
	CPUShares       int64                `yaml:"cpu_shares"`
	Logging         composeLogging       `yaml:"logging"`
	Labels          pairs                `yaml:"labels"`
	Ulimits         map[string]yaml.Node `yaml:"ulimits"`
}

type composeLogging struct {
	Driver  string            `yaml:"driver"`
	Options map[string]string `yaml:"options"`
}

type composePort struct {
	Target    int    `yaml:"target"`
	Published string `yaml:"published"`
	Protocol  string `yaml:"protocol"`
	HostIP    string `yaml:"host_ip"`
	Mode      string `yaml:"mode"`
}

func (c *composePort) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		type plain composePort
		return n.Decode((*plain)(c))
	}
	spec, proto, _ := strings.Cut(n.Value, "/")
	host, target, ok := strings.Cut(spec, ":")
	if !ok {
		return fmt.Errorf("port %q is not simulated", n.Value)
	}
	v, err := strconv.Atoi(target)
	c.Target, c.Published, c.Protocol = v, host, proto
	return err
}

type composeMount struct {
	Type     string `yaml:"type"`
	Source   string `yaml:"source"`
	Target   string `yaml:"target"`
	ReadOnly bool   `yaml:"read_only"`
	Bind     struct {
		CreateHostPath *bool `yaml:"create_host_path"`
	} `yaml:"bind"`
}

func (c *composeMount) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		type plain composeMount
		return n.Decode((*plain)(c))
	}
	f := strings.Split(n.Value, ":")
	if len(f) < 2 {
		return fmt.Errorf("volume %q is not simulated", n.Value)
	}
	c.Type, c.Source, c.Target, c.ReadOnly = "volume", f[0], f[1], len(f) > 2 && f[2] == "ro"
	if strings.HasPrefix(f[0], "/") || strings.HasPrefix(f[0], ".") {
		c.Type = "bind"
	}
	return nil
}

type composeHealth struct {
	Test          words  `yaml:"test"`
	Interval      string `yaml:"interval"`
	Timeout       string `yaml:"timeout"`
	StartPeriod   string `yaml:"start_period"`
	StartInterval string `yaml:"start_interval"`
	Retries       int    `yaml:"retries"`
	Disable       bool   `yaml:"disable"`
}

// words is a list, or one string that a shell would split.
type words []string

func (w *words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]string)(w))
	}
	if n.Tag != "!!null" {
		*w = strings.Fields(n.Value)
	}
	return nil
}

// pairs is a map, or a list of KEY=VALUE.
type pairs map[string]string

func (m *pairs) UnmarshalYAML(n *yaml.Node) error {
	out := map[string]string{}
	if n.Kind == yaml.SequenceNode {
		var list []string
		if err := n.Decode(&list); err != nil {
			return err
		}
		for _, e := range list {
			k, v, ok := strings.Cut(e, "=")
			if !ok {
				k, v, _ = strings.Cut(e, ":")
			}
			out[k] = v
		}
	} else if err := n.Decode(&out); err != nil {
		return err
	}
	*m = out
	return nil
}

type composeNetworks map[string][]string // name to aliases

func (m *composeNetworks) UnmarshalYAML(n *yaml.Node) error {
	out := composeNetworks{}
	if n.Kind == yaml.SequenceNode {
		var list []string
		if err := n.Decode(&list); err != nil {
			return err
		}
		for _, e := range list {
			out[e] = nil
		}
	} else {
		var full map[string]*struct {
			Aliases  []string `yaml:"aliases"`
			Priority int      `yaml:"priority"`
		}
		if err := n.Decode(&full); err != nil {
			return err
		}
		for k, v := range full {
			out[k] = nil
			if v != nil {
				out[k] = v.Aliases
			}
		}
	}
	*m = out
	return nil
}

type composeDependencies map[string]string // name to condition

func (m *composeDependencies) UnmarshalYAML(n *yaml.Node) error {
	out := composeDependencies{}
	if n.Kind == yaml.SequenceNode {
		var list []string
		if err := n.Decode(&list); err != nil {
			return err
		}
		for _, e := range list {
			out[e] = "service_started"
		}
	} else {
		var full map[string]struct {
			Condition string `yaml:"condition"`
			Restart   bool   `yaml:"restart"`
			Required  *bool  `yaml:"required"`
		}
		if err := n.Decode(&full); err != nil {
			return err
		}
		for k, v := range full {
			out[k] = v.Condition
		}
	}
	*m = out
	return nil
}
