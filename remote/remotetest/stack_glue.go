package remotetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// serverDatabase is the database of the Prefect server in whose container the process runs.
func (p *proc) serverDatabase() *database { return p.container.serving(p.host.docker) }

func observeGlue(p *proc, args []string) int {
	o := p.parse(args, "", "", map[string]string{"stack": "s:", "pool": "p:"}, true)
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
		if db.pool == o.value["p"] && db.pool != "" {
			out["pool"] = map[string]any{"name": db.pool}
			queues := []any{}
			for _, name := range slices.Sorted(maps.Keys(db.queues)) {
				queues = append(queues, map[string]any{"name": name})
			}
			out["queues"] = queues
		}
		deployments := []Deployment{}
		for _, k := range slices.Sorted(maps.Keys(db.deployments)) {
			if d := db.deployments[k]; slices.Contains(d.Tags, "provision:"+o.value["s"]) {
				deployments = append(deployments, d)
			}
		}
		out["deployments"] = deployments
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

// poll lets all running agents that reach this database ask for work. A queue that is not there they
// cannot make: their token does not let them.
func (f *Fleet) poll(db *database) {
	for _, h := range f.Hosts() {
		for _, c := range h.docker.containers {
			words := c.Config.Cmd
			if !c.State.Running || c.State.Restarting || !strings.Contains(strings.Join(words, " "), "prefect agent start ") {
				continue
			}
			for i, w := range words {
				if w == "--work-queue" && i+1 < len(words) && db.pool != "" {
					db.asked(words[i+1], h.now())
				}
			}
		}
	}
}

// asked notes a poll. The token of an agent makes no queues.
func (db *database) asked(queue string, at time.Time) {
	if _, ok := db.queues[queue]; ok {
		db.queues[queue] = at
	}
}

func poolGlue(p *proc, args []string) int {
	var spec struct {
		Pool   string
		Queues []struct{ Name string }
	}
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &spec) != nil {
		p.errorf("usage: python -m provision_glue.pool JSON|-\n")
		return 64
	}
	code := 0
	p.locked(func() {
		db := p.serverDatabase()
		if db == nil {
			p.errorf("pool: GET /work_pools: cannot connect to 127.0.0.1:4200\n")
			code = 69
			return
		}
		if db.pool != spec.Pool {
			db.pool = spec.Pool
			p.printf("pool %s: created\n", spec.Pool)
		}
		want := map[string]bool{}
		for _, q := range spec.Queues {
			want[q.Name] = true
			if _, ok := db.queues[q.Name]; !ok {
				db.queues[q.Name] = time.Time{}
				p.printf("queue %s: created\n", q.Name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(db.queues)) {
			if strings.HasPrefix(name, "host-") && !want[name] {
				delete(db.queues, name)
				p.printf("queue %s: deleted\n", name)
			}
		}
	})
	return code
}

type registration struct {
	Stack, Pool, Record string
	Agents              []string
	Deployments         []struct {
		Flow, Name, Queue string
		Tags              []string
	}
}

func registerGlue(p *proc, args []string) int {
	file := "/opt/provision-spec/deployments.json"
	if len(args) > 0 {
		file = args[0]
	}
	text, err := p.readAll(file)
	var spec registration
	if err == nil {
		err = json.Unmarshal(text, &spec)
	}
	if err != nil {
		p.errorf("register: %v\n", err)
		return 65
	}
	p.workFor(4)
	code := 0
	p.locked(func() { code = p.register(spec) })
	return code
}

func (p *proc) register(spec registration) int {
	const smoke = "provision_glue.flows.smoke"
	tag := "provision:" + spec.Stack
	want := map[string]Deployment{}
	bad := false
	add := func(entrypoint, name, queue string, tags []string) {
		flow, why := p.importFlow(entrypoint)
		if entrypoint == smoke {
			flow, why = "provision-smoke", ""
		}
		if why != "" {
			p.errorf("register: flow %s: %s\n", entrypoint, why)
			bad = true
			return
		}
		all := append(slices.Clone(tags), tag)
		slices.Sort(all)
		want[flow+"/"+name] = Deployment{
			ID: randomUUID(), Flow: flow, Name: name, Tags: slices.Compact(all), Queue: queue, Pool: spec.Pool, Entrypoint: entrypoint,
			Version: spec.Record[:min(40, len(spec.Record))], Schedules: []any{},
		}
	}
	for _, d := range spec.Deployments {
		add(d.Flow, d.Name, d.Queue, d.Tags)
	}
	for _, a := range spec.Agents {
		add(smoke, a, "host-"+a, nil)
	}
	if bad {
		return 65
	}
	status, db, why := p.api("register")
	if status != 200 {
		p.errorf("register: %s\n", why)
		return 69
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		d := want[k]
		verb := "created"
		if old, ok := db.deployments[k]; ok {
			d.ID, verb = old.ID, "updated"
		}
		db.deployments[k] = d
		p.printf("deployment %s: %s\n", k, verb)
	}
	for _, k := range slices.Sorted(maps.Keys(db.deployments)) {
		if _, ok := want[k]; !ok && slices.Contains(db.deployments[k].Tags, tag) {
			delete(db.deployments, k)
			p.printf("deployment %s: deleted\n", k)
		}
	}
	record := spec.Record
	db.record = &record
	p.printf("%d deployments registered\n", len(want))
	return 0
}

// importFlow looks for the function in the project that was copied into the image.
func (p *proc) importFlow(entrypoint string) (name, why string) {
	file, function, ok := strings.Cut(entrypoint, ":")
	if !ok {
		return strings.ReplaceAll(entrypoint[strings.LastIndexByte(entrypoint, '.')+1:], "_", "-"), ""
	}
	text, err := p.readAll("/opt/business/" + file)
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

func checkGlue(p *proc, args []string) int {
	code := 0
	p.locked(func() {
		queue := p.env["PROVISION_QUEUE"]
		out := map[string]any{"ok": false, "error": ""}
		status, db, why := p.api("poll")
		if status > 0 {
			out["status"] = status
		}
		polled := time.Time{}
		if status == 200 {
			p.host.fleet.poll(db)
			var ok bool
			if polled, ok = db.queues[queue]; !ok {
				status, why = 404, "GET /work_pools/queues/"+queue+" gives 404: not found"
			}
		} else if status > 0 {
			why = "GET /work_pools/queues/" + queue + " gives " + why
		}
		if status == 200 {
			out["ok"], out["queue"], out["last_polled"] = true, queue, nil
			if !polled.IsZero() {
				out["last_polled"], out["last_polled_age"] = polled.UTC().Format(time.RFC3339Nano), p.host.now().Sub(polled).Seconds()
			}
			if slices.Contains(args, "--deep") {
				var wrong []string
				out["deep"], wrong = p.deepCheck()
				if wrong != nil {
					out["ok"], out["error"] = false, strings.Join(wrong, "; ")
					code = 1
				}
			}
		} else {
			out["error"] = why
			code = 1
		}
		p.json(out)
	})
	return code
}

// deepCheck is what the token opens and what it does not: for each attempt the status seen and the
// one that is right.
func (p *proc) deepCheck() (deep map[string][2]int, wrong []string) {
	token := p.env["PREFECT_API_KEY"]
	changed := "0" + token[1:]
	if changed == token {
		changed = "1" + token[1:]
	}
	deep = map[string][2]int{}
	try := func(name, need, token string, want int) {
		status, _, _ := p.request(need, token)
		deep[name] = [2]int{status, want}
		if status != want {
			wrong = append(wrong, fmt.Sprintf("%s gives %d, not %d", name, status, want))
		}
	}
	try("token with one character changed", "poll", changed, 401)
	for _, name := range []string{"empty bearer token", "empty authorization", "no token"} {
		try(name, "poll", "", 401)
	}
	if p.env["PROVISION_API"] != "all" {
		try("write to deployments", "register", token, 403)
	}
	return deep, wrong
}

func smokeGlue(p *proc, args []string) int {
	o := p.parse(args, "", "", map[string]string{"timeout": "t:"}, true)
	host := ""
	if len(o.args) > 0 {
		host = o.args[0]
	}
	p.workFor(4)
	out := map[string]any{"ok": false, "host": host, "run": nil, "state": nil, "seconds": 4.2, "hostname": nil, "error": ""}
	p.locked(func() {
		db := p.serverDatabase()
		switch {
		case db == nil:
			out["error"] = "cannot connect to 127.0.0.1:4200"
		case db.deployments["provision-smoke/"+host].ID == "":
			out["error"] = "there is no deployment provision-smoke/" + host + ": the deployments are not registered"
		case !p.host.fleet.executes(host):
			out["run"], out["state"], out["error"] = randomUUID(), "Late", "still Late after "+o.value["t"]+" s"
		case p.host.runsEnd != "":
			state, _, _ := strings.Cut(p.host.runsEnd, ":")
			out["run"], out["state"], out["error"] = randomUUID(), state, p.host.runsEnd
		default:
			out["ok"], out["run"], out["state"], out["hostname"] = true, randomUUID(), "Completed", "business-logic-"+host
		}
	})
	p.json(out)
	return b2i(out["ok"] != true)
}

// executes tells whether agent and business logic of an agent host run.
func (f *Fleet) executes(name string) bool {
	up := map[string]bool{}
	for _, h := range f.Hosts() {
		for _, c := range h.docker.containers {
			if c.State.Running && !c.State.Restarting && slices.Contains(c.Config.Env, "PROVISION_HOST="+name) {
				up[c.Config.Labels["com.docker.compose.service"]] = true
			}
		}
	}
	return up["agent"] && up["business-logic"]
}

func healthGlue(p *proc, args []string) int {
	if len(args) != 1 {
		return 64
	}
	why := ""
	p.locked(func() {
		switch args[0] {
		case "server":
			if p.serverDatabase() == nil {
				why = "/ready gives 503"
			}
		case "caddy":
			if p.container.loaded == "" {
				why = "Connection refused"
			}
		case "agent":
			if status, _, text := p.api("poll"); status != 200 {
				why = text
			}
		case "serve":
			if status, _, text := p.api("poll"); status != 200 {
				why = text
			}
		case "business-logic":
			if status, _, text := p.api("run"); status == 0 || status >= 500 {
				why = text
			}
		default:
			why = "no such check"
		}
	})
	if why != "" {
		p.printf("%s: %s\n", args[0], why)
		return 1
	}
	return 0
}

// Prefect tells what the Prefect server on this host holds; nil if there is no database.
func (h *Host) Prefect() *Prefect {
	h.docker.mu.Lock()
	defer h.docker.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(h.docker.volumes)) {
		db := h.docker.volumes[name].database
		if db == nil {
			continue
		}
		out := &Prefect{Pool: db.pool, Queues: slices.Sorted(maps.Keys(db.queues)), Password: db.password, Migrated: db.migrated}
		for _, k := range slices.Sorted(maps.Keys(db.deployments)) {
			out.Deployments = append(out.Deployments, db.deployments[k])
		}
		if db.record != nil {
			out.Record = *db.record
		}
		return out
	}
	return nil
}

// Prefect is the content of a simulated Prefect database.
type Prefect struct {
	Pool, Record, Password string
	Queues                 []string
	Deployments            []Deployment
	Migrated               bool
}

// DeleteDeployment removes a deployment, as a person in the UI would. The name is FLOW/NAME.
func (h *Host) DeleteDeployment(name string) bool {
	h.docker.mu.Lock()
	defer h.docker.mu.Unlock()
	for _, v := range h.docker.volumes {
		if v.database != nil {
			if _, ok := v.database.deployments[name]; ok {
				delete(v.database.deployments, name)
				return true
			}
		}
	}
	return false
}

// DeleteQueue removes a work queue, as a person in the UI would.
func (h *Host) DeleteQueue(name string) bool {
	h.docker.mu.Lock()
	defer h.docker.mu.Unlock()
	for _, v := range h.docker.volumes {
		if v.database != nil {
			if _, ok := v.database.queues[name]; ok {
				delete(v.database.queues, name)
				return true
			}
		}
	}
	return false
}

// LoadedCaddyfile is what the Caddy in a container says that it has loaded.
func (h *Host) LoadedCaddyfile(container string) string {
	h.docker.mu.Lock()
	defer h.docker.mu.Unlock()
	if c := h.docker.containers[container]; c != nil {
		return c.loaded
	}
	return ""
}

// OpenHole has the proxy on this host let every token that it knows do everything, as a mistake in its
// configuration would.
func (h *Host) OpenHole(open bool) {
	h.docker.mu.Lock()
	defer h.docker.mu.Unlock()
	h.hole = open
}

// EndRuns says how runs of the built-in flow end that are started on this server host, for example
// "Failed: Flow run encountered an exception"; "" is well.
func (h *Host) EndRuns(how string) {
	h.docker.mu.Lock()
	defer h.docker.mu.Unlock()
	h.runsEnd = how
}

// SetRunning says how many flow runs are in flight on an agent host, by its container's host name.
func (h *Host) SetRunning(agent string, n int) {
	h.docker.mu.Lock()
	defer h.docker.mu.Unlock()
	for _, v := range h.docker.volumes {
		if v.database != nil {
			v.database.running[agent] = n
		}
	}
}
