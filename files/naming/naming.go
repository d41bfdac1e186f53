// Package naming gives every name that belongs to a stack: of its containers, projects, networks, volumes, images and
// directories on hosts, and of its pool and queues in Prefect. No other package puts such a name together, so a name
// changes here or nowhere. Hosts keep what was made under a name: a change of one is a migration.
package naming

import "strconv"

// Root is the directory of provision on every host.
const Root = "/var/lib/provision"

// Labels of what belongs to a stack at the engine: whose it is, and what a container runs with.
const (
	LabelStack      = "provision.stack"
	LabelID         = "provision.id"
	LabelDefinition = "provision.definition"
	LabelMounts     = "provision.mounts"
)

// Users of the containers, and groups of the same number. An account of a host with one of these numbers is warned of.
const (
	PrefectUID  = "10001"
	CaddyUID    = "10002"
	PostgresUID = "999"
	RootUID     = "0"
)

// UID is the user of a container that is of none of these programs: 3 and higher, each number for one program.
func UID(n int) string { return strconv.Itoa(10000 + n) }

// Pool is the work pool of every stack.
const Pool = "provision"

// The roles of hosts, as inventories give them.
const (
	RoleServer = "server"
	RoleAgent  = "agent"
)

// Network is a kind of network; subnets in stack files have the same names.
type Network string

// The networks of a stack.
const (
	ServerNetwork   Network = "server"   // Caddy and the Prefect server
	DatabaseNetwork Network = "database" // the Prefect server and its database; it leads nowhere else
	AgentNetwork    Network = "agent"    // of an agent host
)

// Internal says that nothing outside of the host is reached from a network.
func (n Network) Internal() bool { return n == DatabaseNetwork }

// Volume is what a volume is for.
type Volume string

// The volumes of a stack.
const (
	PostgresVolume  Volume = "postgres"
	ArtifactsVolume Volume = "artifacts"
	CaddyVolume     Volume = "caddy"
)

// Volumes are all of them.
var Volumes = []Volume{PostgresVolume, ArtifactsVolume, CaddyVolume}

// HostQueuePrefix begins the queues that belong to one host each. Queues of users do not begin with it.
const HostQueuePrefix = "host-"

// HostQueue is the work queue that only the agent of this host polls.
func HostQueue(host string) string { return HostQueuePrefix + host }

// Hostname is that of a service's container on an agent host. Prefect records the agent's with each run that it
// submits, so that whose runs are running stays known when the container is another one.
func Hostname(service, host string) string { return service + "-" + host }

// Replica is the service of the nth of several containers of a part, from 1. The first has the part's own name, so that
// one is called as it was before there could be several.
func Replica(part string, n int) string {
	if n == 1 {
		return part
	}
	return part + "-" + strconv.Itoa(n)
}

// Stack is the name of a stack, which its file gives.
type Stack string

// Dir is the stack's directory on every host.
func (s Stack) Dir() string { return Root + "/" + string(s) }

// RoleDir is the directory of a role's Compose project, and of all that it mounts.
func (s Stack) RoleDir(role string) string { return s.Dir() + "/" + role }

// Backups is the directory of the stack's backups on the server host. It lies outside of the stack's own, so that nothing that cleans up there
// takes the backups along, whatever its version.
func (s Stack) Backups() string { return "/var/backups/provision-" + string(s) }

// Project is the Compose project of a role.
func (s Stack) Project(role string) string { return string(s) + "-" + role }

// Container is the container of a service.
func (s Stack) Container(service string) string { return string(s) + "-" + service }

// Image is the repository of an image that is built for the stack on its hosts.
func (s Stack) Image(kind string) string { return string(s) + "-" + kind }

// Network is the stack's Docker network of a kind.
func (s Stack) Network(n Network) string { return string(s) + "-" + string(n) + "-network" }

// Volume is the stack's Docker volume for something.
func (s Stack) Volume(v Volume) string { return string(s) + "-" + string(v) }

// Tag marks what the stack registered in Prefect.
func (s Stack) Tag() string { return "provision:" + string(s) }
