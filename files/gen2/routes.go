package gen2

import (
	"provision/files/generation"
	"provision/files/glue"
	"provision/files/naming"
)

var routes = generation.Routes{
	Server: serverPart.Name,
	Port:   serverPort,
	API:    "^/api/",
	Probes: "^/api/(health|ready)$",
	Ready:  "/api/ready",
	Closed: []string{"/api/admin/database", "/api/admin/database/*"},
	// The graph of a run compiles functions, and blocks have logos on other sites.
	Foreign: []string{"/docs", "/docs/*", "/redoc"},
	Policy: "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https:; font-src 'self' data:; " +
		"worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	Tokens: glue.Tokens(pollRoutes, runRoutes),
}

// greetings are what a client asks before anything else.
var greetings = []string{`csrf-token`, `health`, `ready`, `version`, `admin/version`, `hello`}

// pollRoutes: an agent reads its pool and queues, takes what is due, and reads what it needs to start it: the flow, its deployment and infrastructure block.
func pollRoutes() []generation.Route {
	pool := `work_pools/` + naming.Pool
	return []generation.Route{
		glue.NewRoute("poll", "GET", append([]string{
			pool + `(/queues/` + glue.Segment + `)?`,
			`(deployments|flows|flow_runs|block_documents)/` + glue.UUID,
		}, greetings...)...),
		glue.NewRoute("poll", "POST",
			`flow_runs/filter`, `flow_runs/`+glue.UUID+`/set_state`,
			pool+`/(get_scheduled_flow_runs|queues/filter)`),
		glue.NewRoute("poll", "PATCH", `flow_runs/`+glue.UUID),
	}
}

// runRoutes: flow runs report on themselves, their tasks and subflows, load blocks and variables, start deployments, take concurrency slots, wait for input and leave artifacts.
func runRoutes() []generation.Route {
	return []generation.Route{
		glue.NewRoute("run", "GET", append([]string{
			`(deployments|flows|flow_runs|task_runs|block_documents|artifacts)/` + glue.UUID,
			`deployments/name/` + glue.Segment + `/` + glue.Segment,
			`(flows|variables)/name/` + glue.Segment,
			`block_types/slug/` + glue.Segment + `(/block_documents(/name/` + glue.Segment + `)?)?`,
			`block_schemas/checksum/` + glue.Segment,
			`(flow|task)_run_states/`,
			`flow_runs/` + glue.UUID + `/input/` + glue.Segment,
			`artifacts/` + glue.Segment + `/latest`,
			`concurrency_limits/tag/` + glue.Segment,
			`v2/concurrency_limits/` + glue.Segment,
			`work_pools/` + naming.Pool + `(/queues/` + glue.Segment + `)?`,
		}, greetings...)...),
		glue.NewRoute("run", "POST",
			`(flows|flow_runs|task_runs|logs|artifacts)/`,
			`(flows|flow_runs|task_runs|deployments|logs|artifacts|artifacts/latest|variables|concurrency_limits|v2/concurrency_limits)/filter`,
			`(flow|task)_runs/`+glue.UUID+`/set_state`,
			`flow_runs/`+glue.UUID+`/(resume|input|input/filter)`,
			`deployments/`+glue.UUID+`/create_flow_run`,
			`v2/concurrency_limits/(increment|decrement)`),
		glue.NewRoute("run", "PATCH", `(flow|task)_runs/`+glue.UUID),
	}
}
