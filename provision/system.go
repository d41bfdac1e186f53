package provision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/cloud"
	"provision/provision/cloud/clouds"
	"provision/provision/plan"
	"provision/provision/report"
	"provision/provision/resource"
	"provision/provision/stack"
)

// System is what should be: the inventory, the stack, and what both together give every host.
type System struct {
	Inventory *inventory.Inventory
	Stack     *stack.Stack
	*plan.Graph
	// Warnings are true of the whole stack and stop nothing.
	Warnings []string

	// cloud is what the inventory declares machines in; nil for none.
	cloud cloud.Provider
	// rotate are the secrets that are to get new values.
	rotate []resource.ID
	steady *System // the system without that
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
	s := &System{Inventory: inv, Stack: st, cloud: at, Warnings: append(stack.EndOfLife(st), st.Packed...)}
	if s.Graph, err = plan.NewGraph(resources); err != nil {
		return nil, err
	}
	return s, nil
}

func asUsage(err error) error {
	var problems strict.Problems
	if errors.As(err, &problems) {
		return problems
	}
	return &report.Error{Code: report.ExitUsage, Cause: err.Error(), Err: err}
}

// Connectable says why nothing can be done with the system yet, if so.
func (s *System) Connectable() error {
	if s.Inventory.Server() == nil {
		return report.Usage(`give one host roles = ["server"]`, "%s: no host has the server role", s.Inventory.File)
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
			return nil, report.Usage("hosts are: "+strings.Join(s.HostNames(), ", ")+"; roles are: server, agent", "--limit %s: there is no such host or role", w)
		}
	}
	slices.Sort(hosts)
	return hosts, nil
}

// hasCloud tells whether an account belongs to the system. It may have machines that are declared no more.
func (s *System) hasCloud() bool { return s.cloud != nil }

// warnings are those of the stack, and what resources have to say beside their changes.
func (s *System) warnings(facts plan.Facts, options map[string]bool) []string {
	out, w := slices.Clone(s.Warnings), &plan.World{Facts: facts, Options: options}
	for _, r := range s.Resources {
		if r, ok := r.(resource.Warner); ok {
			out = append(out, r.Warn(w)...)
		}
	}
	return out
}

// digest names the desired state: both files without their places, and what they give the hosts.
func (s *System) digest() string {
	inv, st := *s.Inventory, *s.Stack
	inv.File, inv.Dir, inv.Stack, st.File, st.Dir = "", "", "", "", ""
	var all []any
	for _, r := range s.Resources {
		all = append(all, r.ID().Host, r.ID().String())
		if f, ok := r.(*resource.File); ok {
			all = append(all, f.Content)
		}
	}
	text, err := json.Marshal([]any{inv, st, all})
	if err != nil {
		panic(err) // plain data only
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
