package provision

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/resource"
	"provision/remote"
)

// Estate is all that an account has of one inventory's, in the order in which it is destroyed.
type Estate struct {
	Droplets  []godo.Droplet // agents', then the server's
	firewalls []godo.Firewall
	addresses []string
	records   []godo.DomainRecord
	networks  []*godo.VPC
	tags      []string
	volumes   []godo.Volume
	// Goes and Stays are all of it in words, but for volumes.
	Goes, Stays []string
	shared      bool // something that stays carries the inventory's tag
}

// Volumes are the names of the volumes, which stay unless all of them are named.
func (e *Estate) Volumes() (names []string) {
	for _, v := range e.volumes {
		names = append(names, v.Name)
	}
	return names
}

// VolumesInWords says of each volume how large it is and that its data is on it.
func (e *Estate) VolumesInWords() (out []string) {
	for _, v := range e.volumes {
		out = append(out, remote.Sanitize(fmt.Sprintf("volume %s (%d GiB), with its data", v.Name, v.SizeGigaBytes)))
	}
	return out
}

// Estate looks up what there is. Ours is what carries the inventory's tag or, where a thing cannot
// carry one, what a tag names; nothing is done.
func (p *Pass) Estate(ctx context.Context) (*Estate, error) {
	l, err := p.listing(ctx)
	if err != nil {
		return nil, err
	}
	d := p.System.Inventory.DigitalOcean
	e := &Estate{volumes: l.Volumes}
	goes := func(format string, args ...any) {
		e.Goes = append(e.Goes, remote.Sanitize(fmt.Sprintf(format, args...)))
	}
	stays := func(format string, args ...any) {
		e.Stays = append(e.Stays, remote.Sanitize(fmt.Sprintf(format, args...)))
	}
	for _, one := range l.Droplets {
		if d.HostOf(one.Tags) == "" {
			e.shared = true
			stays("droplet %s (id %d), which has the tag and no name of a host", one.Name, one.ID)
			continue
		}
		e.Droplets = append(e.Droplets, one)
	}
	server := func(one godo.Droplet) int {
		if slices.Contains(one.Tags, d.RoleTag(inventory.RoleServer)) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(e.Droplets, func(a, b godo.Droplet) int {
		return cmp.Or(server(a)-server(b), strings.Compare(d.HostOf(a.Tags), d.HostOf(b.Tags)))
	})
	ours := map[string]bool{} // addresses
	for _, one := range e.Droplets {
		goes("droplet %s (id %d)", d.HostOf(one.Tags), one.ID)
		ours[placeOf(one).address] = true
	}
	for _, f := range l.Firewalls {
		if resource.OwnFirewall(d, f) {
			e.firewalls = append(e.firewalls, f)
			goes("firewall %s", f.Name)
		}
	}
	for _, name := range d.Named(l.Tags) {
		for _, ip := range d.Addresses(l.Tags, name) {
			ours[ip] = true
			if slices.ContainsFunc(l.Addresses, func(r godo.ReservedIP) bool { return r.IP == ip }) {
				e.addresses = append(e.addresses, ip)
				goes("reserved IP %s", ip)
			}
		}
	}
	for _, ip := range l.Addresses {
		if ip.Droplet != nil && !slices.Contains(e.addresses, ip.IP) && slices.ContainsFunc(e.Droplets, func(one godo.Droplet) bool { return one.ID == ip.Droplet.ID }) {
			stays("reserved IP %s, which no tag names", ip.IP)
		}
	}
	for _, r := range l.Records {
		if r.Type == "A" && ours[r.Data] {
			e.records = append(e.records, r)
			goes("dns record %s A %s", p.System.Inventory.Hostname(), r.Data)
		} else {
			stays("dns record %s %s %s, which is not of ours", p.System.Inventory.Hostname(), r.Type, r.Data)
		}
	}
	for _, v := range l.VPCs {
		if resource.OwnNetwork(d, v) {
			e.networks = append(e.networks, v)
			goes("vpc %s", v.Name)
		}
	}
	for _, t := range l.Tags {
		if strings.HasPrefix(t, d.Tag()+":") {
			e.tags = append(e.tags, t)
		}
	}
	if slices.Contains(l.Tags, d.Tag()) {
		e.tags = append(e.tags, d.Tag())
	}
	if len(e.Goes)+len(e.volumes)+len(e.tags) == 0 {
		return nil, Usage("provision droplet list", "nothing in the account carries the tag %s", d.Tag())
	}
	return e, nil
}

// DestroyAll destroys it in order: agents, server, firewalls, reserved IPs, the record, the network,
// and with them the volumes if that is asked for. Killed in between, the next one goes on. It says
// what could not be had.
func (p *Pass) DestroyAll(ctx context.Context, e *Estate, withVolumes bool) (stays []string, err error) {
	r, d := p.runner(1), p.System.Inventory.DigitalOcean
	stays = e.Stays
	// The record of a server without a reserved IP is known by the server's address alone, which is
	// remembered until the record is gone.
	for _, one := range e.Droplets {
		address, host := placeOf(one).address, d.HostOf(one.Tags)
		if slices.ContainsFunc(e.records, func(r godo.DomainRecord) bool { return r.Data == address }) {
			if err := resource.Remember(ctx, r, d.AddressTag(host, address)); err != nil {
				return stays, hostError("", "destroy droplet "+host, ExitCloud, err)
			}
			e.tags = append(e.tags, d.AddressTag(host, address))
		}
	}
	for _, one := range e.Droplets {
		if err := p.end(ctx, r, d.HostOf(one.Tags), one); err != nil {
			return stays, err
		}
	}
	gone := func(what string, f func() error) {
		if err != nil {
			return
		}
		p.emit(Event{Type: "progress", Step: "destroy " + what, Text: "deleting"})
		if problem := f(); !inventory.Missing(problem) {
			err = hostError("", "destroy "+what, ExitCloud, problem)
		}
	}
	for _, f := range e.firewalls {
		gone("firewall "+f.Name, func() error { _, err := r.Account.Firewalls.Delete(ctx, f.ID); return err })
	}
	for _, ip := range e.addresses {
		gone("reserved IP "+ip, func() error { return resource.DestroyAddress(ctx, r, ip) })
	}
	for _, rec := range e.records {
		gone("dns record", func() error { _, err := r.Account.Domains.DeleteRecord(ctx, d.Domain, rec.ID); return err })
	}
	for _, v := range e.networks {
		gone("vpc "+v.Name, func() error {
			err := r.Account.WhenFreeInTime(ctx, "the private network is deleted", func(ctx context.Context) error {
				_, err := r.Account.VPCs.Delete(ctx, v.ID)
				return err
			})
			if inventory.Status(err) == 403 || inventory.Status(err) == 409 {
				stays = append(stays, fmt.Sprintf("vpc %s, which the API keeps: %s", v.Name, apiCause(err)))
				return nil
			}
			return err
		})
	}
	for _, v := range e.volumes {
		if withVolumes {
			gone("volume "+v.Name, func() error { return resource.DestroyVolume(ctx, r, v.ID) })
		} else {
			stays = append(stays, fmt.Sprintf("the volume %s, with its data", v.Name))
		}
	}
	for _, t := range e.tags {
		if t != d.Tag() || !e.shared && (withVolumes || len(e.volumes) == 0) {
			gone("tag "+t, func() error { _, err := r.Account.Tags.Delete(ctx, t); return err })
		}
	}
	return stays, err
}
