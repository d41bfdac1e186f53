// Package clouds is the table of the clouds that there are.
package clouds

import (
	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/cloud/digitalocean"
	"provision/provision/cloud/digitalocean/declared"
)

// table has a row for each cloud.
var table = []struct {
	// layout is an inventory to begin with.
	layout inventory.Layout
	// declared makes its empty tables of an inventory.
	declared inventory.Cloud
	// provider is the cloud where the inventory declares something in it, else nil.
	provider func(*inventory.Inventory) cloud.Provider
}{
	{declared.Layout, declared.New, digitalocean.Of},
}

// Declared are the tables that an inventory may have, for inventory.Load.
func Declared() (all []inventory.Cloud) {
	for _, row := range table {
		all = append(all, row.declared)
	}
	return all
}

// Layouts are what init can begin with, beside the layouts of machines that exist already.
func Layouts() (all []inventory.Layout) {
	for _, row := range table {
		all = append(all, row.layout)
	}
	return all
}

// Of is the cloud of an inventory; nil where it has none.
func Of(inv *inventory.Inventory) cloud.Provider {
	for _, row := range table {
		if p := row.provider(inv); p != nil {
			return p
		}
	}
	return nil
}
