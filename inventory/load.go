package inventory

import (
	"cmp"
	"slices"
)

const plainPort = 4200 // where Caddy listens without TLS

// Load reads and checks an inventory. With problems the inventory holds what could be read, or is nil if the file is not TOML;
// it is good for finding further mistakes and for nothing else.
func Load(path string) (*Inventory, Problems) {
	doc, problems := Open(path)
	if problems != nil {
		return nil, problems
	}
	return load(doc)
}

func load(doc *Document) (*Inventory, Problems) {
	inv := &Inventory{
		File: doc.File, Dir: doc.Dir, doc: doc,
		TLS: TLS{Mode: TLSInternal},
		SSH: SSH{HostKeyChecking: "strict"},
	}
	doc.Decode(inv)
	slices.SortFunc(inv.Hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })

	c := checker{doc}
	c.path("stack", &inv.Stack)
	c.ssh(&inv.SSH)
	c.site(&inv.Site)
	for n := range inv.Hosts {
		c.host(&inv.Hosts[n], &inv.SSH)
	}
	if do := inv.DigitalOcean; do != nil {
		c.digitalocean(do)
	}
	for n := range inv.Droplets {
		c.droplet(&inv.Droplets[n], inv.DigitalOcean)
	}
	c.names(inv)
	c.volumes(inv)
	c.addresses(inv)
	c.roles(inv)
	c.tls(inv)
	c.url(inv)
	inv.droplets()
	return inv, doc.Problems()
}

// checker adds a problem to the document for everything that is not as it should be.
type checker struct{ *Document }

// path makes a path usable and keeps control characters out of it.
func (c checker) path(key string, path *string) {
	if !c.clean(key, *path) {
		*path = ""
		return
	}
	*path = c.Path(*path)
}
