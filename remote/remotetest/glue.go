package remotetest

import (
	"encoding/json"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// serverDatabase is the database of the Prefect server in whose container the process runs.
func (p *proc) serverDatabase() *database { return p.container.serving(p.host.docker) }

func observeGlue(p *proc, args []string) int {
	o := p.Parse(args, "", "", map[string]string{"stack": "s:", "pool": "p:"}, true)
	p.locked(func() {
		db := p.serverDatabase()
		if db == nil {
			p.json(map[string]any{"error": "GET /admin/version: cannot connect to 127.0.0.1:4200"})
			return
		}
		p.host.fleet.poll(db)
		out := map[string]any{
			"pool": nil, "queues": []any{}, "registration": db.record,
		}
		if db.pool == o.Value["p"] && db.pool != "" {
			out["pool"] = map[string]any{"name": db.pool}
			queues := []any{}
			for _, name := range slices.Sorted(maps.Keys(db.queues)) {
				queues = append(queues, map[string]any{"name": name})
			}
			out["queues"] = queues
		}
		deployments := []Deployment{}
		for _, k := range slices.Sorted(maps.Keys(db.deployments)) {
			if d := db.deployments[k]; slices.Contains(d.Tags, p.Env["PROVISION_TAG"]) {
				deployments = append(deployments, d)
			}
		}
		out["deployments"] = deployments
		differing := map[string]string{}
		for _, name := range p.automations() {
			if wrong, there := db.automations[name]; !there {
				differing[name] = "does not exist"
			} else if wrong != "" {
				differing[name] = wrong
			}
		}
		out["automations"] = differing
		hosts := map[string]any{}
		for host, n := range db.running {
			if n > 0 {
				hosts[host] = map[string]int{"RUNNING": n}
			}
		}
		out["runs"] = map[string]any{"hosts": hosts}
		p.json(out)
	})
	return 0
}

func poolGlue(p *proc, args []string) int {
	var spec struct {
		Pool   string
		Queues []struct{ Name string }
		Prefix string `json:"own_prefix"`
	}
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &spec) != nil {
		p.Errorf("usage: python -m provision_glue.pool JSON|-\n")
		return 64
	}
	code := 0
	p.locked(func() {
		db := p.serverDatabase()
		if db == nil {
			p.Errorf("pool: GET /work_pools: cannot connect to 127.0.0.1:4200\n")
			code = 69
			return
		}
		if db.pool != spec.Pool {
			db.pool = spec.Pool
			p.Printf("pool %s: created\n", spec.Pool)
		}
		want := map[string]bool{}
		for _, q := range spec.Queues {
			want[q.Name] = true
			if _, ok := db.queues[q.Name]; !ok {
				db.queues[q.Name] = time.Time{}
				p.Printf("queue %s: created\n", q.Name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(db.queues)) {
			if strings.HasPrefix(name, spec.Prefix) && !want[name] {
				delete(db.queues, name)
				p.Printf("queue %s: deleted\n", name)
			}
		}
		for _, name := range p.automations() {
			if wrong, there := db.automations[name]; !there || wrong != "" {
				p.Printf("automation %s: put right\n", name)
			}
			if db.automations == nil {
				db.automations = map[string]string{}
			}
			db.automations[name] = ""
		}
	})
	return code
}

type registration struct {
	Tag, Pool, Record string
	Prefix            string `json:"own_prefix"`
	Agents            []string
	Deployments       []registered
	Flows             map[string]struct{ Name string }
}

type registered struct {
	Flow, Name, Queue string
	Tags              []string
}

const smokeFlow = "provision_glue.flows.smoke"

// all are the user's deployments and the smoke deployment of each agent host.
func (r registration) all() []registered {
	out := slices.Clone(r.Deployments)
	for _, a := range r.Agents {
		out = append(out, registered{Flow: smokeFlow, Name: a, Queue: r.Prefix + a})
	}
	return out
}

func (p *proc) registration() (spec registration, ok bool) {
	text, err := io.ReadAll(p.Stdin())
	if err == nil {
		err = json.Unmarshal(text, &spec)
	}
	if err != nil {
		p.Errorf("register: %v\n", err)
	}
	return spec, err == nil
}

// describeGlue imports the flows. What they are made of must find neither a network nor a secret.
func describeGlue(p *proc, _ []string) int {
	spec, ok := p.registration()
	if !ok {
		return 65
	}
	p.workFor(4)
	code := 0
	p.locked(func() {
		if p.container.HostConfig.NetworkMode != "none" || len(p.container.Mounts) > 0 {
			p.host.sys.Unknown("flows are imported in a container with networks or mounts")
		}
		said := map[string]any{}
		for _, d := range spec.all() {
			flow, why := p.importFlow(d.Flow)
			if d.Flow == smokeFlow {
				flow, why = "provision-smoke", ""
			}
			if why != "" {
				p.Errorf("register: flow %s: %s\n", d.Flow, why)
				code = 65
			}
			said[d.Flow] = map[string]any{"name": flow, "description": nil, "parameters": map[string]any{"properties": map[string]any{}}}
		}
		if code == 0 {
			p.json(said)
		}
	})
	return code
}

func registerGlue(p *proc, _ []string) int {
	spec, ok := p.registration()
	if !ok {
		return 65
	}
	p.workFor(4)
	code := 0
	p.locked(func() { code = p.register(spec) })
	return code
}

func (p *proc) register(spec registration) int {
	tag := spec.Tag
	want := map[string]Deployment{}
	for _, d := range spec.all() {
		flow := spec.Flows[d.Flow].Name
		if flow == "" {
			p.Errorf("register: flow %s: nothing is known of it\n", d.Flow)
			return 65
		}
		all := append(slices.Clone(d.Tags), tag)
		slices.Sort(all)
		want[flow+"/"+d.Name] = Deployment{
			ID: unix.RandomUUID(), Flow: flow, Name: d.Name, Tags: slices.Compact(all), Queue: d.Queue, Pool: spec.Pool, Entrypoint: d.Flow,
			Version: spec.Record[:min(40, len(spec.Record))], Schedules: []any{},
		}
	}
	db := p.serverDatabase()
	if db == nil {
		p.Errorf("register: GET /deployments/filter: cannot connect to 127.0.0.1:4200\n")
		return 69
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		d := want[k]
		verb := "created"
		if old, ok := db.deployments[k]; ok {
			d.ID, verb = old.ID, "updated"
		}
		db.deployments[k] = d
		p.Printf("deployment %s: %s\n", k, verb)
	}
	for _, k := range slices.Sorted(maps.Keys(db.deployments)) {
		if _, ok := want[k]; !ok && slices.Contains(db.deployments[k].Tags, tag) {
			delete(db.deployments, k)
			p.Printf("deployment %s: deleted\n", k)
		}
	}
	record := spec.Record
	db.record = &record
	p.Printf("%d deployments registered\n", len(want))
	return 0
}

// importFlow looks for the function in the project that was copied into the image.
func (p *proc) importFlow(entrypoint string) (name, why string) {
	file, function, ok := strings.Cut(entrypoint, ":")
	if !ok {
		return strings.ReplaceAll(entrypoint[strings.LastIndexByte(entrypoint, '.')+1:], "_", "-"), ""
	}
	text, err := p.ReadAll("/opt/business/" + file)
	if err != nil {
		return "", "there is no file " + file + " in the project"
	}
	def := regexp.MustCompile(`(?m)^(?:async )?def ` + regexp.QuoteMeta(function) + `\(`)
	if !def.Match(text) {
		return "", "Flow function with name '" + function + "' not found in '/opt/business/" + file + "'."
	}
	if m := importError.FindSubmatch(text); m != nil {
		return "", "cannot be imported from /opt/business/" + file + ": line 1 of " + file + ": ModuleNotFoundError: No module named '" + string(m[1]) + "'"
	}
	return strings.ReplaceAll(function, "_", "-"), ""
}

// importError is how a test says that a flow's file does not import.
var importError = regexp.MustCompile(`(?m)^import (no_such_\w+)`)
