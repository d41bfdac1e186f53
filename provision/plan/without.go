package plan

import (
	"maps"
	"slices"
	"strings"

	"provision/provision/report"
	"provision/provision/resource"
)

// Without says what a plan has to do without, because hosts cannot be reached.
type Without struct {
	gone  map[string]*report.Error
	left  map[resource.ID]bool // the resources of these hosts
	waits map[string][]report.Waiting
	first *firsts // of left
}

// Without begins with the hosts that cannot be reached. Resources have to be asked about in their order.
func (g *Graph) Without(gone map[string]*report.Error) *Without {
	left := map[resource.ID]bool{}
	return &Without{gone, left, map[string][]report.Waiting{}, newFirsts(g.needs, left)}
}

// Takes tells whether the resource is one of an unreachable host, of which nothing is known.
func (g *Without) Takes(id resource.ID) bool {
	if id.Host == "" || g.gone[id.Host] == nil {
		return false
	}
	g.left[id] = true
	return true
}

// holds tells whether a change has to wait for an unreachable host.
func (g *Without) holds(id resource.ID, why string) bool {
	first, ok := g.first.of(id)
	if ok {
		g.waits[first.Host] = append(g.waits[first.Host], report.Waiting{Host: id.Host, Step: id.String(), Why: why})
	}
	return ok
}

func (g *Without) hosts() (out []report.Unreachable) {
	for _, host := range slices.Sorted(maps.Keys(g.gone)) {
		cause := strings.TrimPrefix(g.gone[host].Error(), host+": ")
		out = append(out, report.Unreachable{Host: host, Cause: cause, Waits: g.waits[host]})
	}
	return out
}

// Needed tells whether a resource needs something of an unreachable host.
func (g *Without) Needed(id resource.ID) bool {
	_, ok := g.first.of(id)
	return ok
}
