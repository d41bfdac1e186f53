package provision

import (
	"fmt"
	"strings"
	"sync"

	"provision/provision/resource"
)

// needs are the edges of the graph of resources. They are safe for concurrent use; nil has none.
type needs struct {
	direct map[resource.ID][]resource.ID

	mu  sync.Mutex
	all map[resource.ID][]resource.ID
}

// of returns all that a resource needs, directly or not. It is worked out when somebody asks: on a
// large fleet that takes longer than all else that is done where nothing is to be changed.
func (n *needs) of(id resource.ID) []resource.ID {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.collect(id)
}

func (n *needs) collect(id resource.ID) []resource.ID {
	if all, ok := n.all[id]; ok {
		return all
	}
	var all []resource.ID
	seen := map[resource.ID]bool{}
	add := func(m resource.ID) {
		if !seen[m] {
			seen[m] = true
			all = append(all, m)
		}
	}
	for _, d := range n.direct[id] {
		add(d)
		for _, m := range n.collect(d) {
			add(m)
		}
	}
	n.all[id] = all
	return all
}

// firstOf returns the first of what a resource needs that is in the set.
func (n *needs) firstOf(id resource.ID, set map[resource.ID]bool) (resource.ID, bool) {
	if len(set) == 0 {
		return resource.ID{}, false
	}
	for _, m := range n.of(id) {
		if set[m] {
			return m, true
		}
	}
	return resource.ID{}, false
}

// order sorts resources so that each comes after what it needs, keeping their order otherwise.
func order(resources []resource.Resource) ([]resource.Resource, *needs, error) {
	byID := make(map[resource.ID]resource.Resource, len(resources))
	for _, r := range resources {
		if _, ok := byID[r.ID()]; ok {
			return nil, nil, fmt.Errorf("two resources are called %s on %s", r.ID(), r.ID().Host)
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
			return nil, nil, err
		}
	}
	return sorted, n, nil
}
