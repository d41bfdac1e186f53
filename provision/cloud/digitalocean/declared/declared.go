// Package declared is what an inventory says of DigitalOcean: the account, the droplets, and the names and tags that follow from them.
// It asks nobody.
package declared

import (
	"fmt"

	"provision/inventory"
	"provision/inventory/strict"
)

// Tables are DigitalOcean's tables of an inventory.
type Tables struct {
	// Account is the account and the defaults for droplets.
	//
	// It is nil without that table.
	Account *Account `toml:"digitalocean"`
	// Droplets are the machines to be created there, by name.
	//
	// Load has put them among the Hosts, too.
	Droplets []Droplet `toml:"droplets,named"`
}

// Noun is what a machine is called.
const Noun = "droplet"

// New makes empty tables.
func New() inventory.Tables { return &Tables{} }

// In are the tables of an inventory; without any they are empty.
func In(inv *inventory.Inventory) *Tables {
	for _, tables := range inv.Clouds {
		if own, ok := tables.(*Tables); ok {
			return own
		}
	}
	return &Tables{}
}

// Check is for inventory.Load.
func (t *Tables) Check(c inventory.Checker) {
	if t.Account != nil {
		t.Account.check(c)
	}
	for n := range t.Droplets {
		t.Droplets[n].check(c, t.Account)
	}
	if t.Account == nil {
		return
	}
	t.volumes(c)
	for _, m := range t.Members() {
		t.Account.hosts = append(t.Account.hosts, m.Name)
	}
}

// Members are the hosts that are droplets. The images that DigitalOcean has log root in.
func (t *Tables) Members() []inventory.Member {
	var all []inventory.Member
	kind := Noun
	if t.Account == nil {
		kind = "" // Check says that there is nothing to create it in
	}
	for n := range t.Droplets {
		d := &t.Droplets[n]
		for _, name := range d.Names() {
			all = append(all, inventory.Member{
				Key: strict.Key("droplets", d.Name), Name: name, Roles: d.Roles, User: "root", Concurrency: d.Concurrency, Queues: d.Queues, Kind: kind, Machine: d,
			})
		}
	}
	return all
}

// Machines is the table of the droplets.
func (t *Tables) Machines() string { return "droplets" }

// DestroyAll destroys what the account has.
func (t *Tables) DestroyAll() string {
	if t.Account == nil {
		return ""
	}
	return "provision droplet destroy --all"
}

// Domain is the one that is managed in the account.
func (t *Tables) Domain() string {
	if t.Account == nil {
		return ""
	}
	return t.Account.Domain
}

// volumes refuses two droplets whose volumes would have one name.
func (t *Tables) volumes(c inventory.Checker) {
	seen := map[string]*Droplet{}
	for n := range t.Droplets {
		d := &t.Droplets[n]
		if d.Volume == 0 {
			continue
		}
		name := t.Account.VolumeName(d.Names()[0])
		if first := seen[name]; first != nil {
			c.Add(strict.Key(strict.Key("droplets", d.Name), "volume"), fmt.Sprintf("is called %s, as that of %s: a volume's name has no dots", name, first.Name), "give one of the two another name")
		}
		seen[name] = d
	}
}
