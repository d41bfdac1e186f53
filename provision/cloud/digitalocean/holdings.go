package digitalocean

import (
	"slices"
	"strings"

	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/cloud/digitalocean/declared"
	"provision/remote"
)

// hostOf is the host of that name, if it is a droplet; else nil.
func hostOf(inv *inventory.Inventory, name string) *inventory.Host {
	for _, h := range droplets(inv) {
		if h.Name == name {
			return h
		}
	}
	return nil
}

func (c *client) Holdings(of cloud.Listing) *cloud.Holdings {
	l, d := of.(*listing).Listing, c.p.d
	out := []cloud.Machine{}
	seen := map[string]bool{}
	for _, one := range l.Droplets {
		s := cloud.Machine{Name: d.HostOf(one.Tags), ID: one.ID, Status: remote.Sanitize(one.Status), Size: remote.Sanitize(one.SizeSlug), SetUp: declared.BirthKey(one.Tags) == ""}
		if s.Name == "" {
			s.Name = remote.Sanitize(one.Name) // it has the inventory's tag and no name of ours
		} else if h := hostOf(c.p.inv, s.Name); h != nil {
			s.Declared, s.Roles = true, h.Roles
			seen[s.Name] = true
		}
		s.Address = placeOf(one).Address
		for _, ip := range l.Addresses {
			if ip.Droplet != nil && ip.Droplet.ID == one.ID {
				s.Reserved = remote.Sanitize(ip.IP)
			}
		}
		if one.Size != nil {
			s.Monthly = one.Size.PriceMonthly
		}
		if one.Region != nil {
			s.Region = remote.Sanitize(one.Region.Slug)
		}
		out = append(out, s)
	}
	for _, h := range droplets(c.p.inv) {
		if !seen[h.Name] {
			s := cloud.Machine{Name: h.Name, Status: "missing", Size: dropletOf(h).Size, Region: dropletOf(h).Region, Roles: h.Roles, Declared: true}
			if l.Catalog != nil {
				for _, size := range l.Catalog.Sizes {
					if size.Slug == s.Size {
						s.Monthly = size.PriceMonthly
					}
				}
			}
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b cloud.Machine) int { return strings.Compare(a.Name, b.Name) })
	return &cloud.Holdings{Droplets: out, Left: Undeclared(c.p.inv, l), Existing: CostOf(c.p.inv, l)}
}
