package resource

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"provision/remote"
)

// PrefectState is what the Prefect server says of itself, asked from inside its own container.
// Others compare with it; it is never changed by itself.
type PrefectState struct {
	Host, Container string
	Stack, Pool     string
	Ask             string // generation.Glue.Observe
}

var (
	_ Resource = (*PrefectState)(nil)
	_ Checker  = (*PrefectState)(nil)
)

// PrefectID is the ID of the Prefect server's state.
func PrefectID(host string) ID { return ID{host, "prefect", "state"} }

func (p *PrefectState) ID() ID      { return PrefectID(p.Host) }
func (p *PrefectState) Needs() []ID { return []ID{ServiceID(p.Host, p.Container)} }

func (p *PrefectState) Probe(s *Script) {
	inside(s)
	s.Concurrent(p.ID(), remote.Args(append(strings.Fields(p.Ask), "--stack", p.Stack, "--pool", p.Pool)...)+scripts.With("prefect_probe", "c", p.Container))
}

func (p *PrefectState) Diff(World) []Change                    { return nil }
func (p *PrefectState) Do(context.Context, *Run, Change) error { return nil }

// observed is the answer of PrefectState.Ask.
type observed struct {
	Error       string `json:"error"`
	Pool        part   `json:"pool"`
	Queues      part   `json:"queues"`
	Deployments part   `json:"deployments"`
	Record      part   `json:"registration"`
	Runs        part   `json:"runs"`
	Automations part   `json:"automations"`

	pool *struct {
		Name string `json:"name"`
	}
	queues []struct {
		Name string `json:"name"`
	}
	deployments []struct {
		Entrypoint string   `json:"entrypoint"`
		Name       string   `json:"name"`
		Tags       []string `json:"tags"`
	}
	record *string
	// automations of ours that differ, with why.
	automations map[string]string
}

// runs are the flow runs in flight by executor and state; ok is false where that is not known.
func (o *observed) runs() (hosts map[string]map[string]int, ok bool) {
	var r struct {
		Hosts map[string]map[string]int `json:"hosts"`
	}
	ok = json.Unmarshal(o.Runs, &r) == nil && r.Hosts != nil
	return r.Hosts, ok
}

// part is one part of the answer, or {"error": ...} where it could not be read.
type part = json.RawMessage

func (o *observed) decode() error {
	for _, p := range []struct {
		name string
		from part
		to   any
	}{{"pool", o.Pool, &o.pool}, {"queues", o.Queues, &o.queues}, {"deployments", o.Deployments, &o.deployments}, {"registration", o.Record, &o.record}, {"automations", o.Automations, &o.automations}} {
		if p.name == "automations" && len(p.from) == 0 {
			continue // an image of a former version does not say; its successor does
		}
		var failed struct{ Error string }
		if json.Unmarshal(p.from, &failed) == nil && failed.Error != "" {
			return fmt.Errorf("%s: %s", p.name, remote.Sanitize(failed.Error))
		}
		if err := json.Unmarshal(p.from, p.to); err != nil {
			return fmt.Errorf("the answer about the %s is not understood", p.name)
		}
	}
	return nil
}

// prefect is the state as it was read. Unknown also means that the server runs and does not answer.
func prefect(w World, host string) (observed, Know, string) {
	type answer struct {
		observed
		Know
		why string
	}
	a := parsed(w, "prefect", host, func() answer {
		o, know, why := parsePrefect(w, host)
		return answer{o, know, why}
	})
	return a.observed, a.Know, a.why
}

func parsePrefect(w World, host string) (observed, Know, string) {
	var o observed
	rec, know := w.Fact(PrefectID(host))
	if know != Yes {
		return o, know, rec.Why
	}
	if err := json.Unmarshal([]byte(rec.Fields["json"]), &o); err != nil {
		return o, Unknown, "the answer of the server's container is not understood: " + firstLine(rec.Fields["json"])
	}
	if o.Error != "" {
		return o, Unknown, remote.Sanitize(o.Error)
	}
	if err := o.decode(); err != nil {
		return o, Unknown, err.Error()
	}
	return o, Yes, ""
}

