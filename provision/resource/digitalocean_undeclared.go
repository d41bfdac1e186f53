package resource

import (
	"fmt"
	"slices"

	"provision/inventory"
)

// What the API has no price list for, in US dollars a month.
const (
	volumeGiBPrice = 0.10
	idleIPPrice    = 5.00 // of a reserved IP that no droplet has
)

// Spare is something of the inventory's that costs money and that nothing declares.
type Spare struct {
	Kind    string  `json:"kind"` // volume, reserved ip
	Name    string  `json:"name"`
	Region  string  `json:"region,omitempty"`
	Host    string  `json:"host,omitempty"`    // that an address is remembered for
	Droplet int     `json:"droplet,omitempty"` // that has it
	GiB     int64   `json:"gib,omitempty"`
	Monthly float64 `json:"monthly"` // dollars
}

func (l Spare) String() string {
	switch {
	case l.Kind == "volume":
		return fmt.Sprintf("volume %s (%d GiB, $%.2f a month) is not declared any more, and stays with its data; it can be deleted on the account's page", l.Name, l.GiB, l.Monthly)
	case l.Droplet != 0:
		return fmt.Sprintf("reserved IP %s of %s is not declared any more, and costs $%.2f a month as soon as no droplet has it; it can be given up on the account's page", l.Name, l.Host, idleIPPrice)
	}
	return fmt.Sprintf("reserved IP %s of %s is not declared any more, and costs $%.2f a month; it can be given up on the account's page", l.Name, l.Host, l.Monthly)
}

// Undeclared are the volumes with the inventory's tag, and the addresses that its tags name, that no
// droplet of the inventory declares.
func Undeclared(inv *inventory.Inventory, l *inventory.Listing) (out []Spare) {
	d := inv.DigitalOcean
	declared := func(is func(inventory.Host) bool) bool {
		return slices.ContainsFunc(inv.Hosts, func(h inventory.Host) bool { return h.Droplet != nil && is(h) })
	}
	for _, v := range l.Volumes {
		if declared(func(h inventory.Host) bool { return h.Droplet.Volume > 0 && CloudVolumeName(d, h.Name) == v.Name }) {
			continue
		}
		one := Spare{Kind: "volume", Name: clean(v.Name), GiB: v.SizeGigaBytes, Monthly: float64(v.SizeGigaBytes) * volumeGiBPrice}
		if v.Region != nil {
			one.Region = clean(v.Region.Slug)
		}
		if len(v.DropletIDs) > 0 {
			one.Droplet = v.DropletIDs[0]
		}
		out = append(out, one)
	}
	for _, host := range d.Named(l.Tags) {
		if declared(func(h inventory.Host) bool { return h.Name == host && h.Droplet.ReservedIP }) {
			continue
		}
		ours := d.Addresses(l.Tags, host)
		for _, ip := range l.Addresses {
			if !slices.Contains(ours, ip.IP) {
				continue
			}
			one := Spare{Kind: "reserved ip", Name: clean(ip.IP), Host: clean(host), Monthly: idleIPPrice}
			if ip.Region != nil {
				one.Region = clean(ip.Region.Slug)
			}
			if ip.Droplet != nil {
				one.Droplet, one.Monthly = ip.Droplet.ID, 0
			}
			out = append(out, one)
		}
	}
	return out
}
