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
	// Scale says how many of what there is.
	Scale Scale `toml:"scale"`
	// Retention says how long things are kept in the database.
	Retention Retention `toml:"retention"`
	// Backup says how the database, the artifacts and the stack's secrets are backed up.
	Backup Backup `toml:"backup"`
	// Docker says where the engine comes from and which networks it makes.
	Docker Docker `toml:"docker"`

	doc *strict.Document
}

// Prefect is its version, and the base of the images that are built.
type Prefect struct {
	// Version of Prefect in server, agent and business logic; it decides what the defaults of images are.
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
	// URL of a database that is somewhere else, with user and password; then there is no container for it.
	URL strict.SecretRef `toml:"url"`
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
	// Path of a project with a lock of uv or Poetry; without it the built-in hello project.
	Path string `toml:"path"`
	// Execution is "bridge" (the agent has runs executed in the business-logic container) or "serve" (that container fetches them itself).
	Execution string `toml:"execution"`
	// API is what flows may do at the API: "flows" or "all".
	API string `toml:"api"`
	// StopGrace is how long running flows may take to end before their container is replaced.
	StopGrace time.Duration `toml:"stop_grace"`
	// CutRuns is what becomes of flows that are not ready by then: "crash" or "retry" (they begin again in the next container).
	CutRuns string `toml:"cut_runs"`
	// PickledResults says where kept results may be pickles, which run code where they are read: "own" (in the host's own container) or "any" (also in storages that others can write).
	PickledResults string `toml:"pickled_results"`
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

// What becomes of flows whose time to end is over.
const (
	CutCrash = "crash"
	CutRetry = "retry"
)

// Which results may be pickles where flows read them.
const (
	PicklesOwn = "own"
	PicklesAny = "any"
)

// Where an engine comes from.
const (
	DockerAuto     = "auto"
	DockerOfficial = "official"
	DockerDistro   = "distro"
	DockerPresent  = "present"
)

// Scale says how many of what there is.
type Scale struct {
	// Servers of Prefect that answer beside each other. More than one bring a container for what is done once, and Valkey, through which they talk.
	Servers int `toml:"servers"`
}

// Default is the built-in stack.
func Default() *Stack { return Of(files.Generations[0]) }

// Of is the stack of a generation with its defaults.
func Of(g generation.Generation) *Stack {
	s := &Stack{
		Dir:      ".",
		Name:     "prefect",
		Prefect:  Prefect{Version: g.Prefect, Image: g.Python, Settings: Settings{}},
		Postgres: Postgres{Image: g.Postgres},
		Caddy:    Caddy{Image: "caddy:2"},
		UI:       UI{User: "admin"},
		Agent:    Agent{Concurrency: 10, Queues: []string{defaultQueue}},
		BusinessLogic: BusinessLogic{
			Execution: ExecutionBridge,
			API:       APIFlows,
			StopGrace: 2 * time.Minute,
			CutRuns:   CutCrash,

			PickledResults: PicklesOwn,
		},
		Scale: Scale{Servers: 1},
		Backup: Backup{
			Enabled: true, At: "03:30", Verify: VerifyDaily, Image: "restic/restic:0.18.1",
			Keep: Keep{Daily: 7, Weekly: 4, Monthly: 6},
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
	s.Retention = Retention{Runs: Age(g.Retention.Runs), Events: Age(g.Retention.Events)}
	return s
}

// Generations are those that can be set up, the oldest first.
func Generations() []generation.Generation { return files.Generations }

// Versions are those of Prefect that can be set up.
func Versions() (all []string) {
	for _, g := range files.Generations {
		all = append(all, g.Prefect)
	}
	return all
}

const defaultQueue = "default"

// Names gives the names that belong to the stack.
func (s *Stack) Names() naming.Stack { return naming.Stack(s.Name) }

// Generation is that of the stack's Prefect.
func (s *Stack) Generation() generation.Generation {
	if g := generationOf(s.Prefect.Version); g != nil {
		return *g
	}
	return files.Generations[0] // a version that nobody knows is refused where the file is checked
}

func generationOf(version string) *generation.Generation {
	if n := slices.IndexFunc(files.Generations, func(g generation.Generation) bool { return g.Prefect == version }); n >= 0 {
		return &files.Generations[n]
	}
	return nil
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
