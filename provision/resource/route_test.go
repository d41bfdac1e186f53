package resource

import "testing"

// answered is a world in which a fact is known, and nothing else is asked for.
type answered struct {
	World
	json string
}

func (a answered) Fact(ID) (Record, Know) {
	return Record{Fields: map[string]string{"json": a.json}}, Yes
}

// TestRouteProblems has what an agent may say of its way to the server, and where to look then.
func TestRouteProblems(t *testing.T) {
	t.Parallel()
	r := &Route{Host: "worker-1", Container: "prefect-agent", Entrance: "prefect-caddy", After: []ID{{"prefect", "caddy", "configuration"}}}
	for answer, want := range map[string]Problem{
		`{"ok": true}`: {},
		`{"ok": false, "error": "GET /work_pools gives 401"}`: {What: "GET /work_pools gives 401", Hint: "see what Caddy says on prefect: docker logs --tail 50 prefect-caddy"},
		``: {What: "the agent's container could not ask", Hint: "see its last lines on worker-1: docker logs --tail 50 prefect-agent"},
	} {
		got := append(r.Check(answered{json: answer}), Problem{})[0]
		if got.What != want.What || got.Hint != want.Hint {
			t.Errorf("%q: %+v", answer, got)
		}
	}
}

// TestRouteProved wants named what was tried, and nothing else.
func TestRouteProved(t *testing.T) {
	t.Parallel()
	r := &Route{Host: "worker-1", Container: "prefect-agent"}
	const wrong = `"token with one character changed": [401, 401]`
	for answer, want := range map[string][2]string{
		`{"ok": true, "deep": {` + wrong + `, "write to deployments": [403, 403]}}`:      {"through Caddy: its queue answers; with a wrong token 401; a write to deployments 403", ""},
		`{"ok": true, "deep": {` + wrong + `}}`:                                          {"through Caddy: its queue answers; with a wrong token 401", ""},
		`{"ok": true}`:                                                                   {"", "the agent's container did not try a wrong token"},
		`{"ok": false, "error": "no token gives 200, not 401", "deep": {` + wrong + `}}`: {"", "no token gives 200, not 401"},
		``: {"", "the agent's container could not ask"},
	} {
		if tried, problem := r.Proved(answer); tried != want[0] || problem != want[1] {
			t.Errorf("%s: %q, %q", answer, tried, problem)
		}
	}
}
