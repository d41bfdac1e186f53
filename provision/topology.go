package provision

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"provision/files/generation"
	"provision/inventory"
	"provision/provision/resource"
)

// Topology is what runs where and who speaks to whom, read from what would land on the hosts. It
// needs no connection.
type Topology struct {
	Stack string         `json:"stack"`
	URL   string         `json:"url"`
	TLS   string         `json:"tls"`
	Hosts []TopologyHost `json:"hosts"`
}

// TopologyHost is one machine.
type TopologyHost struct {
	Name       string              `json:"name"`
	Address    string              `json:"address"`          // empty where it is a droplet's
	Size       string              `json:"size,omitempty"`   // of a droplet
	Region     string              `json:"region,omitempty"` // of a droplet
	Roles      []inventory.Role    `json:"roles"`
	Networks   []TopologyNetwork   `json:"networks"`
	Containers []TopologyContainer `json:"containers"`
	Volumes    []string            `json:"volumes"`
}

// TopologyNetwork is one network of a host.
type TopologyNetwork struct {
	Name     string `json:"name"`
	Subnet   string `json:"subnet"`
	Internal bool   `json:"internal"`
}

// TopologyContainer is one container that keeps running.
type TopologyContainer struct {
	Name string `json:"name"`
	// Part is what it is, as the stack's parts are called: caddy, server, postgres, agent, business-logic.
	Part     string   `json:"part"`
	Image    string   `json:"image"`
	Networks []string `json:"networks"`
	Ports    []string `json:"ports"` // published on the host: "443/tcp"
	Volumes  []string `json:"volumes"`

	// Role, Calls and CalledAt are of its part; so are Entrance, which is what the url leads to, and Polls, which asks there for work.
	Role            string   `json:"-"`
	Calls           []string `json:"-"` // parts
	CalledAt        string   `json:"-"`
	Entrance, Polls bool     `json:"-"`
}

// Topology describes the system.
func (s *System) Topology() (*Topology, error) {
	t := &Topology{Stack: s.Stack.Name, URL: s.Inventory.URL, TLS: s.Inventory.TLS.Mode}
	for _, h := range s.Inventory.Hosts {
		host := TopologyHost{Name: h.Name, Address: h.Address, Roles: h.Roles}
		if s.cloud != nil {
			host.Size, host.Region = s.cloud.Offer(&h)
		}
		for _, r := range s.Resources {
			if r.ID().Host != h.Name {
				continue
			}
			switch r := r.(type) {
			case *resource.BridgeNetwork:
				host.Networks = append(host.Networks, TopologyNetwork{r.Name, r.Subnet, r.Internal})
			case *resource.Volume:
				host.Volumes = append(host.Volumes, r.Name)
			case *resource.File:
				if !strings.HasSuffix(r.Path, "/compose.yaml") {
					continue
				}
				c, err := containers(s.Stack.Generation().Parts, r.Content)
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", h.Name, r.Path, err)
				}
				host.Containers = append(host.Containers, c...)
			}
		}
		t.Hosts = append(t.Hosts, host)
	}
	// The way of a request: the server first, what is for nothing last.
	rank := func(h TopologyHost) int {
		switch {
		case slices.Contains(h.Roles, inventory.RoleServer):
			return 0
		case len(h.Roles) > 0:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(t.Hosts, func(a, b TopologyHost) int { return cmp.Compare(rank(a), rank(b)) })
	return t, nil
}

// containers reads a rendered compose file. What runs once and ends is left out. They come in the way of a request.
func containers(parts generation.Parts, text []byte) ([]TopologyContainer, error) {
	var file struct {
		Services map[string]struct {
			Image    string         `yaml:"image"`
			Name     string         `yaml:"container_name"`
			Networks map[string]any `yaml:"networks"`
			Ports    []struct {
				Published string `yaml:"published"`
				Protocol  string `yaml:"protocol"`
			} `yaml:"ports"`
			Volumes []struct {
				Type   string `yaml:"type"`
				Source string `yaml:"source"`
			} `yaml:"volumes"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	var out []TopologyContainer
	for _, part := range parts {
		s, here := file.Services[part.Name]
		if !here || part.Once {
			continue
		}
		c := TopologyContainer{
			Name: s.Name, Part: part.Name, Image: s.Image, Networks: slices.Sorted(maps.Keys(s.Networks)),
			Role: part.Role, CalledAt: part.CalledAt, Entrance: part.Entrance, Polls: part.Polls,
		}
		for _, call := range part.Calls {
			c.Calls = append(c.Calls, call.Part)
		}
		for _, p := range s.Ports {
			c.Ports = append(c.Ports, p.Published+"/"+cmp.Or(p.Protocol, "tcp"))
		}
		slices.Sort(c.Ports)
		for _, v := range s.Volumes {
			if v.Type == "volume" {
				c.Volumes = append(c.Volumes, v.Source)
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// Entrance is the published port that the url names, and whether it is encrypted.
func (t *Topology) Entrance() (port string, encrypted bool) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return "", false
	}
	encrypted = u.Scheme == "https"
	if port = u.Port(); port == "" {
		port = "80"
		if encrypted {
			port = "443"
		}
	}
	return port, encrypted
}

// Certificate says in words where the server's certificate comes from.
func (t *Topology) Certificate() string {
	switch t.TLS {
	case inventory.TLSInternal:
		return "certificate of the stack's own CA"
	case inventory.TLSACME:
		return "certificate by ACME"
	case inventory.TLSFiles:
		return "certificate from files"
	}
	return "no TLS, in clear"
}
