package glue

import (
	"strings"

	"provision/files/generation"
)

// Patterns of parts of a path.
const (
	UUID    = `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	Segment = `[^/]+`
)

// NewRoute is what a kind of token may ask for with one method: the alternatives, below /api/.
func NewRoute(kind, method string, paths ...string) generation.Route {
	return generation.Route{Name: kind + "-" + strings.ToLower(method), Method: method, Path: `^/api/(` + strings.Join(paths, "|") + `)$`}
}

// Tokens are the two kinds. Where flows are fetched by what executes them (serve), the run token does the work of both.
func Tokens(poll, run func() []generation.Route) func(all, serve bool) []generation.TokenRoutes {
	return func(all, serve bool) []generation.TokenRoutes {
		polls := generation.TokenRoutes{Kind: "poll", Allow: poll()}
		runs := generation.TokenRoutes{Kind: "run", Allow: run()}
		if serve {
			for n, r := range runs.Allow {
				for _, also := range polls.Allow {
					if also.Method == r.Method {
						runs.Allow[n].Path += "|" + also.Path
					}
				}
			}
		}
		if all {
			runs = generation.TokenRoutes{Kind: "run", All: true}
		}
		return []generation.TokenRoutes{polls, runs}
	}
}
