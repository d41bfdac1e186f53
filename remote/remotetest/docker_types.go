package remotetest

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"provision/remote/remotetest/unix"
)

// The types below have the fields of `docker inspect` with the names that templates know.

// Container is one container as `docker inspect` shows it.
type Container struct {
	ID              string `json:"Id"`
	Created         string
	Path            string
	Args            []string
	State           *ContainerState
	Image           string
	LogPath         string
	Name            string
	RestartCount    int
	Driver          string
	Platform        string
	HostConfig      *HostConfig
	Mounts          []MountPoint
	Config          *ContainerConfig
	NetworkSettings *NetworkSettings
}

// ContainerState is what a container does now.
type ContainerState struct {
	Status                      string
	Running, Paused, Restarting bool
	OOMKilled, Dead             bool
	Pid, ExitCode               int
	Error                       string
	StartedAt, FinishedAt       string
	Health                      *Health `json:",omitempty"`
}

// Health is the outcome of a health check.
type Health struct {
	Status        string
	FailingStreak int
	Log           []HealthLog
}

// HealthLog is one run of a health check.
type HealthLog struct {
	Start, End string
	ExitCode   int
	Output     string
}

// HostConfig is what of a container belongs to its host.
type HostConfig struct {
	Binds          []string
	NetworkMode    string
	PortBindings   map[string][]PortBinding
	RestartPolicy  RestartPolicy
	AutoRemove     bool
	CapAdd         []string
	CapDrop        []string
	ExtraHosts     []string
	Privileged     bool
	ReadonlyRootfs bool
	SecurityOpt    []string
	Tmpfs          map[string]string `json:",omitempty"`
	ShmSize        int64
	Sysctls        map[string]string `json:",omitempty"`
	Memory         int64
	PidsLimit      *int64
	Init           *bool `json:",omitempty"`
	LogConfig      LogConfig
	Ulimits        []string
}

// PortBinding is where a port of a container is published.
type PortBinding struct{ HostIp, HostPort string } //nolint:revive // Docker's name

// RestartPolicy says when the engine starts a container again.
type RestartPolicy struct {
	Name              string
	MaximumRetryCount int
}

// LogConfig is a container's log driver.
type LogConfig struct {
	Type   string
	Config map[string]string
}

// MountPoint is a directory of a container that lies elsewhere.
type MountPoint struct {
	Type        string
	Name        string `json:",omitempty"`
	Source      string
	Destination string
	Driver      string `json:",omitempty"`
	Mode        string
	RW          bool
	Propagation string
}

// ContainerConfig is what of a container could run on any host.
type ContainerConfig struct {
	Hostname, Domainname, User string
	ExposedPorts               map[string]struct{} `json:",omitempty"`
	Tty, OpenStdin             bool
	Env                        []string
	Cmd                        []string
	Healthcheck                *Healthcheck `json:",omitempty"`
	Image                      string
	WorkingDir                 string
	Entrypoint                 []string
	Labels                     map[string]string
	StopSignal                 string `json:",omitempty"`
	StopTimeout                *int   `json:",omitempty"`
}

// Healthcheck is how a container's health is checked.
type Healthcheck struct {
	Test                           []string
	Interval, Timeout, StartPeriod time.Duration `json:",omitempty"`
	StartInterval                  time.Duration `json:",omitempty"`
	Retries                        int           `json:",omitempty"`
}

// pause is how long the next check is waited for.
func (h *Healthcheck) pause(elapsed time.Duration) time.Duration {
	if h.StartInterval > 0 && elapsed < h.StartPeriod {
		return h.StartInterval
	}
	return h.Interval
}

// NetworkSettings are a container's networks and published ports.
type NetworkSettings struct {
	Ports    map[string][]PortBinding
	Networks map[string]*Endpoint
}

// Endpoint is a container's place in a network.
type Endpoint struct {
	Aliases               []string
	NetworkID, EndpointID string
	Gateway, IPAddress    string
	MacAddress            string
}

// Network is one network as `docker network inspect` shows it.
type Network struct {
	Name       string
	ID         string `json:"Id"`
	Created    string
	Scope      string
	Driver     string
	EnableIPv6 bool
	IPAM       IPAM
	Internal   bool
	Attachable bool
	Containers map[string]NetworkMember
	Options    map[string]string
	Labels     map[string]string
}

// IPAM is how a network gives out addresses.
type IPAM struct {
	Driver string
	Config []IPAMConfig
}

