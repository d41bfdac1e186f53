package digitalocean

import (
	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// binder collects what the account should have.
type binder struct {
	inv  *inventory.Inventory
	d    *declared.Account
	site cloud.Site
	out  []resource.Resource
}

func (b *binder) add(rs ...resource.Resource) { b.out = append(b.out, rs...) }

// Bind makes the droplets, and before each what it is created with.
func (p *provider) Bind(site cloud.Site) (cloud.Bound, error) {
	b := &binder{inv: p.inv, d: p.d, site: site}
	named, err := b.all()
	return cloud.Bound{Resources: b.out, Named: named}, err
}

func (b *binder) all() (named resource.ID, err error) {
	surplus := &SurplusDroplets{Inventory: b.inv, Stack: b.site.Stack}
	account := &CloudAccount{D: b.d, Hosts: droplets(b.inv)}
	strays := &Strays{Inventory: b.inv}
	b.add(strays)
	if len(account.Hosts) == 0 {
		b.add(surplus)
		return named, nil
	}
	keys, err := b.d.PublicKeys()
	if err != nil {
		return named, err
	}
	b.add(account)
	droplet := Droplet{D: b.d, Stack: b.site.Stack}
	for _, k := range keys {
		key := &CloudKey{D: b.d, Key: k}
		b.add(key)
		droplet.Keys, droplet.Prints = append(droplet.Keys, key.ID()), append(droplet.Prints, k.Fingerprint)
	}
	droplet.Walls = b.walls()
	strays.Wanted = append(strays.Wanted, droplet.Walls...)
	networks := map[string]*CloudNetwork{}
	all := &CloudProject{Inventory: b.inv}
	for _, h := range account.Hosts {
		network := networks[dropletOf(h).Region]
		if network == nil {
			network = &CloudNetwork{D: b.d, Region: dropletOf(h).Region}
			networks[dropletOf(h).Region] = network
			b.add(network)
			strays.Wanted = append(strays.Wanted, network.ID())
		}
		one := droplet
		one.Host, one.Network = h, network
		if dropletOf(h).Volume > 0 {
			one.Volume = &CloudVolume{D: b.d, Host: h}
			b.add(one.Volume)
			all.After = append(all.After, one.Volume.ID())
		}
		b.add(&one, &HostKey{D: b.d, Host: h.Name})
		all.After = append(all.After, one.ID())
		if dropletOf(h).ReservedIP {
			address := &ReservedIP{D: b.d, Host: h}
			b.add(address)
			all.After = append(all.After, address.ID())
		}
	}
	named = b.name()
	if b.d.Project != "" {
		b.add(all)
	}
	surplus.After = all.After
	b.add(surplus)
	return named, nil
}

// walls adds the firewalls and the tags that they go by: all droplets are reached on 22 by the
// operators, the server on the ports of the url by everyone, an agent by nobody else.
func (b *binder) walls() []resource.ID {
	var from []string
	for _, cidr := range b.d.AdminCIDRs {
		from = append(from, cidr.String())
	}
	public := []string{"tcp 80", "tcp 443", "udp 443"}
	if b.inv.TLS.Mode == inventory.TLSOff {
		public = []string{"tcp 4200"}
	}
	var ids []resource.ID
	all, server := FirewallNames(b.d)
	for _, f := range []*CloudFirewall{
		{D: b.d, Name: all, Tag: b.d.Tag(), Inbound: []string{"tcp 22"}, From: from, Outbound: true},
		{D: b.d, Name: server, Tag: b.d.RoleTag(inventory.RoleServer), Inbound: public, From: everywhere},
	} {
		b.add(&CloudTag{Tag: f.Tag}, f)
		ids = append(ids, f.ID())
	}
	return ids
}

// name adds the url's host where the account manages its domain, and has Caddy wait for it where its
// certificate depends on that.
func (b *binder) name() (named resource.ID) {
	server := b.site.Server
	if server.Machine == nil {
		return named
	}
	var address resource.ID
	if dropletOf(server).ReservedIP {
		address = ReservedIPID(server.Name)
	}
	droplet := DropletID(server.Name)
	if b.d.Domain != "" {
		record := &DNSRecord{D: b.d, Name: b.inv.Hostname(), Droplet: droplet, Address: address}
		b.add(record)
		named = record.ID()
	}
	if b.inv.TLS.Mode == inventory.TLSACME && b.d.Resolver != "none" {
		public := &PublicName{
			D: b.d, Name: b.inv.Hostname(), Droplet: droplet, Address: address, Record: named,
			Caddy: b.site.Caddy, Loaded: b.site.Loaded,
		}
		b.add(public)
		named = public.ID()
	}
	return named
}
