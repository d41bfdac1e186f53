package digitalocean

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/cloud"
	"provision/remote"
)

// estate is all that an account has of one inventory's, in the order in which it is destroyed.
type estate struct {
	droplets  []godo.Droplet // agents', then the server's
	firewalls []godo.Firewall
	addresses []string
	records   []godo.DomainRecord
	networks  []*godo.VPC
	tags      []string
	volumes   []godo.Volume
	shared    bool // something that stays carries the inventory's tag
}

// Estate looks up what there is. Ours is what carries the inventory's tag or, where a thing cannot
// carry one, what a tag names.
func (c *client) Estate(of cloud.Listing) (*cloud.Estate, error) {
	l, d := of.(*listing).Listing, c.p.d
	found := &estate{volumes: l.Volumes}
	e := &cloud.Estate{Name: d.Name, Found: found}
	for _, v := range l.Volumes {
		e.Volumes = append(e.Volumes, v.Name)
		e.VolumesInWords = append(e.VolumesInWords, remote.Sanitize(fmt.Sprintf("volume %s (%d GiB), with its data", v.Name, v.SizeGigaBytes)))
	}
	goes := func(format string, args ...any) {
		e.Goes = append(e.Goes, remote.Sanitize(fmt.Sprintf(format, args...)))
	}
	stays := func(format string, args ...any) {
		e.Stays = append(e.Stays, remote.Sanitize(fmt.Sprintf(format, args...)))
	}
	for _, one := range l.Droplets {
		if d.HostOf(one.Tags) == "" {
			found.shared = true
			stays("droplet %s (id %d), which has the tag and no name of a host", one.Name, one.ID)
			continue
		}
		found.droplets = append(found.droplets, one)
	}
	server := func(one godo.Droplet) int {
		if slices.Contains(one.Tags, d.RoleTag(inventory.RoleServer)) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(found.droplets, func(a, b godo.Droplet) int {
		return cmp.Or(server(a)-server(b), strings.Compare(d.HostOf(a.Tags), d.HostOf(b.Tags)))
	})
	ours := map[string]bool{} // addresses
	for _, one := range found.droplets {
		goes("droplet %s (id %d)", d.HostOf(one.Tags), one.ID)
		ours[placeOf(one).Address] = true
	}
	for _, f := range l.Firewalls {
		if OwnFirewall(d, f) {
			found.firewalls = append(found.firewalls, f)
			goes("firewall %s", f.Name)
		}
	}
	for _, name := range d.Named(l.Tags) {
		for _, ip := range d.Addresses(l.Tags, name) {
			ours[ip] = true
			if slices.ContainsFunc(l.Addresses, func(r godo.ReservedIP) bool { return r.IP == ip }) {
				found.addresses = append(found.addresses, ip)
				goes("reserved IP %s", ip)
			}
		}
	}
	for _, ip := range l.Addresses {
		if ip.Droplet != nil && !slices.Contains(found.addresses, ip.IP) && slices.ContainsFunc(found.droplets, func(one godo.Droplet) bool { return one.ID == ip.Droplet.ID }) {
			stays("reserved IP %s, which no tag names", ip.IP)
		}
	}
	for _, r := range l.Records {
		if r.Type == "A" && ours[r.Data] {
			found.records = append(found.records, r)
			goes("dns record %s A %s", c.p.inv.Hostname(), r.Data)
		} else {
			stays("dns record %s %s %s, which is not of ours", c.p.inv.Hostname(), r.Type, r.Data)
		}
	}
	for _, v := range l.VPCs {
		if OwnNetwork(d, v) {
			found.networks = append(found.networks, v)
			goes("vpc %s", v.Name)
		}
	}
	for _, t := range l.Tags {
		if strings.HasPrefix(t, d.Tag()+":") {
			found.tags = append(found.tags, t)
		}
	}
	if slices.Contains(l.Tags, d.Tag()) {
		found.tags = append(found.tags, d.Tag())
	}
	if len(e.Goes)+len(found.volumes)+len(found.tags) == 0 {
		return nil, nothing("nothing in the account carries the tag " + d.Tag())
	}
	return e, nil
}

// DestroyAll goes in order: agents, server, firewalls, reserved IPs, the record, the network, and with them the volumes if that is
// asked for.
func (c *client) DestroyAll(ctx context.Context, w cloud.Work, of *cloud.Estate, withVolumes bool) (stays []string, err error) {
	r, d, e := w.Run, c.p.d, of.Found.(*estate)
	stays = slices.Clone(of.Stays)
	// The record of a server without a reserved IP is known by the server's address alone, which is
	// remembered until the record is gone.
	for _, one := range e.droplets {
		address, host := placeOf(one).Address, d.HostOf(one.Tags)
		if slices.ContainsFunc(e.records, func(r godo.DomainRecord) bool { return r.Data == address }) {
			if err := Remember(ctx, r, d.AddressTag(host, address)); err != nil {
				return stays, w.Failed("destroy droplet "+host, err)
			}
			e.tags = append(e.tags, d.AddressTag(host, address))
		}
	}
	for _, one := range e.droplets {
		if err := c.end(ctx, w, d.HostOf(one.Tags), one); err != nil {
			return stays, err
		}
	}
	gone := func(what string, f func() error) {
		if err != nil {
			return
		}
		w.Progress("", "destroy "+what, "deleting")
		if problem := f(); !Missing(problem) {
			err = w.Failed("destroy "+what, problem)
		}
	}
	for _, f := range e.firewalls {
		gone("firewall "+f.Name, func() error { _, err := c.Firewalls.Delete(ctx, f.ID); return err })
	}
	for _, ip := range e.addresses {
		gone("reserved IP "+ip, func() error { return DestroyAddress(ctx, r, ip) })
	}
	for _, rec := range e.records {
		gone("dns record", func() error { _, err := c.Domains.DeleteRecord(ctx, d.Domain, rec.ID); return err })
	}
	for _, v := range e.networks {
		gone("vpc "+v.Name, func() error {
			err := c.WhenFreeInTime(ctx, "the private network is deleted", func(ctx context.Context) error {
				_, err := c.VPCs.Delete(ctx, v.ID)
				return err
			})
			if Status(err) == 403 || Status(err) == 409 {
				stays = append(stays, fmt.Sprintf("vpc %s, which the API keeps: %s", v.Name, apiCause(err)))
				return nil
			}
			return err
		})
	}
	for _, v := range e.volumes {
		if withVolumes {
			gone("volume "+v.Name, func() error { return DestroyVolume(ctx, r, v.ID) })
		} else {
			stays = append(stays, fmt.Sprintf("the volume %s, with its data", v.Name))
		}
	}
	for _, t := range e.tags {
		if t != d.Tag() || !e.shared && (withVolumes || len(e.volumes) == 0) {
			gone("tag "+t, func() error { _, err := c.Tags.Delete(ctx, t); return err })
		}
	}
	return stays, err
}
