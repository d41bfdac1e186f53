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
	r := &Route{Host: "worker-1", Container: "prefect-agent", After: []ID{{"prefect", "caddy", "configuration"}}}
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
