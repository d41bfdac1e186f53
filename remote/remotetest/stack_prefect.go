package remotetest

import (
	"maps"
	"slices"
	"time"
)

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

// ChangeAutomation changes an automation of the stack, as a person in the UI would; wrong is how it differs then, and "" removes it.
func (h *Host) ChangeAutomation(name, wrong string) bool {
	h.docker.mu.Lock()
	defer h.docker.mu.Unlock()
	for _, v := range h.docker.volumes {
		if v.database == nil {
			continue
		}
		if _, ok := v.database.automations[name]; ok {
			v.database.automations[name] = wrong
			if wrong == "" {
				delete(v.database.automations, name)
			}
			return true
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

// poll lets all running agents that reach this database ask for work. A queue that is not there they
// cannot make: their token does not let them.
func (f *Fleet) poll(db *database) {
	for _, h := range f.Hosts() {
		for _, c := range h.docker.containers {
			if !c.State.Running || c.State.Restarting || db.pool == "" {
				continue
			}
			for _, q := range polled(c.Config.Cmd) {
				db.asked(q, h.sys.Now())
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
