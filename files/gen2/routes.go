package gen2

import (
	"strings"

	"provision/files/generation"
	"provision/files/naming"
)

const (
	anyUUID = `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	segment = `[^/]+`
)

var routes = generation.Routes{
	Server: serverPart.Name,
	Port:   serverPort,
	API:    "^/api/",
	Probes: "^/api/(health|ready)$",
	Closed: []string{"/api/admin/database", "/api/admin/database/*"},
	// The graph of a run compiles functions, and blocks have logos on other sites.
	Foreign: []string{"/docs", "/docs/*", "/redoc"},
	Policy: "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https:; font-src 'self' data:; " +
		"worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	Tokens: tokens,
}

// tokens are the two kinds. Where flows are fetched by what executes them (serve), the run token does the work of both.
func tokens(all, serve bool) []generation.TokenRoutes {
	poll, run := pollRoutes(), runRoutes()
	if serve {
		for n, r := range run.Allow {
			for _, also := range poll.Allow {
				if also.Method == r.Method {
					run.Allow[n].Path += "|" + also.Path
				}
			}
		}
	}
	if all {
		run = generation.TokenRoutes{Kind: "run", All: true}
	}
	return []generation.TokenRoutes{poll, run}
}

func newRoute(kind, method string, paths ...string) generation.Route {
	return generation.Route{Name: kind + "-" + strings.ToLower(method), Method: method, Path: `^/api/(` + strings.Join(paths, "|") + `)$`}
}

// greetings are what a client asks before anything else.
var greetings = []string{`csrf-token`, `health`, `ready`, `version`, `admin/version`, `hello`}

// pollRoutes: an agent reads its pool and queues, takes what is due, and reads what it needs to start it: the flow, its deployment and infrastructure block.
func pollRoutes() generation.TokenRoutes {
	pool := `work_pools/` + naming.Pool
	return generation.TokenRoutes{Kind: "poll", Allow: []generation.Route{
		newRoute("poll", "GET", append([]string{
			pool + `(/queues/` + segment + `)?`,
			`(deployments|flows|flow_runs|block_documents)/` + anyUUID,
		}, greetings...)...),
		newRoute("poll", "POST",
			`flow_runs/filter`, `flow_runs/`+anyUUID+`/set_state`,
			pool+`/(get_scheduled_flow_runs|queues/filter)`),
		newRoute("poll", "PATCH", `flow_runs/`+anyUUID),
	}}
}

// runRoutes: flow runs report on themselves, their tasks and subflows, load blocks and variables, start deployments, take concurrency slots, wait for input and leave artifacts.
func runRoutes() generation.TokenRoutes {
	return generation.TokenRoutes{Kind: "run", Allow: []generation.Route{
		newRoute("run", "GET", append([]string{
			`(deployments|flows|flow_runs|task_runs|block_documents|artifacts)/` + anyUUID,
			`deployments/name/` + segment + `/` + segment,
			`(flows|variables)/name/` + segment,
			`block_types/slug/` + segment + `(/block_documents(/name/` + segment + `)?)?`,
			`block_schemas/checksum/` + segment,
			`(flow|task)_run_states/`,
			`flow_runs/` + anyUUID + `/input/` + segment,
			`artifacts/` + segment + `/latest`,
			`concurrency_limits/tag/` + segment,
			`v2/concurrency_limits/` + segment,
			`work_pools/` + naming.Pool + `(/queues/` + segment + `)?`,
		}, greetings...)...),
		newRoute("run", "POST",
			`(flows|flow_runs|task_runs|logs|artifacts)/`,
			`(flows|flow_runs|task_runs|deployments|logs|artifacts|artifacts/latest|variables|concurrency_limits|v2/concurrency_limits)/filter`,
			`(flow|task)_runs/`+anyUUID+`/set_state`,
			`flow_runs/`+anyUUID+`/(resume|input|input/filter)`,
			`deployments/`+anyUUID+`/create_flow_run`,
			`v2/concurrency_limits/(increment|decrement)`),
		newRoute("run", "PATCH", `(flow|task)_runs/`+anyUUID),
	}}
}
