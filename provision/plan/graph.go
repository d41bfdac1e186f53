package plan

import (
	"fmt"
	"strings"

	"provision/provision/resource"
)

// Graph is all resources of all hosts, each after what it needs. It is not changed once it is made, so it is safe
// for concurrent use.
type Graph struct {
	Resources []resource.Resource
	// ByID finds each of them.
	ByID map[resource.ID]resource.Resource

	needs *needs
}

// NewGraph sorts resources so that each comes after what it needs, keeping their order otherwise. Two that have the same
// ID, or that need each other, are an error.
func NewGraph(resources []resource.Resource) (*Graph, error) {
	byID := make(map[resource.ID]resource.Resource, len(resources))
	for _, r := range resources {
		if _, ok := byID[r.ID()]; ok {
			return nil, fmt.Errorf("two resources are called %s on %s", r.ID(), r.ID().Host)
		}
		byID[r.ID()] = r
	}
	sorted := make([]resource.Resource, 0, len(resources))
	n := &needs{direct: make(map[resource.ID][]resource.ID, len(resources)), all: map[resource.ID][]resource.ID{}}
	state := make(map[resource.ID]int, len(resources))
	var path []string
	var visit func(r resource.Resource) error
	visit = func(r resource.Resource) error {
		id := r.ID()
		if state[id] == 2 {
			return nil
		}
		path = append(path, id.String())
		if state[id] == 1 {
			return fmt.Errorf("resources need each other: %s", strings.Join(path, " -> "))
		}
		state[id] = 1
		for _, m := range r.Needs() {
			need, ok := byID[m]
			if !ok {
				continue
			}
			if err := visit(need); err != nil {
				return err
			}
			n.direct[id] = append(n.direct[id], m)
		}
		state[id] = 2
		path = path[:len(path)-1]
		sorted = append(sorted, r)
		return nil
	}
	for _, r := range resources {
		if err := visit(r); err != nil {
			return nil, err
		}
	}
	return &Graph{sorted, byID, n}, nil
}

// Needs are all that a resource needs, directly or not.
func (g *Graph) Needs(id resource.ID) []resource.ID { return g.needs.of(id) }

// Nearest is what a resource needs, directly or not, that is wanted, without what is behind that.
func (g *Graph) Nearest(id resource.ID, wanted func(resource.ID) bool) []resource.ID {
	return g.needs.nearest(id, wanted)
}

// ByHost are the resources of each host, in the order of all.
func (g *Graph) ByHost() map[string][]resource.Resource {
	on := map[string][]resource.Resource{}
	for _, r := range g.Resources {
		on[r.ID().Host] = append(on[r.ID().Host], r)
	}
	return on
}

// Only is a graph of some of the resources, with what all need.
func (g *Graph) Only(wanted func(resource.Resource) bool) *Graph {
	only := *g
	only.Resources = nil
	for _, r := range g.Resources {
		if wanted(r) {
			only.Resources = append(only.Resources, r)
		}
	}
	return &only
}
