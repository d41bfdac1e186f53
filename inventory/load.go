package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"provision/inventory/strict"
)

const plainPort = 4200 // where Caddy listens without TLS

// Load reads and checks an inventory that may have tables of the clouds. With problems the inventory holds what could be read, or is
// nil if the file is not TOML; it is good for finding further mistakes and for nothing else.
func Load(path string, clouds ...Cloud) (*Inventory, strict.Problems) {
	doc, problems := strict.Open(path)
	if problems != nil {
		return nil, problems
	}
	return load(doc, clouds)
}

func load(doc *strict.Document, clouds []Cloud) (*Inventory, strict.Problems) {
	inv := &Inventory{
		File: doc.File, Dir: doc.Dir, doc: doc,
		TLS: TLS{Mode: TLSInternal},
		SSH: SSH{HostKeyChecking: "strict"},
	}
	doc.Unknown = meantHost
	into := []any{inv}
	for _, empty := range clouds {
		tables := empty()
		inv.Clouds, into = append(inv.Clouds, tables), append(into, tables)
	}
	doc.Decode(into...)
	slices.SortFunc(inv.Hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })

	c := Checker{doc}
	c.path("stack", &inv.Stack)
	c.ssh(&inv.SSH)
	c.site(&inv.Site)
	for n := range inv.Hosts {
		c.host(&inv.Hosts[n], &inv.SSH)
	}
	for _, tables := range inv.Clouds {
		tables.Check(c)
	}
	c.names(inv)
	c.addresses(inv)
	c.roles(inv)
	c.tls(inv)
	c.url(inv)
	inv.made()
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

// Checker adds a problem to the document for everything that is not as it should be.
type Checker struct{ *strict.Document }

// path makes a path usable and keeps control characters out of it.
func (c Checker) path(key string, path *string) {
	if !c.Clean(key, *path) {
		*path = ""
		return
	}
	*path = c.Path(*path)
}
