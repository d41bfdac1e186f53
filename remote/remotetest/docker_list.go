package remotetest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"provision/remote/remotetest/unix"
)

// psRow are the placeholders of docker ps.
type psRow struct {
	c    *Container
	h    *Host
	full bool
}

func (r psRow) ID() string {
	if r.full {
		return r.c.ID
	}
	return r.c.ID[:12]
}

func (r psRow) Names() string { return strings.TrimPrefix(r.c.Name, "/") }

func (r psRow) Image() string { return r.c.Config.Image }

func (r psRow) State() string { return r.c.State.Status }

func (r psRow) Label(k string) string { return r.c.Config.Labels[k] }

func (r psRow) Networks() string {
	return strings.Join(slices.Sorted(maps.Keys(r.c.NetworkSettings.Networks)), ",")
}

func (r psRow) Labels() string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(r.c.Config.Labels)) {
		out = append(out, k+"="+r.c.Config.Labels[k])
	}
	return strings.Join(out, ",")
}

func (r psRow) Status() string {
	switch s := r.c.State; s.Status {
	case "running":
		health := ""
		if s.Health != nil {
			health = " (" + strings.Replace(s.Health.Status, "starting", "health: starting", 1) + ")"
		}
		return "Up 5 seconds" + health
	case "created":
		return "Created"
	case "restarting":
		return fmt.Sprintf("Restarting (%d) 1 second ago", s.ExitCode)
	default:
		return fmt.Sprintf("Exited (%d) 5 seconds ago", s.ExitCode)
	}
}

// filters are the --filter options of a list, each of which has to hold.
func (p *proc) filters(list []string, match func(key, value string) (ok, known bool)) bool {
	keys := map[string]bool{}
	for _, f := range list {
		k, v, _ := strings.Cut(f, "=")
		ok, known := match(k, v)
		if !known {
			p.Unsupported("filter " + f)
		}
		if k == "label" {
			if !ok {
				return false
			}
			continue
		}
		keys[k] = keys[k] || ok // several of one kind: any of them
	}
	for _, ok := range keys {
		if !ok {
			return false
		}
	}
	return true
}

func labelled(labels map[string]string, filter string) bool {
	k, v, valued := strings.Cut(filter, "=")
	have, ok := labels[k]
	return ok && (!valued || have == v)
}

func dockerPs(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	d.refresh()
	var found []Container
	for _, name := range slices.Sorted(maps.Keys(d.containers)) {
		c := d.containers[name]
		status := slices.ContainsFunc(o.List["f"], func(f string) bool { return strings.HasPrefix(f, "status=") })
		if !o.Has("a") && !status && !c.State.Running {
			continue
		}
		if p.filters(o.List["f"], func(k, v string) (bool, bool) {
			switch k {
			case "label":
				return labelled(c.Config.Labels, v), true
			case "name":
				m, err := regexp.Compile(v)
				return err == nil && m.MatchString(c.Name), true
			case "status":
				return c.State.Status == v, true
			case "id":
				return strings.HasPrefix(c.ID, v), true
			case "network":
				n := d.network(v)
				return n != nil && c.NetworkSettings.Networks[n.Name] != nil, true
			case "volume":
				return slices.ContainsFunc(c.Mounts, func(m MountPoint) bool { return m.Name == v || m.Source == v || m.Destination == v }), true
			case "ancestor":
				return c.Config.Image == v || c.Image == v, true
			case "health":
				return c.State.Health != nil && c.State.Health.Status == v, true
			}
			return false, false
		}) {
			found = append(found, c.copy())
		}
	}
	d.mu.Unlock()
	slices.SortStableFunc(found, func(a, b Container) int { return strings.Compare(b.Created, a.Created) })
	format := o.Value["F"]
	if o.Has("q") {
		format = "{{.ID}}"
	} else if format == "" {
		p.Printf("CONTAINER ID   IMAGE   STATUS   NAMES\n")
		format = "{{.ID}}   {{.Image}}   {{.Status}}   {{.Names}}"
	}
	var rows []any
	for i := range found {
		rows = append(rows, psRow{&found[i], p.host, o.Has("N")})
	}
	p.rows(format, rows)
	return 0
}
