package digitaloceantest

import (
	"reflect"
	"slices"
)

// The calls that change a part of a firewall: POST adds, DELETE takes away.

func (c *Cloud) firewallTags(r *request) answer {
	f := c.firewall(r)
	if f == nil {
		return notFound
	}
	tags, a := c.existing(r.texts("tags"))
	if a.refused() {
		return a
	}
	for _, t := range tags {
		f.Tags = without(f.Tags, t)
		if r.Method == "POST" {
			f.Tags = append(f.Tags, t)
		}
	}
	return done
}

func (c *Cloud) firewallDroplets(r *request) answer {
	f := c.firewall(r)
	if f == nil {
		return notFound
	}
	for _, id := range r.numbers("droplet_ids") {
		if c.droplet(id) == nil {
			return notFound
		}
	}
	for _, id := range r.numbers("droplet_ids") {
		f.Droplets = without(f.Droplets, id)
		if r.Method == "POST" {
			f.Droplets = append(f.Droplets, id)
		}
	}
	return done
}

func (c *Cloud) firewallRules(r *request) answer {
	f := c.firewall(r)
	if f == nil {
		return notFound
	}
	in, out, a := c.rules(r)
	if a.refused() {
		return a
	}
	change := func(have *[]Rule, rules []Rule) {
		for _, rule := range rules {
			*have = slices.DeleteFunc(*have, func(o Rule) bool { return reflect.DeepEqual(o, rule) })
			if r.Method == "POST" {
				*have = append(*have, rule)
			}
		}
	}
	change(&f.Inbound, in)
	change(&f.Outbound, out)
	return done
}

// firewallsOf lists the firewalls that cover a droplet.
func (c *Cloud) firewallsOf(r *request) answer {
	d := c.droplet(r.id("droplet_id"))
	if d == nil {
		return notFound
	}
	var all []*Firewall
	for _, f := range c.firewalls {
		if f.covers(d) {
			all = append(all, f)
		}
	}
	return page(r, "firewalls", all, c.showFirewall)
}
