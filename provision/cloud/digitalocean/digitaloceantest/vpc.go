package digitaloceantest

import (
	"net/netip"
	"regexp"
	"strings"
)

// VPC is a private network.
type VPC struct {
	ID, Name, Region, Range, Description string
	Default                              bool
	CreatedAt                            string
	refused                              int // deletions since its last member has gone
}

var vpcName = regexp.MustCompile(`^[a-zA-Z0-9\-.]+$`)

func showVPC(v *VPC) object {
	return object{
		"id": v.ID, "urn": "do:vpc:" + v.ID, "name": v.Name, "description": v.Description, "region": v.Region, "ip_range": v.Range, "default": v.Default, "created_at": v.CreatedAt,
	}
}

func (c *Cloud) vpc(id string) *VPC {
	for _, v := range c.vpcs {
		if v.ID == id {
			return v
		}
	}
	return nil
}

func (c *Cloud) listVPCs(r *request) answer { return page(r, "vpcs", c.vpcs, showVPC) }

func (c *Cloud) getVPC(r *request) answer {
	v := c.vpc(r.PathValue("vpc"))
	if v == nil {
		return notFound
	}
	return ok(object{"vpc": showVPC(v)})
}

func (c *Cloud) createVPC(r *request) answer {
	name, cidr := r.text("name"), r.text("ip_range")
	switch {
	case !vpcName.MatchString(name):
		return invalid("name: may only contain letters, numbers, dashes, and periods")
	case !region(r.text("region")).available:
		return invalid("region: invalid region")
	}
	if cidr != "" {
		p, err := netip.ParsePrefix(cidr)
		if err != nil || !p.Addr().Is4() || p != p.Masked() || p.Bits() < 16 || p.Bits() > 28 || !p.Addr().IsPrivate() {
			return invalid("ip_range: %s is not a valid private range between /16 and /28", cidr)
		}
		for _, v := range c.vpcs {
			if netip.MustParsePrefix(v.Range).Overlaps(p) {
				return invalid("This range/size overlaps with another VPC network in your account: %s.", v.Range)
			}
		}
	}
	for _, v := range c.vpcs {
		if strings.EqualFold(v.Name, name) {
			return invalid("name: a VPC with the same name already exists in your account.")
		}
	}
	return created(object{"vpc": showVPC(c.addVPC(name, r.text("region"), cidr, r.text("description")))})
}

// addVPC makes a VPC; the first of a region is its default.
func (c *Cloud) addVPC(name, region, cidr, description string) *VPC {
	v := &VPC{ID: c.uuid("vpc"), Name: name, Region: region, Range: cidr, Description: description, Default: true, CreatedAt: c.stamp()}
	if cidr == "" {
		v.Range = "10." + itoa(100+c.serial["vpc"]) + ".0.0/20"
	}
	for _, o := range c.vpcs {
		v.Default = v.Default && o.Region != region
	}
	c.vpcs = append(c.vpcs, v)
	return v
}

func (c *Cloud) defaultVPC(region string) *VPC {
	for _, v := range c.vpcs {
		if v.Region == region && v.Default {
			return v
		}
	}
	return c.addVPC("default-"+region, region, "", "")
}

func (c *Cloud) editVPC(r *request) answer {
	v := c.vpc(r.PathValue("vpc"))
	if v == nil {
		return notFound
	}
	if r.has("name") {
		if !vpcName.MatchString(r.text("name")) {
			return invalid("name: may only contain letters, numbers, dashes, and periods")
		}
		v.Name = r.text("name")
	}
	if r.has("description") || r.Method == "PUT" {
		v.Description = r.text("description")
	}
	if r.yes("default") {
		for _, o := range c.vpcs {
			o.Default = o == v || o.Default && o.Region != v.Region
		}
	}
	return ok(object{"vpc": showVPC(v)})
}

func (c *Cloud) members(v *VPC) []*Droplet {
	var out []*Droplet
	for _, d := range c.droplets {
		if d.VPC == v.ID {
			out = append(out, d)
		}
	}
	return out
}

func (c *Cloud) deleteVPC(r *request) answer {
	v := c.vpc(r.PathValue("vpc"))
	switch {
	case v == nil:
		return notFound
	case v.Default:
		return refuse(403, "Can not delete default VPCs")
	case len(c.members(v)) > 0:
		return refuse(403, "Can not delete VPC with members")
	case v.refused < c.options.MemberLooks:
		v.refused++
		return refuse(403, "Can not delete VPC with members")
	}
	c.vpcs = without(c.vpcs, v)
	return done
}

func (c *Cloud) listMembers(r *request) answer {
	v := c.vpc(r.PathValue("vpc"))
	if v == nil {
		return notFound
	}
	return page(r, "members", c.members(v), func(d *Droplet) object {
		return object{"urn": d.URN(), "name": d.Name, "created_at": d.CreatedAt}
	})
}
