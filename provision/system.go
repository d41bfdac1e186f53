package provision

import (
	"context"
	"errors"
	"slices"
	"strings"

	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/cloud"
	"provision/provision/cloud/clouds"
	"provision/provision/resource"
	"provision/provision/stack"
)

// System is what should be: the inventory, the stack, and what both together give every host.
type System struct {
	Inventory *inventory.Inventory
	Stack     *stack.Stack
	// Resources of all hosts, each after what it needs.
	Resources []resource.Resource
	// Warnings are true of the whole stack and stop nothing.
	Warnings []string

	byID  map[resource.ID]resource.Resource
	needs *needs
	// cloud is what the inventory declares machines in; nil for none.
	cloud cloud.Provider
	// cloudOnly says that no host is dialled.
	cloudOnly bool
}

// Load reads and checks both files and renders all that can be rendered, without a connection. All
// mistakes are returned together. An empty stackPath takes the stack that the inventory names.
func Load(ctx context.Context, inventoryPath, stackPath string) (*System, error) {
	inv, st, problems := stack.LoadBoth(inventoryPath, stackPath, clouds.Declared()...)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	at := clouds.Of(inv)
	resources, err := stack.Bind(ctx, inv, st, at)
	if err != nil {
		return nil, asUsage(err)
	}
	s := &System{Inventory: inv, Stack: st, cloud: at, byID: make(map[resource.ID]resource.Resource, len(resources)), Warnings: append(stack.EndOfLife(st), st.Packed...)}
	if s.Resources, s.needs, err = order(resources); err != nil {
		return nil, err
	}
	for _, r := range s.Resources {
		s.byID[r.ID()] = r
	}
	return s, nil
}

func asUsage(err error) error {
	var problems strict.Problems
	if errors.As(err, &problems) {
		return problems
	}
	return &Error{Code: ExitUsage, Cause: err.Error(), Err: err}
}

// Connectable says why nothing can be done with the system yet, if so.
func (s *System) Connectable() error {
	if s.Inventory.Server() == nil {
		return Usage(`give one host roles = ["server"]`, "%s: no host has the server role", s.Inventory.File)
	}
	return nil
}

// Host returns the host of that name, nil if there is none.
func (s *System) Host(name string) *inventory.Host {
	for n := range s.Inventory.Hosts {
		if s.Inventory.Hosts[n].Name == name {
			return &s.Inventory.Hosts[n]
		}
	}
	return nil
}

// byHost are the resources of each host, in the order of all.
func (s *System) byHost() map[string][]resource.Resource {
	on := map[string][]resource.Resource{}
	for _, r := range s.Resources {
		on[r.ID().Host] = append(on[r.ID().Host], r)
	}
	return on
}

// HostNames are the names of all hosts, sorted.
func (s *System) HostNames() []string {
	var names []string
	for _, h := range s.Inventory.Hosts {
		if s.cloudOnly {
			break
		}
		names = append(names, h.Name)
	}
	return names
}

// Select resolves the names and roles of --limit to hosts.
func (s *System) Select(words []string) ([]string, error) {
	var hosts []string
	for _, w := range words {
		found := false
		for _, h := range s.Inventory.Hosts {
			if h.Name == w || slices.Contains(h.Roles, inventory.Role(w)) {
				found = true
				if !slices.Contains(hosts, h.Name) {
					hosts = append(hosts, h.Name)
				}
			}
		}
		if !found {
			return nil, Usage("hosts are: "+strings.Join(s.HostNames(), ", ")+"; roles are: server, agent", "--limit %s: there is no such host or role", w)
		}
	}
	slices.Sort(hosts)
	return hosts, nil
}
