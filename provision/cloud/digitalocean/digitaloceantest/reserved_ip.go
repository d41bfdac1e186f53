package digitaloceantest

import (
	"fmt"
	"slices"
)

// ReservedIP is an address that can be moved between droplets.
type ReservedIP struct {
	IP, Region string
	Droplet    int // that has it, or 0
}

func (c *Cloud) showReservedIP(ip *ReservedIP) object {
	o := object{"ip": ip.IP, "region": showRegion(region(ip.Region)), "droplet": nil, "locked": c.ipBusy(ip), "project_id": c.projects[0].ID}
	for _, p := range c.projects {
		for _, urn := range p.Resources {
			if urn == "do:floatingip:"+ip.IP {
				o["project_id"] = p.ID
			}
		}
	}
	if d := c.droplet(ip.Droplet); d != nil {
		o["droplet"] = c.showDroplet(d)
	}
	return o
}

func (c *Cloud) reservedIP(r *request) *ReservedIP {
	for _, ip := range c.reservedIPs {
		if ip.IP == r.PathValue("ip") {
			return ip
		}
	}
	return nil
}

func (c *Cloud) ipBusy(ip *ReservedIP) bool {
	for _, a := range c.actions {
		if a.status == "in-progress" && a.ip == ip.IP {
			return true
		}
	}
	return false
}

func (c *Cloud) listReservedIPs(r *request) answer {
	return page(r, "reserved_ips", c.reservedIPs, c.showReservedIP)
}

func (c *Cloud) getReservedIP(r *request) answer {
	ip := c.reservedIP(r)
	if ip == nil {
		return notFound
	}
	o := c.showReservedIP(ip)
	c.look(ip.Droplet, "")
	return ok(object{"reserved_ip": o})
}

func (c *Cloud) createReservedIP(r *request) answer {
	where := r.text("region")
	d := c.droplet(r.number("droplet_id"))
	switch {
	case r.has("droplet_id") && d == nil:
		return invalid("droplet_id: the droplet does not exist")
	case d != nil && c.busy(d.ID, ""):
		return c.pending(d.ID)
	case d != nil && d.reserved != nil:
		return invalid("Droplet already has a reserved IP.")
	case d != nil:
		where = d.Region
	}
	if !region(where).available {
		return invalid("region: invalid region")
	}
	if len(c.reservedIPs) >= c.options.ReservedIPLimit {
		return invalid("You have reached the limit of reserved IPs for your account.")
	}
	ip := &ReservedIP{IP: c.nextReserved(), Region: where}
	if ip.IP == "" {
		return invalid("No more reserved IPs are available in this region.")
	}
	c.reservedIPs = append(c.reservedIPs, ip)
	p := c.projects[0]
	if o := c.project(r.text("project_id")); o != nil {
		p = o
	}
	p.Resources = append(p.Resources, "do:floatingip:"+ip.IP)
	links := object{}
	if d != nil {
		a := c.assign(r, ip, d)
		links["actions"] = []object{linkTo(r, a, "assign_ip")}
		links["droplets"] = []object{{"id": d.ID, "rel": "droplet", "href": "http://" + r.Host + "/v2/droplets/" + itoa(d.ID)}}
	}
	return accepted(object{"reserved_ip": c.showReservedIP(ip), "links": links})
}

func (c *Cloud) assign(r *request, ip *ReservedIP, d *Droplet) *action {
	old := c.droplet(ip.Droplet)
	set := c.locked(func() {
		if old != nil {
			old.reserved = nil
		}
		ip.Droplet, d.reserved = d.ID, ip
	})
	return c.start(r, &action{kind: "assign_ip", resourceType: "reserved_ip", region: ip.Region, droplet: d.ID, ip: ip.IP}, func() error {
		set()
		c.assigned(old, ip, false)
		c.assigned(d, ip, true)
		return nil
	})
}

// assigned tells the hook, without the lock.
func (c *Cloud) assigned(d *Droplet, ip *ReservedIP, on bool) {
	if d == nil || c.options.Assigned == nil {
		return
	}
	c.mu.Lock()
	seen := c.copyDroplet(d)
	c.mu.Unlock()
	c.options.Assigned(seen, ip.IP, on)
}

// nextReserved is an address that nobody has reserved; "" if there is none.
func (c *Cloud) nextReserved() string {
	if c.options.Reserved == nil {
		c.serial["reserved"]++
		return fmt.Sprintf("203.0.113.%d", c.serial["reserved"]%253+2)
	}
	for _, address := range c.options.Reserved {
		if !slices.ContainsFunc(c.reservedIPs, func(ip *ReservedIP) bool { return ip.IP == address }) {
			return address
		}
	}
	return ""
}

func (c *Cloud) actOnReservedIP(r *request) answer {
	ip := c.reservedIP(r)
	if ip == nil {
		return notFound
	}
	if c.ipBusy(ip) {
		c.look(ip.Droplet, "")
		return invalid("The reserved IP already has a pending event.")
	}
	var a *action
	switch r.text("type") {
	case "assign":
		d := c.droplet(r.number("droplet_id"))
		switch {
		case d == nil:
			return notFound
		case c.busy(d.ID, ""):
			return c.pending(d.ID)
		case d.Region != ip.Region:
			return invalid("The reserved IP and the droplet must be in the same region.")
		case d.reserved != nil:
			return invalid("Droplet already has a reserved IP.")
		}
		a = c.assign(r, ip, d)
	case "unassign":
		d := c.droplet(ip.Droplet)
		switch {
		case d == nil:
			return invalid("The reserved IP is not assigned.")
		case c.busy(d.ID, ""):
			return c.pending(d.ID)
		}
		set := c.locked(func() { ip.Droplet, d.reserved = 0, nil })
		a = c.start(r, &action{kind: "unassign_ip", resourceType: "reserved_ip", region: ip.Region, droplet: d.ID, ip: ip.IP}, func() error {
			set()
			c.assigned(d, ip, false)
			return nil
		})
	default:
		return invalid("type must be assign or unassign")
	}
	return created(object{"action": c.showAction(a)})
}

func (c *Cloud) deleteReservedIP(r *request) answer {
	ip := c.reservedIP(r)
	switch {
	case ip == nil:
		return notFound
	case c.ipBusy(ip):
		c.look(ip.Droplet, "")
		return invalid("The reserved IP already has a pending event.")
	}
	if d := c.droplet(ip.Droplet); d != nil {
		d.reserved = nil
	}
	c.reservedIPs = without(c.reservedIPs, ip)
	for _, p := range c.projects {
		p.Resources = without(p.Resources, "do:floatingip:"+ip.IP)
	}
	return done
}

func (c *Cloud) reservedIPAction(r *request) answer {
	return c.actionOf(r, func(a *action) bool { return a.ip == r.PathValue("ip") })
}

func (c *Cloud) reservedIPActions(r *request) answer {
	if c.reservedIP(r) == nil {
		return notFound
	}
	return c.actionsOf(r, func(a *action) bool { return a.ip == r.PathValue("ip") })
}
