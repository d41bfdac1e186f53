package remotetest

import (
	"slices"

	"provision/remote/remotetest/unix"
)

func (d *docker) containerView(name string) any {
	if c := d.find(name); c != nil {
		return c.copy()
	}
	return nil
}

func (d *docker) imageView(name string) any {
	if i := d.image(name); i != nil {
		out := i.Image
		out.RepoTags, out.RepoDigests = slices.Clone(i.RepoTags), slices.Clone(i.RepoDigests)
		return out
	}
	return nil
}

func (d *docker) networkView(name string) any {
	if n := d.network(name); n != nil {
		return *d.members(n)
	}
	return nil
}

func (d *docker) volumeView(name string) any {
	if v := d.volumes[name]; v != nil {
		return v.Volume
	}
	return nil
}

// view looks objects up under the lock, before anything is printed.
func (p *proc) view(o unix.Parsed, kind string, find ...func(string) any) int {
	d := p.host.docker
	found := map[string]any{}
	d.mu.Lock()
	d.refresh()
	for _, n := range o.Args {
		for _, f := range find {
			if v := f(n); v != nil {
				found[n] = v
				break
			}
		}
	}
	d.mu.Unlock()
	return p.inspectAll(o, o.Args, kind, func(n string) any { return found[n] })
}

func dockerContainerInspect(p *proc, o unix.Parsed) int {
	return p.view(o, "container", p.host.docker.containerView)
}

func dockerImageInspect(p *proc, o unix.Parsed) int {
	return p.view(o, "image", p.host.docker.imageView)
}

func dockerNetworkInspect(p *proc, o unix.Parsed) int {
	return p.view(o, "network", p.host.docker.networkView)
}

func dockerVolumeInspect(p *proc, o unix.Parsed) int {
	return p.view(o, "volume", p.host.docker.volumeView)
}

func dockerInspect(p *proc, o unix.Parsed) int {
	d := p.host.docker
	switch o.Value["t"] {
	case "container":
		return dockerContainerInspect(p, o)
	case "image":
		return dockerImageInspect(p, o)
	case "network":
		return dockerNetworkInspect(p, o)
	case "volume":
		return dockerVolumeInspect(p, o)
	case "":
		return p.view(o, "", d.containerView, d.imageView, d.networkView, d.volumeView)
	}
	p.Unsupported("docker inspect --type " + o.Value["t"])
	return 1
}
