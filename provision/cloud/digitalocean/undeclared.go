package digitalocean

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// What the API has no price list for, in US dollars a month.
const (
	volumeGiBPrice = 0.10
	idleIPPrice    = 5.00 // of a reserved IP that no droplet has
	weeklyShare    = 0.20 // of the droplet's price, for backups
	otherShare     = 0.30 // daily ones
)

// backupsShare is what backups add to a droplet's price. One that has none gets weekly ones.
func backupsShare(plan string) float64 {
	if plan == "" || plan == WeeklyBackups {
		return weeklyShare
	}
	return otherShare
}

// Cost is what all that is declared costs; false where the price of a size is not known.
func (c *CloudAccount) Cost(w resource.World) (sum cloud.Cost, ok bool) {
	have, _ := catalog(w)
	for _, h := range c.Hosts {
		rec, _ := w.Fact(DropletID(h.Name))
		price, err := strconv.ParseFloat(rec.Fields["price"], 64)
		if rec.Fields["size"] != dropletOf(h).Size {
			n := slices.IndexFunc(have.Sizes, func(s godo.Size) bool { return s.Slug == dropletOf(h).Size })
			if n < 0 {
				return cloud.Cost{}, false
			}
			price, err = have.Sizes[n].PriceMonthly, nil
		}
		if err != nil {
			return cloud.Cost{}, false
		}
		sum.Droplets += price
		if c.D.Backups {
			sum.Backups += price * backupsShare(rec.Fields["plan"])
		}
		sum.Volumes += float64(dropletOf(h).Volume) * volumeGiBPrice
	}
	return sum.InCents(), true
}

// CostOf is what all that is there costs.
func CostOf(inv *inventory.Inventory, l *Listing) (sum cloud.Cost) {
	for _, one := range l.Droplets {
		if one.Size == nil {
			continue
		}
		sum.Droplets += one.Size.PriceMonthly
		if slices.Contains(one.Features, "backups") {
			sum.Backups += one.Size.PriceMonthly * backupsShare(cmp.Or(l.Plans[one.ID], "unknown"))
		}
	}
	for _, v := range l.Volumes {
		sum.Volumes += float64(v.SizeGigaBytes) * volumeGiBPrice
	}
	for _, s := range Undeclared(inv, l) {
		if s.Kind != "volume" {
			sum.Addresses += s.Monthly
		}
	}
	return sum.InCents()
}

// spare says what is to be known of it.
func spare(l cloud.Spare) string {
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
func Undeclared(inv *inventory.Inventory, l *Listing) (out []cloud.Spare) {
	out = []cloud.Spare{}
	d := declared.In(inv).Account
	among := func(is func(inventory.Host) bool) bool {
		return slices.ContainsFunc(inv.Hosts, func(h inventory.Host) bool { return h.Machine != nil && is(h) })
	}
	for _, v := range l.Volumes {
		if among(func(h inventory.Host) bool { return dropletOf(&h).Volume > 0 && d.VolumeName(h.Name) == v.Name }) {
			continue
		}
		one := cloud.Spare{Kind: "volume", Name: clean(v.Name), GiB: v.SizeGigaBytes, Monthly: cloud.Cents(float64(v.SizeGigaBytes) * volumeGiBPrice)}
		if v.Region != nil {
			one.Region = clean(v.Region.Slug)
		}
		if len(v.DropletIDs) > 0 {
			one.Droplet = v.DropletIDs[0]
		}
		out = append(out, one)
	}
	for _, host := range d.Named(l.Tags) {
		if among(func(h inventory.Host) bool { return h.Name == host && dropletOf(&h).ReservedIP }) {
			continue
		}
		ours := d.Addresses(l.Tags, host)
		for _, ip := range l.Addresses {
			if !slices.Contains(ours, ip.IP) {
				continue
			}
			one := cloud.Spare{Kind: "reserved ip", Name: clean(ip.IP), Host: clean(host), Monthly: idleIPPrice}
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
