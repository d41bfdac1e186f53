package digitalocean

import (
	"context"
	"slices"
	"strconv"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// ReservedIP is an address that outlives its droplet. It cannot carry a tag, so it is made for the
// droplet, of which there can be but one, and then remembered by a tag that is on nothing.
type ReservedIP struct {
	D    *declared.Account
	Host *inventory.Host
}

var (
	_ resource.Resource = (*ReservedIP)(nil)
	_ Looker            = (*ReservedIP)(nil)
)

// ReservedIPID is the ID of a host's reserved IP.
func ReservedIPID(host string) resource.ID { return resource.ID{Kind: "reserved ip", Name: host} }

func (a *ReservedIP) ID() resource.ID { return ReservedIPID(a.Host.Name) }
func (a *ReservedIP) Needs() []resource.ID {
	return []resource.ID{CloudAccountID(), DropletID(a.Host.Name)}
}
func (a *ReservedIP) Probe(*resource.Script) {}

// in is the address of the droplet, else one that is remembered and nobody's. droplet is 0 where there is none.
func (a *ReservedIP) in(all []godo.ReservedIP, tags []string, droplet int) (ip *godo.ReservedIP, known bool) {
	remembered := a.D.Addresses(tags, a.Host.Name)
	for n := range all {
		if on := all[n].Droplet; droplet != 0 && on != nil && on.ID == droplet {
			return &all[n], slices.Contains(remembered, all[n].IP)
		}
	}
	for n := range all {
		if all[n].Droplet == nil && slices.Contains(remembered, all[n].IP) {
			return &all[n], true
		}
	}
	return nil, false
}

func (a *ReservedIP) Look(l *Listing) resource.Fact {
	droplet := 0
	for _, one := range l.Droplets {
		if a.D.HostOf(one.Tags) == a.Host.Name {
			droplet = one.ID
			break
		}
	}
	ip, known := a.in(l.Addresses, l.Tags, droplet)
	if ip == nil {
		return absent()
	}
	on := ""
	if ip.Droplet != nil {
		on = strconv.Itoa(ip.Droplet.ID)
	}
	return present("ip", ip.IP, "on", on, "known", strconv.FormatBool(known))
}

func (a *ReservedIP) Diff(w resource.World) []resource.Change {
	rec, know := w.Fact(a.ID())
	switch {
	case know == resource.No:
		return []resource.Change{{ID: a.ID(), Act: resource.Add, Why: "the droplet has no reserved IP"}}
	case know == resource.Yes && rec.Fields["on"] == "":
		return []resource.Change{{ID: a.ID(), Act: resource.Modify, Why: clean(rec.Fields["ip"]) + " is not on the droplet"}}
	case know == resource.Yes && rec.Fields["known"] != "true":
		return []resource.Change{{ID: a.ID(), Act: resource.Modify, Why: clean(rec.Fields["ip"]) + " is on the droplet and not remembered by a tag"}}
	}
	return nil
}

func (a *ReservedIP) Do(ctx context.Context, r *resource.Run, _ resource.Change) error {
	one, err := named(ctx, r, a.D, a.Host.Name)
	if err != nil {
		return err
	}
	droplet := one.ID
	tags, err := account(r).TagNames(ctx)
	if err != nil {
		return err
	}
	find := func(ctx context.Context) (*godo.ReservedIP, error) {
		if _, _, err := account(r).Droplets.Get(ctx, droplet); err != nil {
			return nil, err
		}
		all, err := account(r).Reserved(ctx)
		ip, _ := a.in(all, tags, droplet)
		return ip, err
	}
	begun := false // the creation assigns it, too
	var assigning []godo.LinkAction
	ip, err := once(ctx, r, a.ID(), find, func(ctx context.Context) (made *godo.ReservedIP, err error) {
		err = account(r).WhenFree(ctx, "the droplet takes a reserved IP", func(ctx context.Context) (err error) {
			var resp *godo.Response
			made, resp, err = account(r).ReservedIPs.Create(ctx, &godo.ReservedIPCreateRequest{DropletID: droplet})
			if err == nil && resp.Links != nil {
				assigning = resp.Links.Actions
			}
			return err
		})
		begun = err == nil
		return made, err
	})
	if err != nil {
		return err
	}
	if err := makeTag(ctx, r, a.D.AddressTag(a.Host.Name, ip.IP)); err != nil {
		return err
	}
	if ip.Droplet == nil && !begun {
		if err := act(ctx, r, "the droplet takes "+ip.IP, func(ctx context.Context) (*godo.Action, error) {
			action, _, err := account(r).ReservedIPActions.Assign(ctx, ip.IP, droplet)
			return action, err
		}); err != nil {
			return err
		}
	}
	for _, action := range assigning {
		if err := account(r).Done(ctx, "the droplet takes "+ip.IP, action.ID); err != nil {
			return err
		}
	}
	return account(r).Until(ctx, ip.IP+" is on the droplet", func(ctx context.Context) (bool, error) {
		now, _, err := account(r).ReservedIPs.Get(ctx, ip.IP)
		return err == nil && now.Droplet != nil && now.Droplet.ID == droplet, ignoreStatus(err, 404)
	})
}
