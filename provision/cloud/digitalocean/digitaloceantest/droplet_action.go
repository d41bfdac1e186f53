package digitaloceantest

import (
	"slices"
)

func (c *Cloud) actOnDroplet(r *request) answer {
	d := c.droplet(r.id("droplet_id"))
	if d == nil || d.locked {
		return notFound
	}
	return c.act(r, d)
}

// actOnDroplets acts on all droplets of a tag, or on none.
func (c *Cloud) actOnDroplets(r *request) answer {
	shown := []object{}
	for _, d := range slices.Clone(c.droplets) {
		if slices.Contains(d.Tags, r.URL.Query().Get("tag_name")) && !d.locked {
			a := c.act(r, d)
			if a.refused() {
				return a
			}
			shown = append(shown, a.body["action"].(object))
		}
	}
	return created(object{"actions": shown})
}

func (c *Cloud) act(r *request, d *Droplet) answer {
	kind := r.text("type")
	if c.busy(d.ID, "") {
		return c.pending(d.ID)
	}
	effect := func() {}
	switch kind {
	case "power_on":
		if d.Status == "active" {
			return invalid("Droplet is already powered on.")
		}
		effect = c.power(d, true)
	case "power_off", "shutdown":
		if d.Status == "off" {
			return invalid("Droplet is already powered off.")
		}
		effect = c.power(d, false)
	case "reboot", "power_cycle":
		off, on := c.power(d, false), c.power(d, true)
		effect = func() { off(); on() }
	case "resize":
		if !c.may(r, "droplet:create") {
			return forbidden
		}
		s, found := size(r.text("size"))
		switch {
		case d.Status == "active":
			return invalid("Droplet is currently on. Please power it off to run this event.")
		case !found || !s.in(d.Region):
			return invalid("You specified an invalid size for Droplet resize.")
		case s.Slug == d.Size:
			return invalid("Droplet already has this size.")
		case s.Disk < d.disk:
			return invalid("This size is not available because it has a smaller disk.")
		}
		grow := r.yes("disk")
		effect = c.locked(func() {
			d.Size = s.Slug
			if grow {
				d.disk = s.Disk
			}
		})
	case "rename":
		name := r.text("name")
		if !dropletName.MatchString(name) {
			return invalid("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")
		}
		effect = c.locked(func() { d.Name = name })
	case "enable_backups", "change_backup_policy":
		plan, a := backupPlan(r)
		switch {
		case a.refused():
			return a
		case kind == "change_backup_policy" && !d.Backups:
			return invalid("Droplet does not have backups enabled.")
		}
		effect = c.locked(func() { d.Backups, d.BackupPlan = true, plan })
	case "disable_backups":
		effect = c.locked(func() { d.Backups, d.BackupPlan = false, "" })
	case "enable_ipv6":
		effect = c.locked(func() { d.ipv6 = true })
	default:
		return invalid("%q is not a valid action type.", kind)
	}
	a := c.start(r, &action{kind: kind, resourceID: d.ID, resourceType: "droplet", region: d.Region, droplet: d.ID}, func() error {
		effect()
		return nil
	})
	return created(object{"action": c.showAction(a)})
}

// locked makes an effect of what needs the lock.
func (c *Cloud) locked(f func()) func() {
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		f()
	}
}

func (c *Cloud) power(d *Droplet, on bool) func() {
	return func() {
		c.mu.Lock()
		d.Status = "off"
		if on {
			d.Status = "active"
		}
		seen := c.copyDroplet(d)
		c.mu.Unlock()
		if c.options.Power != nil {
			c.options.Power(seen, on)
		}
	}
}

func (c *Cloud) dropletAction(r *request) answer {
	return c.actionOf(r, func(a *action) bool { return a.droplet == r.id("droplet_id") })
}

func (c *Cloud) dropletActions(r *request) answer {
	if c.droplet(r.id("droplet_id")) == nil {
		return notFound
	}
	return c.actionsOf(r, func(a *action) bool { return a.droplet == r.id("droplet_id") })
}
