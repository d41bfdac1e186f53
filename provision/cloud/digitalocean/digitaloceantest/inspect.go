package digitaloceantest

import (
	"net"
	"slices"
	"strconv"
)

// What a test sees of the account, without calls and without looks. All are copies.

// Droplets lists the droplets, those that are being deleted too.
func (c *Cloud) Droplets() []Droplet {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []Droplet{}
	for _, d := range c.droplets {
		out = append(out, c.copyDroplet(d))
	}
	return out
}

func (c *Cloud) copyDroplet(d *Droplet) Droplet {
	o := *d
	o.Tags, o.Keys, o.Volumes, o.reserved = slices.Clone(d.Tags), slices.Clone(d.Keys), slices.Clone(d.Volumes), nil
	return o
}

// Volumes lists the volumes.
func (c *Cloud) Volumes() []Volume {
	return copies(c, func() []*Volume { return c.volumes }, func(v *Volume) { v.Tags = slices.Clone(v.Tags) })
}

// Firewalls lists the firewalls.
func (c *Cloud) Firewalls() []Firewall {
	return copies(c, func() []*Firewall { return c.firewalls }, func(f *Firewall) {
		f.Tags, f.Droplets, f.Inbound, f.Outbound = slices.Clone(f.Tags), slices.Clone(f.Droplets), slices.Clone(f.Inbound), slices.Clone(f.Outbound)
	})
}

// Keys lists the account's SSH keys.
func (c *Cloud) Keys() []Key {
	return copies(c, func() []*Key { return c.keys }, func(*Key) {})
}

// VPCs lists the private networks.
func (c *Cloud) VPCs() []VPC {
	return copies(c, func() []*VPC { return c.vpcs }, func(*VPC) {})
}

// ReservedIPs lists the reserved addresses.
func (c *Cloud) ReservedIPs() []ReservedIP {
	return copies(c, func() []*ReservedIP { return c.reservedIPs }, func(*ReservedIP) {})
}

// Projects lists the projects; the default one is the first.
func (c *Cloud) Projects() []Project {
	return copies(c, func() []*Project { return c.projects }, func(p *Project) { p.Resources = slices.Clone(p.Resources) })
}

// Records lists the records of a domain that somebody made: all but SOA and NS.
func (c *Cloud) Records(domain string) []Record {
	return copies(c, func() (out []*Record) {
		if d := c.domain(domain); d != nil {
			for _, r := range d.records {
				if r.Type != "SOA" && r.Type != "NS" {
					out = append(out, r)
				}
			}
		}
		return out
	}, func(*Record) {})
}

// Tags lists the tags that there are.
func (c *Cloud) Tags() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.tags)
}

// Tagged lists the urns of the droplets, volumes and firewalls with a tag, sorted.
func (c *Cloud) Tagged(tag string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for urn, tags := range c.tagLists("droplet", "volume", "firewall") {
		if slices.Contains(*tags, tag) {
			out = append(out, urn)
		}
	}
	slices.Sort(out)
	return out
}

// Dialed is what to dial for an address and port 22 of a droplet, by its own address or a reserved
// one: those of its machine. Other addresses are left alone.
func (c *Cloud) Dialed(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != "22" {
		return address
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.droplets {
		if d.Machine.Address != "" && (d.Machine.Address == host || d.reserved != nil && d.reserved.IP == host) {
			return net.JoinHostPort(d.Machine.Address, strconv.Itoa(d.Machine.Port))
		}
	}
	return address
}

func copies[T any](c *Cloud, all func() []*T, deepen func(*T)) []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []T{}
	for _, p := range all() {
		v := *p
		deepen(&v)
		out = append(out, v)
	}
	return out
}
