package stack

import (
	"slices"
	"strings"

	"provision/inventory"
	"provision/provision/resource"
)

// cloud adds what the account should have: the droplets, and before each what it is created with.
func (b *binder) cloud() error {
	d := b.inv.DigitalOcean
	if d == nil {
		return nil
	}
	surplus := &resource.SurplusDroplets{Inventory: b.inv, Stack: b.stack.Name}
	account := &resource.CloudAccount{D: d}
	for n := range b.inv.Hosts {
		if b.inv.Hosts[n].Droplet != nil {
			account.Hosts = append(account.Hosts, &b.inv.Hosts[n])
		}
	}
	strays := &resource.Strays{Inventory: b.inv}
	b.add(strays)
	if len(account.Hosts) == 0 {
		b.add(surplus)
		return nil
	}
	keys, err := d.PublicKeys()
	if err != nil {
		return err
	}
	b.add(account)
	droplet := resource.Droplet{D: d, Stack: b.stack.Name}
	for _, k := range keys {
		key := &resource.CloudKey{D: d, Key: k}
		b.add(key)
		droplet.Keys, droplet.Prints = append(droplet.Keys, key.ID()), append(droplet.Prints, k.Fingerprint)
	}
	droplet.Walls = b.walls()
	strays.Wanted = append(strays.Wanted, droplet.Walls...)
	networks := map[string]*resource.CloudNetwork{}
	all := &resource.CloudProject{Inventory: b.inv}
	for _, h := range account.Hosts {
		network := networks[h.Droplet.Region]
		if network == nil {
			network = &resource.CloudNetwork{D: d, Region: h.Droplet.Region}
			networks[h.Droplet.Region] = network
			b.add(network)
			strays.Wanted = append(strays.Wanted, network.ID())
		}
		one := droplet
		one.Host, one.Network = h, network
		if h.Droplet.Volume > 0 {
			one.Volume = &resource.CloudVolume{D: d, Host: h}
			b.add(one.Volume)
			all.After = append(all.After, one.Volume.ID())
		}
		b.add(&one, &resource.HostKey{D: d, Host: h.Name})
		all.After = append(all.After, one.ID())
		if h.Droplet.ReservedIP {
			address := &resource.ReservedIP{D: d, Host: h}
			b.add(address)
			all.After = append(all.After, address.ID())
		}
	}
	b.name()
	if d.Project != "" {
		b.add(all)
	}
	surplus.After = all.After
	b.add(surplus)
	return nil
}

// walls adds the firewalls and the tags that they go by: all droplets are reached on 22 by the
// operators, the server on the ports of the url by everyone, an agent by nobody else.
func (b *binder) walls() []resource.ID {
	d := b.inv.DigitalOcean
	var from []string
	for _, cidr := range d.AdminCIDRs {
		from = append(from, cidr.String())
	}
	public := []string{"tcp 80", "tcp 443", "udp 443"}
	if b.inv.TLS.Mode == inventory.TLSOff {
		public = []string{"tcp 4200"}
	}
	everywhere := []string{"0.0.0.0/0", "::/0"}
	var ids []resource.ID
	all, server := resource.FirewallNames(d)
	for _, f := range []*resource.CloudFirewall{
		{D: d, Name: all, Tag: d.Tag(), Inbound: []string{"tcp 22"}, From: from, Outbound: true},
		{D: d, Name: server, Tag: d.RoleTag(inventory.RoleServer), Inbound: public, From: everywhere},
	} {
		b.add(&resource.CloudTag{Tag: f.Tag}, f)
		ids = append(ids, f.ID())
	}
	return ids
}

// name adds the url's host where the account manages its domain, and has Caddy wait for it where its
// certificate depends on that.
func (b *binder) name() {
	d := b.inv.DigitalOcean
	if b.server.Droplet == nil {
		return
	}
	var address resource.ID
	if b.server.Droplet.ReservedIP {
		address = resource.ReservedIPID(b.server.Name)
	}
	droplet := resource.DropletID(b.server.Name)
	if d.Domain != "" {
		record := &resource.DNSRecord{D: d, Name: b.inv.Hostname(), Droplet: droplet, Address: address}
		b.add(record)
		b.named = record.ID()
	}
	if b.inv.TLS.Mode == inventory.TLSACME && d.Resolver != "none" {
		public := &resource.PublicName{
			D: d, Name: b.inv.Hostname(), Droplet: droplet, Address: address, Record: b.named,
			Caddy: resource.ServiceID(b.server.Name, b.stack.Name+"-caddy"), Loaded: caddyConfiguration(b.server.Name),
		}
		b.add(public)
		b.named = public.ID()
	}
}

// machine is what a host has to be before anything is done on it.
func (b *binder) machine(h *inventory.Host) []resource.ID {
	if h.Droplet == nil {
		return nil
	}
	return []resource.ID{resource.HostKeyID(h.Name)}
}

// disk adds the host's volume, if it has one for the database. What the data cannot be used without
// lies beside it, so that a new droplet with the old volume is the same stack.
func (b *binder) disk(h *inventory.Host) *resource.Disk {
	if h.Droplet == nil || h.Droplet.Volume == 0 || !h.Has(inventory.RoleServer) {
		return nil
	}
	postgres, _, _ := b.names.Volumes()
	mount := "/mnt/" + b.stack.Name + "-data"
	disk := &resource.Disk{
		Host: h.Name, Device: "/dev/disk/by-id/scsi-0DO_Volume_" + b.inv.DigitalOcean.VolumeName(h.Name),
		Path: mount, Sub: "postgres", Owner: postgresUID + ":" + postgresUID, Born: b.base + "/volume." + postgres,
		Kept: &resource.Kept{
			Host: h.Name, Base: b.base, Dir: mount + "/keep",
			Files: []string{"id", "born", "server/secrets/server/encryption_key", "server/secrets/postgres/password", "server/secrets/login/ui_password"},
			After: []resource.ID{resource.IdentityID(h.Name), resource.SecretID(h.Name, b.encryptionKey()), resource.SecretID(h.Name, b.base+"/server/secrets/postgres/password"), resource.SecretID(h.Name, b.base+"/server/secrets/login/ui_password")},
		},
		After: append(b.machine(h), resource.DropletID(h.Name)),
	}
	if b.inv.TLS.Mode == inventory.TLSInternal { // whoever trusts it goes on to
		disk.Kept.After = append(disk.Kept.After, resource.AuthorityID(h.Name))
		for _, f := range resource.AuthorityFiles(b.base+"/server/secrets/caddy", b.base+"/server/secrets/login/authority") {
			disk.Kept.Files = append(disk.Kept.Files, strings.TrimPrefix(f, b.base+"/"))
		}
	}
	disk.Kept.After = append(disk.Kept.After, disk.ID())
	b.add(disk)
	return disk
}

// guarded are what has to be there before a container of the host is started.
func (b *binder) guarded(host string) []resource.ID {
	guards := []resource.ID{resource.NetworkGuardID(host)}
	if id := resource.MetadataID(host); slices.ContainsFunc(b.out, func(r resource.Resource) bool { return r.ID() == id }) {
		guards = append(guards, id)
	}
	return guards
}
