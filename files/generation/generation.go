package generation

import (
	"strings"

	"provision/files/buildcontext"
)

// Generation is a version of Prefect and the stack that runs it.
type Generation struct {
	// Prefect is the version that the images are locked to, as stack files name it.
	Prefect string
	// Says is what speaks for it or against it, in a line.
	Says string
	// Python and Postgres are the images of stack files that name no others.
	Python, Postgres string
	// Ended are what gets no more updates from its makers.
	Ended []Ended
	Parts Parts
	// Glue are the programs that provision runs in the containers.
	Glue Glue
	// Routes says what may be asked for at the entrance, and by whom.
	Routes Routes
	// Owned are the settings of Prefect that the stack stands on, with what provision does about them.
	Owned map[string]string
	// Zones are the time zones that schedules may have.
	Zones Zones
	// Project says what is wrong with the project of the user's flows in dir, which is shown as the user wrote it, where it is installed into
	// that image of Python; "" if nothing is.
	Project func(dir, shown, python string) (problem, hint string)
	// ProjectHint is what such a directory is, and Hello the entrypoint of the flow in the built-in project.
	ProjectHint, Hello string
	// Retention is how long things are kept where a stack does not say; Events is 0 where there are none.
	Retention Retention
	// CutRuns says that a run which is cut off can begin again in the next container.
	CutRuns bool
	// Servers is how many of its servers there can be beside each other.
	Servers int
	// OldestDatabase is the oldest PostgreSQL elsewhere that can hold its data, as PostgreSQL counts (140009 is 14.9), and DatabaseDriver what the server
	// speaks to it with; 0 says that it has a database of its own only.
	OldestDatabase int
	DatabaseDriver string
	// FurtherServer is the memory that each of them but the first needs, and BetweenServers what all need together to be several, in MiB.
	FurtherServer, BetweenServers int
	// Build gives the build context of one of the images that are built on hosts. It reads the user's project.
	Build func(image string, in BuildInput) (buildcontext.Context, error)
}

// Major is the first number of its Prefect: people call the generation by it.
func (g Generation) Major() string {
	major, _, _ := strings.Cut(g.Prefect, ".")
	return major
}

// Ended is something that gets no more updates from its makers.
type Ended struct {
	Name  string
	Image string // part of the name of an image that has it; "" is the generation itself
}

// Glue are programs of the images, as a shell runs them. What they take and answer is the same in all generations.
type Glue struct {
	Observe  string // in the server: --stack STACK --pool POOL; it answers with what is registered, as JSON
	Pool     string // in the server: the pool and its queues, as JSON
	Register string // in the server: the deployments and their flows on standard input, as JSON
	Smoke    string // in the server: AGENT-HOST --timeout SECONDS; it answers how the run went, as JSON
	Check    string // on agent hosts: [--deep]; it answers what the API says to the host's token, as JSON
	// Smokes is the entrypoint of the flow that Smoke runs.
	Smokes string
}

// Zones are time zones.
type Zones struct {
	Names  []string
	Year   int               // of the list
	Former map[string]string // names in the list for zones that have been named or made since: with its rules they have the same time
}

// BuildInput is what images are built from.
type BuildInput struct {
	Base           string // a Python image, under the name by which the host has it: a mirror is no part of it
	Caddy          string // the image of Caddy
	Postgres       string // the image of PostgreSQL
	Restic         string // the image of restic
	CACertificates []byte // PEM, trusted in the build and in the image beside the base's own
	Project        string // directory of the flows' project; "" is the built-in one
}
