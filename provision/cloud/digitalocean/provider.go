// Package digitalocean is DigitalOcean: droplets, and what they are made with.
package digitalocean

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// provider is the cloud with what an inventory declares in it.
type provider struct {
	inv *inventory.Inventory
	d   *declared.Account
}

// Of is the provider of an inventory with [digitalocean], else nil.
func Of(inv *inventory.Inventory) cloud.Provider {
	if declared.In(inv).Account == nil {
		return nil
	}
	return &provider{inv, declared.In(inv).Account}
}

// droplets are the hosts that are droplets.
func droplets(inv *inventory.Inventory) (out []*inventory.Host) {
	for n := range inv.Hosts {
		if inv.Hosts[n].Machine != nil {
			out = append(out, &inv.Hosts[n])
		}
	}
	return out
}

// dropletOf is what a host is made from; nil for a machine that exists already.
func dropletOf(h *inventory.Host) *declared.Droplet {
	d, _ := h.Machine.(*declared.Droplet)
	return d
}

func (p *provider) Noun() string { return declared.Noun }

func (p *provider) Offer(h *inventory.Host) (size, region string) {
	d := dropletOf(h)
	if d == nil {
		return "", ""
	}
	return d.Size, d.Region
}

func (p *provider) Ready(h *inventory.Host) []resource.ID {
	if h.Machine == nil {
		return nil
	}
	return []resource.ID{resource.HostKeyID(h.Name)}
}

func (p *provider) Of(host string) []resource.ID {
	return []resource.ID{resource.HostKeyID(host), ReservedIPID(host)}
}

func (p *provider) Disk(h *inventory.Host) *cloud.Disk {
	if d := dropletOf(h); d == nil || d.Volume == 0 {
		return nil
	}
	return &cloud.Disk{
		ID: CloudVolumeID(h.Name), Device: "/dev/disk/by-id/scsi-0DO_Volume_" + p.d.VolumeName(h.Name),
		After: append(p.Ready(h), DropletID(h.Name)),
	}
}

func (p *provider) Role(r resource.Resource) cloud.Role {
	switch r.(type) {
	case *SurplusDroplets:
		return cloud.Surplus
	case *PublicName:
		return cloud.Wait
	case *CloudAccount, *Strays:
		return cloud.Question
	}
	return cloud.Thing
}

func (p *provider) Cost(w resource.World) (cloud.Cost, bool) {
	hosts := droplets(p.inv)
	if len(hosts) == 0 {
		return cloud.Cost{}, false
	}
	return (&CloudAccount{D: p.d, Hosts: hosts}).Cost(w)
}

func (p *provider) Open(ctx context.Context, pace cloud.Pace, onWait func(string, time.Duration)) (cloud.Account, error) {
	a, err := open(ctx, p.d, p.inv.Dir, pace)
	if err != nil {
		return nil, &cloud.Error{Err: err, Cause: err.Error(), Hint: "make a token with the scopes that docs/digitalocean.md lists, then: export DIGITALOCEAN_TOKEN=..."}
	}
	a.OnWait = onWait
	return &client{a, p}, nil
}

// client is the account of a provider.
type client struct {
	*Account
	p *provider
}

// account is the one that a run has.
func account(r *resource.Run) *Account { return r.Account.(*client).Account }

func (c *client) List(ctx context.Context) (cloud.Listing, error) {
	l, err := c.Account.List(ctx, c.p.inv)
	if err != nil {
		return nil, err
	}
	return &listing{l, c.p.d}, nil
}

func (c *client) Place(ctx context.Context, host string) (cloud.Place, bool, error) {
	found, err := c.Named(ctx, c.p.d, host)
	if err != nil || len(found) == 0 {
		return cloud.Place{}, false, err
	}
	return placeOf(found[0]), true, nil
}

type listing struct {
	*Listing
	d *declared.Account
}

func (l *listing) Fact(r resource.Resource) (resource.Fact, bool) {
	looker, ok := r.(Looker)
	if !ok {
		return resource.Fact{}, false
	}
	return looker.Look(l.Listing), true
}

func (l *listing) Places() map[string]cloud.Place {
	places := map[string]cloud.Place{}
	for _, one := range l.Droplets {
		name := l.d.HostOf(one.Tags)
		if _, first := places[name]; name != "" && !first {
			places[name] = placeOf(one)
		}
	}
	return places
}

// placeOf is where a droplet is found. Its host key is known by its tags.
func placeOf(one godo.Droplet) cloud.Place {
	address, err := one.PublicIPv4()
	if err != nil {
		address = "" // it has no networks yet
	}
	return cloud.Place{Address: address, Sums: declared.HostKeys(one.Tags), Newborn: declared.BirthKey(one.Tags) != ""}
}

// nothing is the error of who names what is not there.
func nothing(text string) error {
	return &cloud.Error{Err: errors.New(text), Cause: text, Hint: "provision droplet list", Usage: true}
}

// volumeOf is the one of these volumes that is the host's; nil if there is none.
func (c *client) volumeOf(all []godo.Volume, host string) *godo.Volume {
	n := slices.IndexFunc(all, func(v godo.Volume) bool { return v.Name == c.p.d.VolumeName(host) })
	if n < 0 {
		return nil
	}
	return &all[n]
}