// IPAMConfig is one subnet.
type IPAMConfig struct{ Subnet, Gateway string }

// NetworkMember is a container in a network.
type NetworkMember struct{ Name, EndpointID, MacAddress, IPv4Address, IPv6Address string }

// Volume is one volume as `docker volume inspect` shows it.
type Volume struct {
	CreatedAt  string
	Driver     string
	Labels     map[string]string
	Mountpoint string
	Name       string
	Options    map[string]string
	Scope      string
}

// Image is one image as `docker image inspect` shows it.
type Image struct {
	ID           string `json:"Id"`
	RepoTags     []string
	RepoDigests  []string
	Created      string
	Config       *ContainerConfig
	Architecture string
	Os           string
	Size         int64
}

// docker is a host's engine and what it keeps. Its lock is taken before the tree's and the host's.
type docker struct {
	h  *Host
	mu *sync.Mutex // the fleet's: hosts look at each other's containers

	running  bool
	settings map[string]any // of daemon.json, as of the engine's start

	containers map[string]*container // by name, without the slash
	networks   map[string]*Network
	volumes    map[string]*volume
	images     map[string]*image // by id
}

type container struct {
	Container
	image    *image
	log      []string
	stopped  bool      // by a person: not started again after a reboot
	since    time.Time // real time of the last start or end
	checked  time.Time // real time of the last health check
	failures int       // starts in a row that ended at once
	hash     string    // of compose
	loaded   string    // what Caddy said on :2020 when it loaded its configuration
	password string    // that Valkey asks for while it runs
	agents   []string  // agent hosts whose tokens that configuration knows
	runPolls bool      // their run tokens may poll
	runAll   bool      // and do all else
	shown    shown     // its certificate
}

type volume struct {
	Volume
	database *database // what PostgreSQL keeps in it
}

type image struct {
	Image
	files string // directory in the tree that holds what was copied into it
}

func newDocker(h *Host) *docker {
	d := &docker{h: h, mu: &h.fleet.engines, containers: map[string]*container{}, networks: map[string]*Network{}, volumes: map[string]*volume{}, images: map[string]*image{}}
	for name, driver := range map[string]string{"bridge": "bridge", "host": "host", "none": "null"} {
		n := &Network{
			Name: name, ID: hexID(), Created: h.stamp(), Scope: "local", Driver: driver, IPAM: IPAM{Driver: "default"},
			Containers: map[string]NetworkMember{}, Options: map[string]string{}, Labels: map[string]string{},
		}
		if name == "bridge" {
			n.IPAM.Config = []IPAMConfig{{"172.17.0.0/16", "172.17.0.1"}}
		}
		d.networks[name] = n
	}
	return d
}

func hexID() string {
	return strings.ReplaceAll(unix.RandomUUID()+unix.RandomUUID(), "-", "")
}

func (h *Host) stamp() string { return h.sys.Now().UTC().Format(time.RFC3339Nano) }

// Containers lists the host's containers as `docker inspect` shows them, by name.
func (h *Host) Containers() []Container {
	d := h.docker
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refresh()
	var out []Container
	for _, name := range slices.Sorted(maps.Keys(d.containers)) {
		out = append(out, d.containers[name].copy())
	}
	return out
}

// Volumes lists the names of the host's volumes.
func (h *Host) Volumes() []string {
	h.docker.mu.Lock()
	defer h.docker.mu.Unlock()
	return slices.Sorted(maps.Keys(h.docker.volumes))
}

// copy is deep enough that nobody sees a container change under him.
func (c *container) copy() Container {
	out := c.Container
	state, config, net := *c.State, *c.Config, *c.NetworkSettings
	if state.Health != nil {
		health := *state.Health
		health.Log = slices.Clone(health.Log)
		state.Health = &health
	}
	net.Networks = maps.Clone(net.Networks)
	out.State, out.Config, out.NetworkSettings = &state, &config, &net
	return out
}

func (c *container) short() string { return c.ID[:12] }

func (c *container) name() string { return strings.TrimPrefix(c.Name, "/") }

// Networks returns what `docker network inspect` shows of all networks but the engine's own.
func (h *Host) Networks() []Network {
	d := h.docker
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Network
	for _, name := range slices.Sorted(maps.Keys(d.networks)) {
		if !slices.Contains([]string{"bridge", "host", "none"}, name) {
			n := *d.networks[name]
			n.IPAM.Config, n.Options = slices.Clone(n.IPAM.Config), maps.Clone(n.Options)
			out = append(out, n)
		}
	}
	return out
}
