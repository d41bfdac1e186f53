package resource

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"provision/remote"
)

// Route is the way from an agent host to the API, seen from inside the agent's own container:
// through Caddy, with its certificate checked and its token used.
type Route struct {
	Host, Container string
	Queue           string
	Ask             string // generation.Glue.Check
	Entrance        string // the container of Caddy, on its host
	After           []ID
}

var (
	_ Resource = (*Route)(nil)
	_ Checker  = (*Route)(nil)
)

func (r *Route) ID() ID { return ID{r.Host, "route", "to the server"} }

func (r *Route) Needs() []ID                            { return append([]ID{ServiceID(r.Host, r.Container)}, r.After...) }
func (r *Route) Diff(World) []Change                    { return nil }
func (r *Route) Do(context.Context, *Run, Change) error { return nil }

func (r *Route) Probe(s *Script) {
	inside(s)
	// Whatever comes back is an answer for Check; nothing is planned from it.
	s.Concurrent(r.ID(), fmt.Sprintf(`if inside %s %s; then v json "$x"; else v json ''; fi; yes`, remote.Quote(r.Container), r.Ask))
}

// routeAnswer is the answer of Route.Ask.
type routeAnswer struct {
	OK    bool              `json:"ok"`
	Error string            `json:"error"`
	Again bool              `json:"again"` // no answer came; asked again, one may come
	Deep  map[string][2]int `json:"deep"`  // what was tried: the status seen, and the one that is right
}

func routeProblem(answer string) string {
	var a routeAnswer
	switch err := json.Unmarshal([]byte(answer), &a); {
	case answer == "":
		return "the agent's container could not ask"
	case err != nil:
		return "the answer of the agent's container is not understood: " + firstLine(answer)
	case !a.OK:
		return remote.Sanitize(a.Error)
	}
	return ""
}

func (r *Route) Check(w World) []Problem {
	rec, _ := w.Fact(r.ID())
	p := routeProblem(rec.Fields["json"])
	if p == "" {
		return nil
	}
	hint := fmt.Sprintf("see its last lines on %s: docker logs --tail 50 %s", r.Host, r.Container)
	for _, id := range r.After {
		if id.Kind == "caddy" && rec.Fields["json"] != "" {
			hint = fmt.Sprintf("see what Caddy says on %s: docker logs --tail 50 %s", id.Host, r.Entrance)
		}
	}
	return []Problem{{ID: r.ID(), What: p, Hint: hint}}
}

// Unanswered tells whether the question got no answer, which another time it may get: a busy machine takes its time.
func (r *Route) Unanswered(w World) bool {
	rec, know := w.Fact(r.ID())
	return know == Yes && Unanswered(rec.Fields["json"])
}

// Unanswered is Route.Unanswered of an answer.
func Unanswered(answer string) bool {
	var a routeAnswer
	return answer == "" || json.Unmarshal([]byte(answer), &a) == nil && !a.OK && a.Again
}

// Prove is the part of verify that is too slow for every run: what a token opens and what it does
// not.
func (r *Route) Prove() (script string) {
	return fmt.Sprintf("timeout 100 docker exec %s %s --deep || true", remote.Quote(r.Container), r.Ask)
}

// Proved reads the answer to Prove: what was tried and went as it should, or what is wrong.
func (r *Route) Proved(answer string) (tried, problem string) {
	if problem = routeProblem(answer); problem != "" {
		return "", problem
	}
	var a routeAnswer
	_ = json.Unmarshal([]byte(answer), &a) // routeProblem did
	tried = "through Caddy: its queue answers"
	for _, t := range []struct{ name, told string }{{wrongToken, "; with a wrong token 401"}, {write, "; a write to deployments 403"}} {
		if _, ok := a.Deep[t.name]; ok {
			tried += t.told
		} else if t.name == wrongToken {
			return "", "the agent's container did not try a wrong token"
		}
	}
	return tried, ""
}

// The names of two attempts of Route.Ask. The write is not tried where flows may do it.
const (
	wrongToken = "token with one character changed"
	write      = "write to deployments"
)

// SmokePatience is how long a run of the built-in flow may take with all that it waits for. smokeStep is how long it may stay in
// one state: Scheduled, which an agent that does not fetch it leaves it in, Pending, Running.
const (
	SmokePatience = 15 * time.Minute
	smokeStep     = 4 * time.Minute
)

// SmokeScript runs the built-in flow on one agent host, from inside the server's container, and
// prints the outcome. The command is generation.Glue.Smoke.
func SmokeScript(server, command, host string) string {
	most := SmokePatience - time.Minute
	return fmt.Sprintf("timeout %.0f docker exec %s %s %s --timeout %.0f", most.Seconds(), remote.Quote(server), command, remote.Quote(host), smokeStep.Seconds())
}