// WhyUnknown says why the server's answer cannot be used.
func (p *PrefectState) WhyUnknown(w World) string {
	if _, know, why := prefect(w, p.Host); know == Unknown {
		return why
	}
	return ""
}

func (p *PrefectState) Check(w World) []Problem {
	if _, know, why := prefect(w, p.Host); know != Yes {
		return []Problem{{ID: p.ID(), What: "Prefect gave no answer", Evidence: why, Hint: "see its last lines: docker logs --tail 50 " + p.Container}}
	}
	return nil
}

// Pool is Prefect's work pool with its queues, and the automations of the stack. It is there before any agent starts: an agent
// without its pool ends at once.
type Pool struct {
	Host, Container string
	Name            string
	Queues          []string // shared ones
	Own             []string // one for each agent host
	OwnPrefix       string   // what the names of such queues begin with: those of hosts that are gone are removed
	Make            string   // generation.Glue.Pool
}

var _ Resource = (*Pool)(nil)

// PoolID is the ID of the work pool.
func PoolID(host, name string) ID { return ID{host, "pool", name} }

func (p *Pool) ID() ID        { return PoolID(p.Host, p.Name) }
func (p *Pool) Needs() []ID   { return []ID{PrefectID(p.Host), ServiceID(p.Host, p.Container)} }
func (p *Pool) Probe(*Script) {}

