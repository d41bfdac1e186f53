// Package clouds is the table of the clouds that there are.
package clouds

import (
	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/cloud/digitalocean"
)

// table has a row for each cloud: its provider where the inventory declares something in it, else nil.
var table = []func(*inventory.Inventory) cloud.Provider{
	digitalocean.Of,
}

// Of is the cloud of an inventory; nil where it has none.
func Of(inv *inventory.Inventory) cloud.Provider {
	for _, of := range table {
		if p := of(inv); p != nil {
			return p
		}
	}
	return nil
}
