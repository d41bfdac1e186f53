package plan

import (
	"sync"

	"provision/provision/resource"
)

// needs are the edges of the graph of resources. They are safe for concurrent use; nil has none.
type needs struct {
	direct map[resource.ID][]resource.ID

	mu  sync.Mutex
	all map[resource.ID][]resource.ID
}

// of returns all that a resource needs, directly or not. It is worked out when somebody asks: for every resource of
// a large fleet it would take more memory than all else, because what a host needs is the server, and with it the tokens of all hosts.
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

// nearest returns what a resource needs, directly or not, that is wanted, without what is behind that: in the order
// of all that it needs.
func (n *needs) nearest(id resource.ID, wanted func(resource.ID) bool) []resource.ID {
	if n == nil {
		return nil
	}
	var found []resource.ID
	seen := map[resource.ID]bool{}
	var visit func(resource.ID)
	visit = func(id resource.ID) {
		for _, m := range n.direct[id] {
			switch {
			case seen[m]:
				continue
			case wanted(m):
				found = append(found, m)
			default:
				visit(m)
			}
			seen[m] = true
		}
	}
	visit(id)
	return found
}

// firsts finds for many resources what each of them needs first of a set. Nothing that a resource needs joins the
// set after it was asked about, which holds where resources are gone through in their order. An answer is kept, so
// that all resources together are asked about each edge of the graph once.
type firsts struct {
	needs *needs
	set   map[resource.ID]bool
	known map[resource.ID]*resource.ID // nil: nothing
}

func newFirsts(needs *needs, set map[resource.ID]bool) *firsts {
	return &firsts{needs, set, map[resource.ID]*resource.ID{}}
}

// of returns the first of what a resource needs, directly or not, that is in the set.
func (f *firsts) of(id resource.ID) (resource.ID, bool) {
	if f.needs == nil || len(f.set) == 0 {
		return resource.ID{}, false
	}
	if first := f.find(id); first != nil {
		return *first, true
	}
	return resource.ID{}, false
}

func (f *firsts) find(id resource.ID) *resource.ID {
	if first, ok := f.known[id]; ok {
		return first
	}
	var first *resource.ID
	direct := f.needs.direct[id]
	for i := range direct {
		if f.set[direct[i]] {
			first = &direct[i]
		} else {
			first = f.find(direct[i])
		}
		if first != nil {
			break
		}
	}
	f.known[id] = first
	return first
}