func (p *Pool) Diff(w World) []Change {
	o, know, _ := prefect(w, p.Host)
	switch {
	case know == No:
		return []Change{{ID: p.ID(), Act: Add, Why: "the pool does not exist"}}
	case know == Unknown:
		return nil
	case o.pool == nil:
		return []Change{{ID: p.ID(), Act: Add, Why: "the pool does not exist"}}
	}
	var missing, gone []string
	have := map[string]bool{}
	for _, q := range o.queues {
		have[q.Name] = true
		if strings.HasPrefix(q.Name, p.OwnPrefix) && !slices.Contains(p.Own, q.Name) && !slices.Contains(p.Queues, q.Name) {
			gone = append(gone, remote.Sanitize(q.Name))
		}
	}
	for _, q := range append(slices.Clone(p.Queues), p.Own...) {
		if !have[q] {
			missing = append(missing, q)
		}
	}
	var why []string
	if len(missing) > 0 {
		why = append(why, "queues are missing: "+strings.Join(missing, ", "))
	}
	if len(gone) > 0 {
		why = append(why, "queues of hosts that are gone: "+strings.Join(gone, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(o.automations)) {
		why = append(why, "the automation "+remote.Sanitize(name)+" "+remote.Sanitize(o.automations[name]))
	}
	if why == nil {
		return nil
	}
	return []Change{{ID: p.ID(), Act: Modify, Why: strings.Join(why, "; ")}}
}

func (p *Pool) Do(ctx context.Context, r *Run, _ Change) error {
	type queue struct {
		Name string `json:"name"`
	}
	var queues []queue
	for _, name := range append(slices.Clone(p.Queues), p.Own...) {
		queues = append(queues, queue{name})
	}
	spec, err := json.Marshal(map[string]any{"pool": p.Name, "queues": queues, "own_prefix": p.OwnPrefix})
	if err != nil {
		return err
	}
	_, err = r.Sh(ctx, p.Host, fmt.Sprintf("timeout 120 docker exec %s %s %s", remote.Quote(p.Container), p.Make, remote.Quote(string(spec))))
	return err
}

// Registration is the set of deployments that Prefect has from us. One agent host imports the flows, in a container
// without a network and without secrets, and says what they are. The server's container registers them, removes ours that
// are gone, and writes the record of what it did last, so that a registration that was cut off is seen. It asks the API
// where nothing guards it, so there is no token that registers, and none that a killed run could leave behind.
type Registration struct {
	Host      string // that has the flows
	Project   string // the agent's compose project and its directory
	Dir       string
	Server    string
	Container string // Prefect's
	Pool      ID
	Spec      []byte   // the deployments, a JSON object
	Digest    string   // of them and of the flows' code: what the record says when all is registered
	Names     []string // ENTRYPOINT/NAME of each
	Tag       string   // on every deployment of ours
	Register  string   // generation.Glue.Register
	After     []ID
}

var _ Resource = (*Registration)(nil)

// RegistrationID is the ID of the registration.
func RegistrationID(host string) ID { return ID{host, "deployments", ""} }

func (g *Registration) ID() ID { return RegistrationID(g.Host) }
func (g *Registration) Needs() []ID {
	return append([]ID{g.Pool, PrefectID(g.Server)}, g.After...)
}
func (g *Registration) Probe(*Script) {}

func (g *Registration) Diff(w World) []Change {
	o, know, _ := prefect(w, g.Server)
	all := "registers " + strings.Join(g.Names, ", ")
	switch {
	case know == No:
		return []Change{{ID: g.ID(), Act: Add, Why: "nothing is registered yet", Note: all}}
	case know == Unknown:
		return nil
	case o.record == nil || *o.record == "":
		return []Change{{ID: g.ID(), Act: Add, Why: "nothing is registered yet", Note: all}}
	case *o.record != g.Digest:
		return []Change{{ID: g.ID(), Act: Modify, Why: "another set of deployments is registered, or their code has changed", Note: all}}
	}
	var have, extra, missing []string
	for _, d := range o.deployments {
		name := d.Entrypoint + "/" + d.Name
		if !slices.Contains(d.Tags, g.Tag) {
			continue
		}
		have = append(have, name)
		if !slices.Contains(g.Names, name) {
			extra = append(extra, remote.Sanitize(name))
		}
	}
	for _, n := range g.Names {
		if !slices.Contains(have, n) {
			missing = append(missing, n)
		}
	}
	switch {
	case len(missing) > 0:
		return []Change{{ID: g.ID(), Act: Modify, Why: "missing in Prefect: " + strings.Join(missing, ", ")}}
	case len(extra) > 0:
		return []Change{{ID: g.ID(), Act: Modify, Why: "no longer wanted: " + strings.Join(extra, ", ")}}
	}
	return nil
}

// flowDescription is what is taken of a flow from the container that imports it: data, whatever the flow's code says of itself.
type flowDescription struct {
	Name        string                     `json:"name"`
	Description *string                    `json:"description"`
	Parameters  map[string]json.RawMessage `json:"parameters"`
}

// maxDescriptions bounds what is read of all flows, in bytes.
const maxDescriptions = 1 << 20

func (g *Registration) Do(ctx context.Context, r *Run, _ Change) error {
	flows, err := g.describe(ctx, r)
	if err != nil {
		return err
	}
	spec := map[string]json.RawMessage{}
	if err := json.Unmarshal(g.Spec, &spec); err != nil {
		return err
	}
	if spec["flows"], err = json.Marshal(flows); err != nil {
		return err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	path, err := r.Stage(ctx, g.Server, "registration.json", text)
	if err != nil {
		return err
	}
	_, err = r.Sh(ctx, g.Server, remote.Args(strings.Fields(g.Register)...)+scripts.With("prefect_register", "t", path, "c", g.Container))
	return err
}

// describe has the flows imported, and gives what they say of themselves, by entrypoint.
func (g *Registration) describe(ctx context.Context, r *Run) (map[string]flowDescription, error) {
	path, err := r.Stage(ctx, g.Host, "deployments.json", g.Spec)
	if err != nil {
		return nil, err
	}
	kept := g.Dir + "/.provision.described"
	_, err = r.Sh(ctx, g.Host, scripts.With("prefect_describe", "t", path, "dir", g.Dir, "project", g.Project, "most", strconv.Itoa(maxDescriptions+1)))
	if err != nil {
		return nil, err
	}
	// Reading it is for values, and those have a minute.
	said, err := r.Get(ctx, g.Host, fmt.Sprintf("t=%s; cat \"$t\"; rm -f \"$t\"", remote.Quote(kept)))
	if err != nil {
		return nil, err
	}
	flows := map[string]flowDescription{}
	decoder := json.NewDecoder(strings.NewReader(said))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&flows); err != nil || len(said) > maxDescriptions {
		return nil, fmt.Errorf("what the flows' container says of them is not understood: %s", firstLine(remote.Sanitize(said[:min(len(said), 200)])))
	}
	return flows, nil
}
