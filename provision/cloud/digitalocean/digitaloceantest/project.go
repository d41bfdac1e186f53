package digitaloceantest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Project groups resources.
type Project struct {
	ID, Name, Description, Purpose, Environment string
	Default                                     bool
	Resources                                   []string // urns
	CreatedAt                                   string
}

func showProject(p *Project) object {
	o := object{
		"id": p.ID, "owner_uuid": "99525febec065ca37b2ffe4f852fd2b2581895e7", "owner_id": 258992, "name": p.Name, "description": p.Description, "purpose": p.Purpose, "is_default": p.Default,
		"created_at": p.CreatedAt, "updated_at": p.CreatedAt,
	}
	if p.Environment != "" {
		o["environment"] = p.Environment
	}
	return o
}

// project finds a project; the id "default" is that of the default one.
func (c *Cloud) project(id string) *Project {
	for _, p := range c.projects {
		if p.ID == id || id == "default" && p.Default {
			return p
		}
	}
	return nil
}

func (c *Cloud) listProjects(r *request) answer {
	return page(r, "projects", c.projects, showProject)
}

func (c *Cloud) getProject(r *request) answer {
	p := c.project(r.PathValue("project"))
	if p == nil {
		return notFound
	}
	return ok(object{"project": showProject(p)})
}

func (c *Cloud) createProject(r *request) answer {
	p := &Project{CreatedAt: c.stamp()}
	if a := c.fillProject(r, p); a.refused() {
		return a
	}
	p.ID = c.uuid("project")
	c.projects = append(c.projects, p)
	return created(object{"project": showProject(p)})
}

func (c *Cloud) editProject(r *request) answer {
	p := c.project(r.PathValue("project"))
	if p == nil {
		return notFound
	}
	changed := *p
	if a := c.fillProject(r, &changed); a.refused() {
		return a
	}
	*p = changed
	return ok(object{"project": showProject(p)})
}

func (c *Cloud) fillProject(r *request, p *Project) answer {
	for k, v := range map[string]*string{"name": &p.Name, "description": &p.Description, "purpose": &p.Purpose, "environment": &p.Environment} {
		if r.has(k) {
			*v = r.text(k)
		}
	}
	switch {
	case p.Name == "" || len(p.Name) > 175:
		return invalid("name must be between 1 and 175 characters")
	case p.Purpose == "" || len(p.Purpose) > 255:
		return invalid("purpose must be between 1 and 255 characters")
	case !slices.Contains([]string{"", "Development", "Staging", "Production"}, p.Environment):
		return invalid("environment must be one of Development, Staging, Production")
	}
	for _, o := range c.projects {
		if o.ID != p.ID && o.Name == p.Name {
			return refuse(http.StatusConflict, "name is already in use")
		}
	}
	return answer{}
}

func (c *Cloud) deleteProject(r *request) answer {
	p := c.project(r.PathValue("project"))
	switch {
	case p == nil:
		return notFound
	case p.Default || len(p.Resources) > 0:
		return refuse(http.StatusPreconditionFailed, "cannot delete a project with resources. move or remove the resources first")
	}
	c.projects = without(c.projects, p)
	return done
}

func showAssigned(urn, at, status string) object {
	kind, id, _ := strings.Cut(strings.TrimPrefix(urn, "do:"), ":")
	paths := map[string]string{"droplet": "droplets", "volume": "volumes", "domain": "domains", "floatingip": "reserved_ips"}
	return object{"urn": urn, "assigned_at": at, "links": object{"self": "https://api.digitalocean.com/v2/" + paths[kind] + "/" + id}, "status": status}
}

func (c *Cloud) listAssigned(r *request) answer {
	p := c.project(r.PathValue("project"))
	if p == nil {
		return notFound
	}
	return page(r, "resources", p.Resources, func(urn string) object { return showAssigned(urn, p.CreatedAt, "ok") })
}

var urnForm = regexp.MustCompile(`^do:(dbaas|domain|droplet|floatingip|loadbalancer|space|volume|kubernetes|vpc):.+`)

// follow moves with a droplet what belongs to it.
func (c *Cloud) follow(p *Project, urn string) {
	var with []string
	for _, d := range c.droplets {
		for _, v := range d.Volumes {
			if d.URN() == urn {
				with = append(with, "do:volume:"+v)
			}
		}
		if d.URN() == urn && d.reserved != nil {
			with = append(with, "do:floatingip:"+d.reserved.IP)
		}
	}
	for _, w := range with {
		for _, o := range c.projects {
			o.Resources = without(o.Resources, w)
		}
		p.Resources = append(p.Resources, w)
	}
}

// assignResources moves resources into a project.
func (c *Cloud) assignResources(r *request) answer {
	p := c.project(r.PathValue("project"))
	if p == nil {
		return notFound
	}
	urns := r.texts("resources")
	for _, urn := range urns {
		if !urnForm.MatchString(urn) {
			return invalid("%s is not a valid urn", urn)
		}
	}
	for _, ip := range c.reservedIPs {
		urn, d := "do:floatingip:"+ip.IP, c.droplet(ip.Droplet)
		if d != nil && slices.Contains(urns, urn) && !slices.Contains(p.Resources, urn) && !slices.Contains(urns, d.URN()) {
			return refuse(http.StatusPreconditionFailed, "Cannot move a Reserved IP with an associated Droplet. Move the Droplet instead")
		}
	}
	shown := []object{}
	for _, urn := range urns {
		status := "not_found"
		for _, o := range c.projects {
			if !slices.Contains(o.Resources, urn) {
				continue
			}
			if status = "assigned"; o == p {
				status = "already_assigned"
				break
			}
			o.Resources = without(o.Resources, urn)
			p.Resources = append(p.Resources, urn)
			c.follow(p, urn)
			break
		}
		shown = append(shown, showAssigned(urn, c.stamp(), status))
	}
	return ok(object{"resources": shown})
}
