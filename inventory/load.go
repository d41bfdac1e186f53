package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"provision/inventory/strict"
)

const plainPort = 4200 // where Caddy listens without TLS

// Load reads and checks an inventory. With problems the inventory holds what could be read, or is nil if the file is not TOML;
// it is good for finding further mistakes and for nothing else.
func Load(path string) (*Inventory, strict.Problems) {
	doc, problems := strict.Open(path)
	if problems != nil {
		return nil, problems
	}
	return load(doc)
}

func load(doc *strict.Document) (*Inventory, strict.Problems) {
	inv := &Inventory{
		File: doc.File, Dir: doc.Dir, doc: doc,
		TLS: TLS{Mode: TLSInternal},
		SSH: SSH{HostKeyChecking: "strict"},
	}
	doc.Unknown = meantHost
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

// meantHost sees a host whose name has dots and no quotes.
func meantHost(path, name string, value any) string {
	table, _ := value.(map[string]any)
	if strict.Parent(path) != "hosts" || table["address"] == nil && table["roles"] == nil {
		return ""
	}
	_, host, _ := strings.Cut(path, ".")
	return fmt.Sprintf("a host's name with dots is written in quotes: [hosts.%q]", host+"."+name)
}

// checker adds a problem to the document for everything that is not as it should be.
type checker struct{ *strict.Document }

// path makes a path usable and keeps control characters out of it.
func (c checker) path(key string, path *string) {
	if !c.clean(key, *path) {
		*path = ""
		return
	}
	*path = c.Path(*path)
}
