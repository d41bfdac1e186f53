package stack

import (
	"context"

	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/resource"
)

// Destroy gives every host of the inventory nothing of the stack: what is there is left over. What works for others ends last, so the
// server's host comes after all agent hosts. volumes says that the stack's volumes go, too.
func Destroy(inv *inventory.Inventory, s *Stack, at cloud.Provider, volumes bool) []resource.Resource {
	b := &binder{ctx: context.Background(), inv: inv, stack: s, cloud: at, parts: s.Generation().Parts, names: s.Names(), base: s.Names().Dir(), server: inv.Server()}
	for _, h := range inv.Hosts {
		b.cleaned = append(b.cleaned, h.Name)
	}
	for _, p := range b.parts.Stopping() {
		b.stopping = append(b.stopping, resource.Stopped{Container: b.names.Container(p.Name), Note: p.Removed})
	}
	for _, h := range inv.Agents() {
		b.agents = append(b.agents, h.Name)
	}
	var out []resource.Resource
	for _, h := range inv.Hosts {
		b.out = []resource.Resource{
			&resource.Identity{Host: h.Name, Stack: s.Name, Server: b.server.Name, Cleaned: true},
			&resource.Engine{Host: h.Name, Stack: s.Name, AsIs: true},
		}
		b.leftovers(&h)
		l := b.out[len(b.out)-1].(*resource.Leftovers)
		l.Destroyed = &resource.Destroyed{Volumes: volumes, Elsewhere: s.Postgres.URL.Set()}
		if l.Destroyed.Elsewhere {
			l.Keep = append(l.Keep, resource.ElsewherePath(s.Name))
		}
		if h.Name == b.server.Name {
			if at != nil && at.Disk(&h) != nil {
				l.Destroyed.Attached = b.dataVolume().Name
			}
			for _, other := range inv.Hosts {
				if other.Name != h.Name {
					l.After = append(l.After, resource.LeftoversID(other.Name))
				}
			}
		}
		out = append(out, b.out...)
	}
	return out
}
