package files

import (
	"strings"

	"provision/files/naming"
)

// tokenRoutes is what the holder of one kind of token may do at the API. Everything else is refused: a token that may write deployments, blocks or pools
// can run code on every agent host.
type tokenRoutes struct {
	Kind  string
	All   bool // the whole API, but for what is closed to everyone
	Allow []route
}

type route struct {
	Name, Method, Path string // Path is a regular expression for the whole path
}

const (
	anyUUID = `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	segment = `[^/]+`
)

// tokenKinds are the two kinds. Where flows are fetched by what executes them (serve), the run token does the work of both.
func tokenKinds(all, serve bool) []tokenRoutes {
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
		run = tokenRoutes{Kind: "run", All: true}
	}
	return []tokenRoutes{poll, run}
}

func newRoute(kind, method string, paths ...string) route {
	return route{Name: kind + "-" + strings.ToLower(method), Method: method, Path: `^/api/(` + strings.Join(paths, "|") + `)$`}
}

// What a client asks before anything else.
var greetings = []string{`csrf-token`, `health`, `ready`, `version`, `admin/version`, `hello`}

// An agent reads its pool and queues, takes what is due, and reads what it needs to start it: the flow, its deployment and infrastructure block.
func pollRoutes() tokenRoutes {
	pool := `work_pools/` + naming.Pool
	return tokenRoutes{Kind: "poll", Allow: []route{
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

// Flow runs report on themselves, their tasks and subflows, load blocks and variables, start deployments, take concurrency slots, wait for input and leave artifacts.
func runRoutes() tokenRoutes {
	return tokenRoutes{Kind: "run", Allow: []route{
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
