package stack

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"provision/files/naming"
	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/platform"
)

// LoadBoth reads the inventory and its stack and reports the mistakes of both together, the inventory's first, then the stack's,
// then those between the two. stackPath, if not empty, is taken instead of the stack that the inventory names. The clouds are Load's.
// If there are problems, the results that are not nil are incomplete: use them for completion and display only.
func LoadBoth(inventoryPath, stackPath string, clouds ...inventory.Cloud) (*inventory.Inventory, *Stack, strict.Problems) {
	inv, problems := inventory.Load(inventoryPath, clouds...)
	named := stackPath == "" && inv != nil
	if named {
		stackPath = inv.Stack
	}
	s, more := Load(stackPath)
	if _, err := os.Stat(stackPath); named && stackPath != "" && err != nil && len(more) > 0 {
		more[0].Hint = inv.File + " names it; correct the name there, or remove the key stack for the built-in one"
	}
	problems = append(problems, more...)
	if inv == nil || s == nil {
		return inv, s, problems
	}
	for _, p := range Check(inv, s) {
		about := func(q strict.Problem) bool { return q.File == p.File && q.Line == p.Line && q.Key == p.Key }
		if !slices.ContainsFunc(problems, about) {
			problems = append(problems, p)
		}
	}
	return inv, s, problems
}

// Check finds the mistakes that show only when both files are known: queues that nobody polls, networks that hide hosts, and the key of a mirror that is not named.
func Check(inv *inventory.Inventory, s *Stack) strict.Problems {
	return slices.Concat(unpolled(inv, s), hidden(inv, s), keyWithoutMirror(inv, s))
}

// keyWithoutMirror is a key that Docker's own repository is not signed by.
func keyWithoutMirror(inv *inventory.Inventory, s *Stack) strict.Problems {
	if s.Docker.Key == "" || slices.Contains(platform.Keys(), s.Docker.Key) || inv.Site.DockerRepository != "" {
		return nil
	}
	return strict.Problems{s.problem("docker.key", "the key is that of a mirror, and "+inv.File+" names none", "set site.docker_repository there, or remove docker.key for Docker's own repository and key")}
}

// problem is at the stack's own line, or without one for the built-in stack.
func (s *Stack) problem(key, problem, hint string) strict.Problem {
	if s.doc == nil {
		return strict.Problem{File: "built-in stack", Key: key, Problem: problem, Hint: hint}
	}
	return strict.Problem{File: s.File, Line: s.doc.Line(key), Key: key, Problem: problem, Hint: hint}
}

// unpolled are deployments whose queue no agent host polls: their runs would wait for ever.
func unpolled(inv *inventory.Inventory, s *Stack) strict.Problems {
	var polled []string
	for _, h := range inv.Hosts {
		if !slices.Contains(h.Roles, inventory.RoleAgent) {
			continue
		}
		queues := h.Queues
		if queues == nil {
			queues = s.Agent.Queues
		}
		polled = append(append(polled, queues...), naming.HostQueue(h.Name))
	}
	slices.Sort(polled)
	polled = slices.Compact(polled)

	var problems strict.Problems
	for n, d := range s.Deployments {
		if slices.Contains(polled, d.Queue) {
			continue
		}
		hint := "give a host the agent role"
		if len(polled) > 0 {
			hint = "polled: " + strings.Join(polled[:min(len(polled), 8)], ", ")
			if near := strict.Nearest(d.Queue, polled); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
		}
		problems = append(problems, s.problem(strict.Key("deployments", n, "queue"),
			fmt.Sprintf("no agent host of %s polls the queue %s", inv.File, strict.Show(d.Queue)), hint))
	}
	return problems
}

// hidden are hosts with an address within a network of containers: these could not reach them.
func hidden(inv *inventory.Inventory, s *Stack) strict.Problems {
	var problems strict.Problems
	for _, subnet := range s.Docker.Subnets.named() {
		for _, h := range inv.Hosts {
			for _, a := range []struct{ name, text string }{{"address", h.Address}, {"internal_address", h.InternalAddress}} {
				addr, err := netip.ParseAddr(a.text)
				if err != nil || !subnet.Contains(addr) {
					continue
				}
				problems = append(problems, s.problem(strict.Key("docker.subnets", subnet.name),
					fmt.Sprintf("%s has the %s %s of %s in it", subnet, a.name, addr, h.Name), "containers could not reach the host; choose another network"))
			}
		}
	}
	return problems
}
