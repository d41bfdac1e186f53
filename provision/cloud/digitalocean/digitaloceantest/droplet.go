package digitaloceantest

import (
	"slices"
	"strings"
	"time"
)

// Droplet is a virtual machine of the account.
type Droplet struct {
	ID                  int
	Name, Region        string
	Size, Image         string // slugs
	Status              string // "new", "active", "off"
	Tags                []string
	Keys                []string // fingerprints
	Volumes             []string
	VPC                 string
	UserData            string // which the API never shows
	Backups, Monitoring bool
	BackupPlan          string  // "daily" or "weekly" with backups
	Machine             Machine // once it is active
	CreatedAt           string

	locked   bool
	ipv6     bool
	public   bool
	disk     int
	reserved *ReservedIP
}

// URN names the droplet among all resources.
func (d Droplet) URN() string { return "do:droplet:" + itoa(d.ID) }

func (c *Cloud) droplet(id int) *Droplet {
	for _, d := range c.droplets {
		if d.ID == id {
			return d
		}
	}
	return nil
}

func (c *Cloud) showDroplet(d *Droplet) object {
	s, _ := size(d.Size)
	i, _ := findImage(d.Image)
	features := []string{"droplet_agent", "private_networking"}
	if d.Backups {
		features = append(features, "backups")
	}
	if d.Monitoring {
		features = append(features, "monitoring")
	}
	if d.ipv6 {
		features = append(features, "ipv6")
	}
	var window any // null without backups
	if d.Backups {
		at := c.now().UTC().Truncate(24 * time.Hour)
		window = object{"start": at.Add(24 * time.Hour).Format(time.RFC3339), "end": at.Add(47 * time.Hour).Format(time.RFC3339)}
	}
	return object{
		"id": d.ID, "name": d.Name, "memory": s.Memory, "vcpus": s.CPUs, "disk": d.disk, "locked": d.locked || d.Status == "new", "status": d.Status,
		"disk_info": []object{{"type": "local", "size": object{"amount": d.disk, "unit": "gib"}}},
		"kernel":    nil, "created_at": d.CreatedAt, "features": features, "backup_ids": []int{}, "next_backup_window": window, "snapshot_ids": []int{},
		"image": showImage(i), "volume_ids": array(d.Volumes), "size": showSize(s), "size_slug": s.Slug, "networks": c.showNetworks(d),
		"region": showRegion(region(d.Region)), "tags": array(d.Tags), "vpc_uuid": d.VPC,
	}
}

// showNetworks: a droplet has its addresses from when it is active.
func (c *Cloud) showNetworks(d *Droplet) object {
	v4 := []object{}
	if d.Machine.Private != "" {
		v4 = append(v4, object{"ip_address": d.Machine.Private, "netmask": "255.255.240.0", "gateway": "<nil>", "type": "private"})
	}
	if d.Machine.Address != "" && d.public {
		gateway := d.Machine.Address[:strings.LastIndex(d.Machine.Address, ".")] + ".1"
		v4 = append(v4, object{"ip_address": d.Machine.Address, "netmask": "255.255.255.0", "gateway": gateway, "type": "public"})
	}
	if d.reserved != nil && d.Machine.Address != "" {
		v4 = append(v4, object{"ip_address": d.reserved.IP, "netmask": "255.255.255.0", "gateway": "203.0.113.1", "type": "public"})
	}
	v6 := []object{}
	if d.ipv6 && d.Machine.Address != "" {
		v6 = append(v6, object{"ip_address": "2001:db8::" + itoa(d.ID%10000), "netmask": 64, "gateway": "2001:db8::1", "type": "public"})
	}
	return object{"v4": v4, "v6": v6}
}

// partsOfDroplet are shown to those who have another scope, too.
var partsOfDroplet = map[string]string{
	"tags": "tag:read", "image": "image:read", "backup_ids": "image:read", "snapshot_ids": "image:read", "volume_ids": "block_storage:read", "vpc_uuid": "vpc:read",
}

func (c *Cloud) listDroplets(r *request) answer {
	q := r.URL.Query()
	if q.Get("tag_name") != "" && !c.may(r, "tag:read") {
		return forbidden
	}
	var all []*Droplet
	for _, d := range c.droplets {
		if t := q.Get("tag_name"); t != "" && !slices.Contains(d.Tags, t) {
			continue
		}
		if n := q.Get("name"); n != "" && !strings.EqualFold(n, d.Name) {
			continue
		}
		if !c.hidden(d.URN(), true) {
			all = append(all, d)
		}
	}
	return page(r, "droplets", all, func(d *Droplet) object {
		o := c.showDroplet(d)
		c.hide(r, o, partsOfDroplet)
		c.look(d.ID, "")
		return o
	})
}

func (c *Cloud) getDroplet(r *request) answer {
	d := c.droplet(r.id("droplet_id"))
	if d == nil || c.hidden(d.URN(), false) {
		return notFound
	}
	o := c.showDroplet(d)
	c.hide(r, o, partsOfDroplet)
	c.look(d.ID, "")
	return ok(object{"droplet": o})
}

func (c *Cloud) deleteDroplet(r *request) answer {
	d := c.droplet(r.id("droplet_id"))
	if d == nil || d.locked {
		return notFound // that it goes is no reason to answer otherwise
	}
	c.destroy(r, d)
	return done
}

func (c *Cloud) deleteDroplets(r *request) answer {
	tag := r.URL.Query().Get("tag_name")
	if tag == "" {
		return invalid("tag_name is required")
	}
	for _, d := range slices.Clone(c.droplets) {
		if slices.Contains(d.Tags, tag) && !d.locked {
			c.destroy(r, d)
		}
	}
	return done
}

// destroy has a droplet go. What else was going on with it is over.
func (c *Cloud) destroy(r *request, d *Droplet) {
	d.locked = true
	for _, a := range c.actions {
		if a.droplet == d.ID && a.status == "in-progress" && !a.running {
			a.status, a.completedAt = "errored", c.stamp()
		}
	}
	c.start(r, &action{kind: "destroy", resourceID: d.ID, resourceType: "droplet", region: d.Region, droplet: d.ID, quiet: true}, func() error {
		gone := c.forget(d)
		if c.options.Gone != nil {
			c.options.Gone(gone)
		}
		return nil
	})
}

// vanish takes a droplet away for which there was no place.
func (c *Cloud) vanish(id int) {
	c.mu.Lock()
	d := c.droplet(id)
	c.mu.Unlock()
	if d != nil {
		c.forget(d)
	}
}

func (c *Cloud) forget(d *Droplet) Droplet {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.droplets = without(c.droplets, d)
	for _, v := range c.volumes {
		if v.Droplet == d.ID {
			v.Droplet = 0
		}
	}
	for _, f := range c.firewalls {
		f.Droplets = without(f.Droplets, d.ID)
	}
	if d.reserved != nil {
		d.reserved.Droplet, d.reserved = 0, nil
	}
	for _, p := range c.projects {
		p.Resources = without(p.Resources, d.URN())
	}
	return c.copyDroplet(d)
}
