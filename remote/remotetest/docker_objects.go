package remotetest

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"provision/remote/remotetest/unix"
)

func labels(list []string) map[string]string {
	out := map[string]string{}
	for _, l := range list {
		k, v, _ := strings.Cut(l, "=")
		out[k] = v
	}
	return out
}

func dockerNetworkCreate(p *proc, o unix.Parsed) int {
	if len(o.Args) != 1 {
		p.Errorf("\"docker network create\" requires exactly 1 argument.\n")
		return 1
	}
	d := p.host.docker
	d.mu.Lock()
	defer d.mu.Unlock()
	name := o.Args[0]
	if d.networks[name] != nil {
		return p.daemonError("network with name %s already exists", name)
	}
	n := &Network{
		Name: name, ID: hexID(), Created: d.h.stamp(), Scope: "local", Driver: "bridge", Internal: o.Has("internal"), Attachable: o.Has("attachable"),
		IPAM: IPAM{Driver: "default"}, Containers: map[string]NetworkMember{}, Options: labels(o.List["opt"]), EnableIPv6: o.Has("ipv6") && o.Value["ipv6"] != "false", Labels: labels(o.List["label"]),
	}
	if v := o.Value["d"]; v != "" {
		n.Driver = v
	}
	subnet := o.Value["subnet"]
	if subnet == "" {
		subnet = d.freeSubnet()
	}
	prefix, err := netip.ParsePrefix(subnet)
	if err != nil {
		p.Errorf("invalid subnet %s: invalid CIDR block notation\n", subnet)
		return 1
	}
	if d.overlaps(prefix) {
		return p.daemonError("Pool overlaps with other one on this address space")
	}
	n.IPAM.Config = []IPAMConfig{{subnet, prefix.Masked().Addr().Next().String()}}
	if n.Internal || o.Value["subnet"] != "" && o.Value["gateway"] == "" {
		n.IPAM.Config[0].Gateway = ""
		if !n.Internal {
			n.IPAM.Config[0].Gateway = prefix.Masked().Addr().Next().String()
		}
	}
	d.networks[name] = n
	p.Printf("%s\n", n.ID)
	return 0
}

func (d *docker) overlaps(p netip.Prefix) bool {
	for _, n := range d.networks {
		for _, c := range n.IPAM.Config {
			if other, err := netip.ParsePrefix(c.Subnet); err == nil && other.Overlaps(p) {
				return true
			}
		}
	}
	return false
}

func (d *docker) freeSubnet() string {
	for i := 18; i < 32; i++ {
		s := fmt.Sprintf("172.%d.0.0/16", i)
		if !d.overlaps(netip.MustParsePrefix(s)) {
			return s
		}
	}
	return "192.168.0.0/20"
}

type namedRow struct {
	name, id, driver string
	labels           map[string]string
	internal         bool
	dir              string
}

func (r namedRow) Mountpoint() string { return r.dir }

func (r namedRow) Name() string { return r.name }

func (r namedRow) ID() string { return r.id }

func (r namedRow) Driver() string { return r.driver }

func (r namedRow) Label(k string) string { return r.labels[k] }

func (r namedRow) Internal() bool { return r.internal }

func (r namedRow) Scope() string { return "local" }

func (p *proc) namedRows(o unix.Parsed, rows []namedRow, quiet string) int {
	var keep []any
	for _, r := range rows {
		if p.filters(o.List["f"], func(k, v string) (bool, bool) {
			switch k {
			case "name":
				return strings.Contains(r.name, v), true
			case "label":
				return labelled(r.labels, v), true
			case "driver":
				return r.driver == v, true
			case "id":
				return strings.HasPrefix(r.id, v), true
			}
			return false, false
		}) {
			keep = append(keep, r)
		}
	}
	format := o.Value["F"]
	if o.Has("q") {
		format = quiet
	} else if format == "" {
		p.Printf("DRIVER    NAME\n")
		format = "{{.Driver}}     {{.Name}}"
	}
	p.rows(format, keep)
	return 0
}

func dockerNetworks(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	var rows []namedRow
	for _, name := range slices.Sorted(maps.Keys(d.networks)) {
		n := d.networks[name]
		id := n.ID
		if !o.Has("N") {
			id = id[:12]
		}
		rows = append(rows, namedRow{name, id, n.Driver, maps.Clone(n.Labels), n.Internal, ""})
	}
	d.mu.Unlock()
	return p.namedRows(o, rows, "{{.ID}}")
}

func dockerVolumes(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	var rows []namedRow
	for _, name := range slices.Sorted(maps.Keys(d.volumes)) {
		rows = append(rows, namedRow{name: name, driver: "local", labels: maps.Clone(d.volumes[name].Labels), dir: d.volumes[name].Mountpoint})
	}
	d.mu.Unlock()
	return p.namedRows(o, rows, "{{.Name}}")
}

func dockerNetworkRm(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	defer d.mu.Unlock()
	code := 0
	for _, name := range o.Args {
		n := d.network(name)
		if n == nil {
			if !o.Has("f") {
				code = p.daemonError("network %s not found", name)
			}
			continue
		}
		if used := d.members(n).Containers; len(used) > 0 {
			code = p.daemonError("error while removing network: network %s id %s has active endpoints", n.Name, n.ID)
			continue
		}
		delete(d.networks, n.Name)
		p.Printf("%s\n", name)
	}
	return code
}

func dockerConnect(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.network(o.Args[0])
	c := d.find(o.Args[1])
	switch {
	case n == nil:
		return p.daemonError("network %s not found", o.Args[0])
	case c == nil:
		return p.daemonError("No such container: %s", o.Args[1])
	case c.NetworkSettings.Networks[n.Name] != nil:
		return p.daemonError("endpoint with name %s already exists in network %s", c.name(), n.Name)
	}
	c.NetworkSettings.Networks[n.Name] = &Endpoint{Aliases: append(o.List["alias"], c.short()), NetworkID: n.ID, EndpointID: hexID(), IPAddress: d.address(n), Gateway: gateway(n)}
	return 0
}

func dockerDisconnect(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.network(o.Args[0])
	c := d.find(o.Args[1])
	if n == nil || c == nil || c.NetworkSettings.Networks[n.Name] == nil {
		return p.daemonError("container %s is not connected to network %s", o.Args[1], o.Args[0])
	}
	delete(c.NetworkSettings.Networks, n.Name)
	return 0
}

func dockerVolumeCreate(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	defer d.mu.Unlock()
	name := hexID()
	if len(o.Args) > 0 {
		name = o.Args[0]
	}
	if d.volumes[name] == nil {
		d.newVolume(name, labels(o.List["label"])).Options = labels(o.List["o"])
	}
	p.Printf("%s\n", name)
	return 0
}

func dockerVolumeRm(p *proc, o unix.Parsed) int {
	d := p.host.docker
	d.mu.Lock()
	defer d.mu.Unlock()
	code := 0
	for _, name := range o.Args {
		v := d.volumes[name]
		if v == nil {
			if !o.Has("f") {
				code = p.daemonError("get %s: no such volume", name)
			}
			continue
		}
		user := ""
		for _, c := range d.containers {
			if slices.ContainsFunc(c.Mounts, func(m MountPoint) bool { return m.Name == name }) {
				user = c.ID
			}
		}
		if user != "" {
			code = p.daemonError("remove %s: volume is in use - [%s]", name, user)
			continue
		}
		delete(d.volumes, name)
		d.h.sys.Tree.RemoveAll("/var/lib/docker/volumes/" + name)
		p.Printf("%s\n", name)
	}
	return code
}
