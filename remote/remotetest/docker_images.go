package remotetest

import (
	"maps"
	"slices"
	"strings"

	"provision/remote/remotetest/unix"
)

func dockerTag(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(o.Args) != 2 {
		p.Errorf("\"docker tag\" requires exactly 2 arguments.\n")
		return 1
	}
	i := d.image(o.Args[0])
	if i == nil {
		return p.daemonError("No such image: %s", o.Args[0])
	}
	d.tag(i, o.Args[1])
	return 0
}

func dockerImages(p *proc, o unix.Parsed) int {
	d := p.host.docker
	type row struct{ Repository, Tag, ID, Digest, CreatedAt string }
	var rows []any
	d.mu.Lock()
	for _, id := range slices.Sorted(maps.Keys(d.images)) {
		i := d.images[id]
		short := id[7:19]
		if o.Has("N") {
			short = id
		}
		tags := i.RepoTags
		if len(tags) == 0 {
			tags = []string{"<none>:<none>"}
		}
		for k, t := range tags {
			cut := strings.LastIndexByte(t, ':')
			keep := len(o.Args) == 0 || slices.ContainsFunc(o.Args, func(a string) bool { return a == t[:cut] || reference(a) == t })
			keep = keep && p.filters(o.List["f"], func(key, v string) (bool, bool) {
				switch key {
				case "reference":
					m, err := unix.Matcher(v)
					return err == nil && (m(t) || m(t[:cut])), true
				case "dangling":
					return (t == "<none>:<none>") == (v == "true"), true
				case "label":
					return labelled(i.Config.Labels, v), true
				}
				return false, false
			})
			if keep && !(o.Has("q") && k > 0) {
				rows = append(rows, row{t[:cut], t[cut+1:], short, "<none>", i.Created})
			}
		}
	}
	d.mu.Unlock()
	format := o.Value["F"]
	if o.Has("q") {
		format = "{{.ID}}"
	} else if format == "" {
		p.Printf("REPOSITORY   TAG   IMAGE ID\n")
		format = "{{.Repository}}   {{.Tag}}   {{.ID}}"
	}
	p.rows(format, rows)
	return 0
}

func dockerRmi(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	defer d.mu.Unlock()
	code := 0
	for _, ref := range o.Args {
		i := d.image(ref)
		if i == nil {
			p.daemonError("No such image: %s", ref)
			code = 1
			continue
		}
		full := reference(ref)
		if slices.Contains(i.RepoTags, full) && len(i.RepoTags) > 1 {
			i.RepoTags = slices.DeleteFunc(i.RepoTags, func(t string) bool { return t == full })
			p.Printf("Untagged: %s\n", full)
			continue
		}
		user := ""
		for _, c := range d.containers {
			if c.image == i && (c.State.Running || !o.Has("f")) {
				user = c.short()
			}
		}
		if user != "" && !o.Has("f") {
			p.daemonError("conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image %s", ref, user, i.ID[7:19])
			code = 1
			continue
		}
		p.Printf("Untagged: %s\n", full)
		i.RepoTags = slices.DeleteFunc(i.RepoTags, func(t string) bool { return t == full })
		if user == "" {
			delete(d.images, i.ID)
			if i.files != "" {
				d.h.sys.Tree.RemoveAll(i.files)
			}
			p.Printf("Deleted: %s\n", i.ID)
		}
	}
	return code
}

func dockerPrune(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, i := range d.images {
		used := false
		for _, c := range d.containers {
			used = used || c.image == i
		}
		if !used && (len(i.RepoTags) == 0 || o.Has("a")) {
			delete(d.images, id)
		}
	}
	p.Printf("Total reclaimed space: 0B\n")
	return 0
}
