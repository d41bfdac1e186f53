// Package stack says what runs: versions, images, the user's flows and their deployments.
// This part reads stack.toml strictly, reports every mistake with its line, and checks the stack against the inventory.
// It renders nothing and dials nothing.
package stack

import (
	"net/netip"
	"slices"
	"time"

	"provision/files"
	"provision/files/generation"
	"provision/files/naming"
	"provision/inventory"
	"provision/inventory/strict"
)

// Stack is a file like stack.toml after Load: checked, with defaults filled in and paths ready to open.
type Stack struct {
	// File is the stack's path, as it was given; empty for the built-in stack.
	File string `toml:"-"`
	// Dir is what relative paths in the file count from.
	Dir string `toml:"-"`
	// Packed are the warnings about what the flows' image would hold; Bind finds them.
	Packed []string `toml:"-"`

	// Name is in the names of containers, volumes and networks. There is one stack per host.
	Name string `toml:"name"`
	// Prefect is its version, and the base of the images that are built.
	Prefect Prefect `toml:"prefect"`
	// Postgres is the database.
	Postgres Postgres `toml:"postgres"`
	// Caddy is the proxy in front of the server.
	Caddy Caddy `toml:"caddy"`
	// UI is the login for browsers.
	UI UI `toml:"ui"`
	// Agent has the defaults of all agent hosts.
	Agent Agent `toml:"agent"`
	// BusinessLogic is the user's project with flows.
	BusinessLogic BusinessLogic `toml:"business_logic"`
	// Deployments are the flows that can be run, and when they are.
	Deployments []Deployment `toml:"deployments"`
	// Docker says where the engine comes from and which networks it makes.
	Docker Docker `toml:"docker"`

	doc *strict.Document
}

// Prefect is its version, and the base of the images that are built.
type Prefect struct {
	// Version of Prefect in server, agent and business logic.
	Version string `toml:"version"`
	// Image is the Python image that server, agent and business logic are built on.
	Image string `toml:"image"`
	// Settings are further PREFECT_ settings of the server.
	Settings Settings `toml:"settings"`
}

// Postgres is the database.
type Postgres struct {
	// Image of PostgreSQL. Another major version does not read the data of this one.
	Image string `toml:"image"`
}

// Caddy is the proxy in front of the server.
type Caddy struct {
	// Image of Caddy.
	Image string `toml:"image"`
}

// UI is the login for browsers.
type UI struct {
	// User is the name to log in with.
	User string `toml:"user"`
	// Password to log in with; without it one is born on the server, and `provision credentials` shows it.
	Password strict.SecretRef `toml:"password"`
}

// Agent has the defaults of all agent hosts.
type Agent struct {
	// Concurrency is how many flow runs one host executes at once.
	Concurrency int `toml:"concurrency"`
	// Queues are the shared queues that every agent polls, besides the host's own.
	Queues []string `toml:"queues"`
}

// BusinessLogic is the user's project with flows.
type BusinessLogic struct {
	// Path of a Poetry project; without it the built-in hello project.
	Path string `toml:"path"`
	// Execution is "bridge" (the agent has runs executed in the business-logic container) or "serve" (that container fetches them itself).
	Execution string `toml:"execution"`
	// API is what flows may do at the API: "flows" or "all".
	API string `toml:"api"`
	// StopGrace is how long running flows may take to end before their container is replaced.
	StopGrace time.Duration `toml:"stop_grace"`
}

// Deployment makes one flow runnable.
type Deployment struct {
	// Flow is the file within the project and the function in it: "hello.py:hello".
	Flow string `toml:"flow"`
	// Name tells the deployments of one flow apart; default "default".
	Name string `toml:"name"`
	// Queue that its runs wait in; default "default". "host-NAME" is the own queue of the agent host NAME.
	Queue string `toml:"queue"`
	// Schedule on which it runs by itself; without it runs are started by hand.
	//
	// It is nil if there is none.
	Schedule *Schedule `toml:"schedule"`
	// Parameters given to the function, of the types that JSON knows.
	Parameters map[string]any `toml:"parameters"`
	// Tags of the deployment and of its runs.
	Tags []string `toml:"tags"`
}

// Schedule is either a cron line with its time zone or an interval.
type Schedule struct {
	// Cron has five fields: minute, hour, day of month, month, day of week.
	Cron string `toml:"cron"`
	// Timezone of the cron line, a name like "Europe/Berlin"; default "UTC".
	Timezone string `toml:"timezone"`
	// Interval between two runs.
	Interval time.Duration `toml:"interval"`
}

// Docker says where the engine comes from and which networks it makes.
type Docker struct {
	// Source of an engine where there is none: "auto", "official", "distro" or "present".
	Source string `toml:"source"`
	// Key is the fingerprint of the key that signs the inventory's docker_repository, where its owner signs it again;
	// without it Docker's own key.
	Key string `toml:"key"`
	// Subnets of the stack's networks, given so that nothing else moves.
	Subnets Subnets `toml:"subnets"`
}

// Subnets of the stack's networks, IPv4.
type Subnets struct {
	// Server is Caddy's and Prefect server's network.
	Server netip.Prefix `toml:"server"`
	// Database is PostgreSQL's and Prefect server's network, without a way out.
	Database netip.Prefix `toml:"database"`
	// Agent is the network of agent and business logic.
	Agent netip.Prefix `toml:"agent"`
}

// The ways to execute flows, and what they may do at the API.
const (
	ExecutionBridge = "bridge"
	ExecutionServe  = "serve"
	APIFlows        = "flows"
	APIAll          = "all"
)

// Where an engine comes from.
const (
	DockerAuto     = "auto"
	DockerOfficial = "official"
	DockerDistro   = "distro"
	DockerPresent  = "present"
)

// Default is the built-in stack.
func Default() *Stack {
	first := files.Generations[0]
	return &Stack{
		Dir:      ".",
		Name:     "prefect",
		Prefect:  Prefect{Version: first.Prefect, Image: first.Python, Settings: Settings{}},
		Postgres: Postgres{Image: first.Postgres},
		Caddy:    Caddy{Image: "caddy:2"},
		UI:       UI{User: "admin"},
		Agent:    Agent{Concurrency: 10, Queues: []string{defaultQueue}},
		BusinessLogic: BusinessLogic{
			Execution: ExecutionBridge,
			API:       APIFlows,
			StopGrace: 2 * time.Minute,
		},
		Docker: Docker{
			Source: DockerAuto,
			Subnets: Subnets{
				Server:   netip.MustParsePrefix("10.210.0.0/24"),
				Database: netip.MustParsePrefix("10.210.1.0/24"),
				Agent:    netip.MustParsePrefix("10.210.2.0/24"),
			},
		},
	}
}

const defaultQueue = "default"

// Names gives the names that belong to the stack.
func (s *Stack) Names() naming.Stack { return naming.Stack(s.Name) }

// Generation is that of the stack's Prefect.
func (s *Stack) Generation() generation.Generation {
	n := slices.IndexFunc(files.Generations, func(g generation.Generation) bool { return g.Prefect == s.Prefect.Version })
	return files.Generations[max(n, 0)] // a version that nobody knows is refused where the file is checked
}

// Queues are the shared queues that the host polls: its own list, else the stack's.
func (s *Stack) Queues(h *inventory.Host) []string {
	if h.Queues != nil {
		return h.Queues
	}
	return s.Agent.Queues
}

// Concurrency is how many flow runs the host executes at once.
func (s *Stack) Concurrency(h *inventory.Host) int {
	if h.Concurrency > 0 {
		return h.Concurrency
	}
	return s.Agent.Concurrency
}
