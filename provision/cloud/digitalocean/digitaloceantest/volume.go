package digitaloceantest

import (
	"net/http"
	"regexp"
	"slices"
)

// Volume is a block storage volume.
type Volume struct {
	ID, Name, Region, Description string
	GiB                           int
	Filesystem, Label             string
	Tags                          []string
	Droplet                       int // that it is attached to, or 0
	CreatedAt                     string
}

// URN names the volume among all resources.
func (v Volume) URN() string { return "do:volume:" + v.ID }

var volumeName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

func showVolume(v *Volume) object {
	droplets := []int{}
	if v.Droplet != 0 {
		droplets = append(droplets, v.Droplet)
	}
	return object{
		"id": v.ID, "name": v.Name, "region": showRegion(region(v.Region)), "description": v.Description, "size_gigabytes": v.GiB, "filesystem_type": v.Filesystem, "filesystem_label": v.Label,
		"tags": array(v.Tags), "droplet_ids": droplets, "created_at": v.CreatedAt,
	}
}

func (c *Cloud) volume(id string) *Volume {
	for _, v := range c.volumes {
		if v.ID == id {
			return v
		}
	}
	return nil
}

func (c *Cloud) listVolumes(r *request) answer {
	q := r.URL.Query()
	var all []*Volume
	for _, v := range c.volumes {
		if (q.Get("name") == "" || q.Get("name") == v.Name) && (q.Get("region") == "" || q.Get("region") == v.Region) {
			all = append(all, v)
		}
	}
	return page(r, "volumes", all, func(v *Volume) object {
		o := showVolume(v)
		c.look(0, v.ID)
		return o
	})
}

func (c *Cloud) getVolume(r *request) answer {
	v := c.volume(r.PathValue("volume_id"))
	if v == nil || c.hidden(v.URN(), false) {
		return notFound
	}
	o := showVolume(v)
	c.look(0, v.ID)
	return ok(object{"volume": o})
}

func (c *Cloud) createVolume(r *request) answer {
	v := &Volume{
		Name: r.text("name"), Region: r.text("region"), Description: r.text("description"), GiB: r.number("size_gigabytes"), Filesystem: r.text("filesystem_type"), Label: r.text("filesystem_label"),
	}
	switch {
	case !volumeName.MatchString(v.Name):
		return invalid("name must be lowercase, begin with a letter, and be composed of letters, numbers and dashes, up to 64 characters")
	case !region(v.Region).available || !region(v.Region).volumes:
		return invalid("region %s does not support volumes", v.Region)
	case v.GiB < 1 || v.GiB > 16384:
		return invalid("invalid size: must be between 1GiB and 16384GiB")
	case !slices.Contains([]string{"", "ext4", "xfs"}, v.Filesystem):
		return invalid("filesystem_type must be ext4 or xfs")
	}
	if len(c.volumes) >= c.options.VolumeLimit {
		return refuse(http.StatusForbidden, "failed to create volume: volume/snapshot capacity limit exceeded")
	}
	for _, o := range c.volumes {
		if o.Name == v.Name && o.Region == v.Region {
			return refuse(http.StatusConflict, "failed to create volume: a volume with this name already exists in the region")
		}
	}
	var a answer
	if v.Tags, a = c.tagAll(r.texts("tags")); a.refused() {
		return a
	}
	v.ID, v.CreatedAt = c.uuid("volume"), c.stamp()
	c.volumes = append(c.volumes, v)
	c.born(v.URN())
	c.projects[0].Resources = append(c.projects[0].Resources, v.URN())
	return created(object{"volume": showVolume(v)})
}

func (c *Cloud) deleteVolume(r *request) answer {
	return c.removeVolume(c.volume(r.PathValue("volume_id")))
}

func (c *Cloud) deleteVolumeByName(r *request) answer {
	q := r.URL.Query()
	for _, v := range c.volumes {
		if v.Name == q.Get("name") && v.Region == q.Get("region") {
			return c.removeVolume(v)
		}
	}
	return notFound
}

func (c *Cloud) removeVolume(v *Volume) answer {
	switch {
	case v == nil:
		return notFound
	case v.Droplet != 0 || c.busy(0, v.ID):
		c.look(v.Droplet, v.ID) // so that who tries again gets through once the droplet is gone
		return refuse(http.StatusConflict, "attached volume cannot be deleted")
	}
	c.volumes = without(c.volumes, v)
	for _, p := range c.projects {
		p.Resources = without(p.Resources, v.URN())
	}
	return done
}

func (c *Cloud) actOnVolume(r *request) answer {
	return c.volumeAct(r, c.volume(r.PathValue("volume_id")))
}

func (c *Cloud) actOnVolumeByName(r *request) answer {
	for _, v := range c.volumes {
		if v.Name == r.text("volume_name") && (!r.has("region") || v.Region == r.text("region")) {
			return c.volumeAct(r, v)
		}
	}
	return notFound
}

func (c *Cloud) volumeAct(r *request, v *Volume) answer {
	if v == nil {
		return notFound
	}
	a := &action{kind: r.text("type") + "_volume", resourceType: "backend", region: v.Region, volume: v.ID}
	var effect func()
	if kind := r.text("type"); kind == "resize" {
		to := r.number("size_gigabytes")
		if to <= v.GiB || to > 16384 {
			return invalid("invalid size: must be greater than the current size and at most 16384GiB")
		}
		a.kind, effect = "resize", func() { v.GiB = to }
	} else {
		d := c.droplet(r.number("droplet_id"))
		switch {
		case d == nil || d.Region != v.Region:
			return notFound
		case c.busy(d.ID, v.ID):
			return c.pending(d.ID)
		case kind == "attach" && v.Droplet != 0:
			return invalid("This volume is already attached.")
		case kind == "detach" && v.Droplet != d.ID:
			return invalid("Attachment not found")
		}
		a.droplet = d.ID
		effect = func() {
			d.Volumes, v.Droplet = without(d.Volumes, v.ID), 0
			if kind == "attach" {
				d.Volumes, v.Droplet = append(d.Volumes, v.ID), d.ID
			}
		}
	}
	set := c.locked(effect)
	c.start(r, a, func() error {
		set()
		if a.droplet != 0 && c.options.Attached != nil {
			c.options.Attached(c.seen(a.droplet, v, r.text("type") == "attach"))
		}
		return nil
	})
	return accepted(object{"action": c.showAction(a)})
}

// seen is what the hook for attaching is told.
func (c *Cloud) seen(droplet int, v *Volume, on bool) (Droplet, Volume, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	volume := *v
	volume.Tags = slices.Clone(v.Tags)
	if d := c.droplet(droplet); d != nil {
		return c.copyDroplet(d), volume, on
	}
	return Droplet{ID: droplet}, volume, on
}

func (c *Cloud) volumeAction(r *request) answer {
	return c.actionOf(r, func(a *action) bool { return a.volume == r.PathValue("volume_id") })
}

func (c *Cloud) volumeActions(r *request) answer {
	return c.actionsOf(r, func(a *action) bool { return a.volume == r.PathValue("volume_id") })
}
