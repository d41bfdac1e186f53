package gen3

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

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
	Closed: []string{"/api/admin/database", "/api/admin/database/*"}, // of former versions, and never again
	// The pages about the API bring scripts of another site. Both user interfaces compile functions.
	Foreign: []string{"/docs", "/docs/*", "/redoc", "/api/docs", "/api/redoc"},
	Policy: "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https:; font-src 'self' data:; " +
		"worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	Tokens: glue.Tokens(func() []generation.Route { return allowed("poll") }, func() []generation.Route { return allowed("run") }),
}

// operationsText says of every operation of the API who may ask for it. The build of the image compares it with the installed Prefect.
//
//go:embed prefect/operations.txt
var operationsText string

// operation is a line of the table.
type operation struct {
	method, path string
	who          []string
}

// operations reads the table. It panics on a line that is none: a test reads it.
func operations() (all []operation) {
	for line := range strings.Lines(operationsText) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		switch len(words) {
		case 0:
			continue
		case 3:
			all = append(all, operation{words[0], words[1], strings.Split(words[2], ",")})
		default:
			panic(fmt.Sprintf("operations.txt: %q", line))
		}
	}
	return all
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// pattern is the operation's path below /api/ as a regular expression.
func (o operation) pattern() string {
	var out strings.Builder
	path, at := strings.TrimPrefix(o.path, "/"), 0
	for _, p := range parameter.FindAllStringIndex(path, -1) {
		out.WriteString(regexp.QuoteMeta(path[at:p[0]]))
		switch _, kind, _ := strings.Cut(path[p[0]+1:p[1]-1], ":"); kind {
		case "uuid":
			out.WriteString(glue.UUID)
		case "pool":
			out.WriteString(naming.Pool)
		case "":
			out.WriteString(glue.Segment)
		default:
			panic(fmt.Sprintf("operations.txt: %s has a parameter of kind %s", o.path, kind))
		}
		at = p[1]
	}
	out.WriteString(regexp.QuoteMeta(path[at:]))
	return out.String()
}

// allowed is what the holder of a kind of token may ask for.
func allowed(kind string) (out []generation.Route) {
	paths := map[string][]string{}
	for _, o := range operations() {
		method := o.method
		if method == "WEBSOCKET" {
			method = "GET"
		}
		if slices.Contains(o.who, kind) || slices.Contains(o.who, "all") {
			paths[method] = append(paths[method], o.pattern())
		}
	}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		if paths[method] != nil {
			out = append(out, glue.NewRoute(kind, method, paths[method]...))
		}
	}
	return out
}
