package digitaloceantest

import (
	"regexp"
	"slices"
	"strings"
)

var tagName = regexp.MustCompile(`^[a-zA-Z0-9_\-:]{1,255}$`)

// tag makes the tag if there is none and answers the name it has: tags that differ by case only are one.
func (c *Cloud) tag(name string) (string, bool) {
	if !tagName.MatchString(name) {
		return "", false
	}
	for _, t := range c.tags {
		if strings.EqualFold(t, name) {
			return t, true
		}
	}
	c.tags = append(c.tags, name)
	return name, true
}

// knownTag is a tag that is there. Who names one that is there has to write it as it was made.
func (c *Cloud) knownTag(name string) string {
	if slices.Contains(c.tags, name) {
		return name
	}
	return ""
}

// tagAll makes the tags of something that is being created.
func (c *Cloud) tagAll(names []string) ([]string, answer) {
	out := []string{}
	for _, name := range names {
		if !tagName.MatchString(name) {
			return nil, invalid("Tags: %s is not a valid tag name", name)
		}
	}
	for _, name := range names {
		if t, _ := c.tag(name); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out, answer{}
}

func (c *Cloud) showTag(name string) object {
	droplets, volumes := 0, 0
	last := object{}
	all := object{}
	for _, d := range c.droplets {
		if slices.Contains(d.Tags, name) {
			droplets++
			last["droplets"] = "https://api.digitalocean.com/v2/droplets/" + itoa(d.ID)
		}
	}
	for _, v := range c.volumes {
		if slices.Contains(v.Tags, name) {
			volumes++
			last["volumes"] = "https://api.digitalocean.com/v2/volumes/" + v.ID
		}
	}
	for kind, n := range map[string]int{"droplets": droplets, "images": 0, "volumes": volumes, "volume_snapshots": 0, "databases": 0} {
		o := object{"count": n}
		if uri := last[kind]; uri != nil {
			o["last_tagged_uri"], all["last_tagged_uri"] = uri, uri
		}
		all[kind] = o
	}
	all["count"] = droplets + volumes
	return object{"name": name, "resources": all}
}

func (c *Cloud) listTags(r *request) answer { return page(r, "tags", c.tags, c.showTag) }

func (c *Cloud) getTag(r *request) answer {
	t := c.knownTag(r.PathValue("tag"))
	if t == "" {
		return notFound
	}
	return ok(object{"tag": c.showTag(t)})
}

func (c *Cloud) createTag(r *request) answer {
	t, valid := c.tag(r.text("name"))
	if !valid {
		return invalid("Name may only contain letters, numbers, colons, dashes, and underscores")
	}
	return created(object{"tag": c.showTag(t)})
}

func (c *Cloud) deleteTag(r *request) answer {
	t := c.knownTag(r.PathValue("tag"))
	if t == "" {
		return notFound
	}
	c.tags = without(c.tags, t)
	for _, tags := range c.tagLists("droplet", "volume", "firewall") {
		*tags = without(*tags, t)
	}
	return done
}

// tagLists are the tags of all things of some kinds, by urn.
func (c *Cloud) tagLists(kinds ...string) map[string]*[]string {
	out := map[string]*[]string{}
	for _, d := range c.droplets {
		out[d.URN()] = &d.Tags
	}
	for _, v := range c.volumes {
		out[v.URN()] = &v.Tags
	}
	for _, f := range c.firewalls {
		out["do:firewall:"+f.ID] = &f.Tags
	}
	for urn := range out {
		if !slices.Contains(kinds, strings.Split(urn, ":")[1]) {
			delete(out, urn)
		}
	}
	return out
}

// tagResources tags and untags: all of the resources or none.
func (c *Cloud) tagResources(r *request) answer {
	t := c.knownTag(r.PathValue("tag"))
	if t == "" {
		return notFound
	}
	if !c.may(r, "droplet:update") {
		return forbidden
	}
	lists := c.tagLists("droplet", "volume")
	var hit []*[]string
	for _, v := range r.body["resources"].([]any) {
		o, _ := v.(object)
		id, _ := o["resource_id"].(string)
		kind, _ := o["resource_type"].(string)
		tags := lists["do:"+kind+":"+id]
		if tags == nil {
			return notFound
		}
		hit = append(hit, tags)
	}
	for _, tags := range hit {
		*tags = without(*tags, t)
		if r.Method == "POST" {
			*tags = append(*tags, t)
		}
	}
	return done
}
