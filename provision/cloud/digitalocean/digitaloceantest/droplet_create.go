package digitaloceantest

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

var dropletName = regexp.MustCompile(`^[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]$`)

func dropletForm() form {
	return form{
		"name": "string", "names": "[]string", "region": "string", "size": "string!", "image": "id!", "ssh_keys": "[]id", "backups": "boolean", "backup_policy": "object", "ipv6": "boolean",
		"monitoring": "boolean", "tags": "[]string?", "user_data": "string", "private_networking": "boolean", "volumes": "[]string", "vpc_uuid": "string",
		"with_droplet_agent": "boolean", "public_networking": "boolean",
	}
}

func (c *Cloud) createDroplet(r *request) answer {
	names := r.texts("names")
	single := !r.has("names")
	if single {
		names = []string{r.text("name")}
	}
	d, a := c.newDroplet(r)
	switch {
	case a.refused():
		return a
	case len(names) == 0 || len(names) > 10:
		return invalid("You can create up to 10 droplets at once.")
	case slices.ContainsFunc(names, func(n string) bool { return !dropletName.MatchString(n) || len(n) > 255 }):
		return invalid("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")
	case len(c.droplets)+len(names) > c.options.DropletLimit:
		return invalid("creating this/these droplet(s) will exceed your droplet limit")
	case len(d.Volumes) > 0 && !single:
		return invalid("volumes can only be attached to a single droplet")
	}
	for _, id := range d.Volumes {
		v := c.volume(id)
		switch {
		case v == nil || v.Region != d.Region:
			return invalid("volume %s not found in region %s", id, d.Region)
		case v.Droplet != 0 || c.busy(0, id):
			return invalid("volume %s is already attached to a droplet", id)
		}
	}
	tags, a := c.tagAll(r.texts("tags"))
	if a.refused() {
		return a
	}
	if d.VPC == "" {
		d.VPC = c.defaultVPC(d.Region).ID
	}
	shown, links := []object{}, []object{}
	for _, name := range names {
		d := d // another droplet
		d.ID, d.Name, d.Tags, d.Status, d.CreatedAt = c.number("droplet"), name, slices.Clone(tags), "new", c.stamp()
		c.droplets = append(c.droplets, &d)
		c.born(d.URN())
		c.projects[0].Resources = append(c.projects[0].Resources, d.URN())
		for _, id := range d.Volumes {
			c.volume(id).Droplet = d.ID
		}
		act := c.start(r, &action{kind: "create", resourceID: d.ID, resourceType: "droplet", region: d.Region, droplet: d.ID}, func() error { return c.boot(&d) })
		shown, links = append(shown, c.showDroplet(&d)), append(links, linkTo(r, act, "create"))
	}
	if single {
		return accepted(object{"droplet": shown[0], "links": object{"actions": links}})
	}
	return accepted(object{"droplets": shown, "links": object{"actions": links}})
}

// newDroplet takes from the body what all its droplets have in common.
func (c *Cloud) newDroplet(r *request) (Droplet, answer) {
	image := r.text("image")
	if image == "" {
		image = itoa(r.number("image"))
	}
	img, foundImage := findImage(image)
	s, foundSize := size(r.text("size"))
	where := r.text("region")
	switch {
	case !c.may(r, "image:read"), r.has("tags") && len(r.texts("tags")) > 0 && !c.may(r, "tag:create"), len(list(r.body["ssh_keys"])) > 0 && !c.may(r, "ssh_key:read"),
		r.has("vpc_uuid") && !c.may(r, "vpc:read"), len(r.texts("volumes")) > 0 && !c.may(r, "block_storage:read"):
		return Droplet{}, forbidden
	case !region(where).available:
		return Droplet{}, invalid("You specified an invalid region for Droplet creation.")
	case !foundSize:
		return Droplet{}, invalid("You specified an invalid size for Droplet creation.")
	case !s.in(where):
		return Droplet{}, invalid("Size is not available in this region.")
	case !foundImage:
		return Droplet{}, invalid("You specified an invalid image for Droplet creation.")
	case s.Disk < img.minDisk:
		return Droplet{}, invalid("The image you specified requires a larger disk.")
	case len(r.text("user_data")) > 64<<10:
		return Droplet{}, invalid("User data is too long (maximum is 64 KiB)")
	}
	plan, a := backupPlan(r)
	if a.refused() {
		return Droplet{}, a
	}
	d := Droplet{
		BackupPlan: plan, Region: where, Size: s.Slug, Image: img.slug, UserData: r.text("user_data"), Backups: r.yes("backups"), Monitoring: r.yes("monitoring"), Volumes: r.texts("volumes"),
		VPC: r.text("vpc_uuid"), ipv6: r.yes("ipv6"), public: r.body["public_networking"] != false, disk: s.Disk,
	}
	if !d.Backups {
		d.BackupPlan = ""
	}
	if d.VPC != "" {
		if v := c.vpc(d.VPC); v == nil || v.Region != where {
			return Droplet{}, invalid("You specified an invalid VPC for Droplet creation.")
		}
	}
	var unknown []string
	for _, v := range list(r.body["ssh_keys"]) {
		id, isText := v.(string)
		if !isText {
			id = itoa(int(v.(float64)))
		}
		if k := c.key(id); k != nil {
			d.Keys = append(d.Keys, k.Fingerprint)
		} else {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		return Droplet{}, invalid("%s are invalid key identifiers for Droplet creation.", strings.Join(unknown, ", "))
	}
	return d, answer{}
}

// boot makes a droplet active. It is called without the lock, for the machine may take its time.
func (c *Cloud) boot(d *Droplet) error {
	c.mu.Lock()
	seen := c.copyDroplet(d)
	vpc := *c.vpc(d.VPC)
	c.serial["address"]++
	nth := c.serial["address"]
	c.mu.Unlock()
	var m Machine
	if c.options.Boot != nil {
		var err error
		if m, err = c.options.Boot(seen); err != nil {
			return fmt.Errorf("%s: boot: %w", d.Name, err)
		}
	}
	if m.Address == "" {
		m.Address = fmt.Sprintf("198.51.100.%d", nth%254+1)
	}
	if m.Private == "" {
		m.Private = nthAddress(vpc.Range, nth+1)
	}
	if m.Port == 0 {
		m.Port = 22
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	d.Machine, d.Status = m, "active"
	return nil
}

func nthAddress(cidr string, n int) string {
	a := netip.MustParsePrefix(cidr).Addr()
	for range n {
		a = a.Next()
	}
	return a.String()
}
