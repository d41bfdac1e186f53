package stack

import (
	"path"
	"slices"

	"provision/files/compose"
	"provision/files/generation"
	"provision/inventory"
	"provision/provision/resource"
)

// needed is what a container needs beyond what its row says.
type needed struct {
	files []resource.ID // secrets that it reads at its start
	after []resource.ID
}

// input is what the projects of a host are rendered from.
func (b *binder) input(h *inventory.Host) generation.Input {
	extra := map[string]string{}
	if ip := b.inv.ServerIP(); ip != "" && h.Name != b.server.Name {
		extra[b.inv.Hostname()] = ip
	}
	images := map[string]string{generation.ImagePostgres: b.stack.Postgres.Image}
	for image, made := range b.built {
		images[image] = made.ref
	}
	return generation.Input{
		Stack: b.names, Host: h.Name, Images: images,
		TLS: b.inv.TLS.Mode, PublicURL: b.inv.URL, Settings: b.stack.Prefect.Settings, AgentHere: h.Has(inventory.RoleServer) && h.Has(inventory.RoleAgent),
		CA: b.ownCA(), ExtraHosts: extra, Queues: b.stack.Queues(h), Concurrency: b.stack.Concurrency(h), StopGrace: b.stack.BusinessLogic.StopGrace,
		Serve: b.serve(), APIAll: b.stack.BusinessLogic.API == APIAll, Proxy: b.inv.Site.Proxy, NoProxy: b.inv.Site.NoProxy,
		Retention: b.stack.Retention.forServer(), RetryCutRuns: b.stack.BusinessLogic.CutRuns == CutRetry, AnyPickles: b.stack.BusinessLogic.PickledResults == PicklesAny, Servers: b.stack.Scale.Servers, DatabasePort: b.databasePort(),
		Backup: b.stack.backups(),
	}
}

// uid is the user of a part.
func (b *binder) uid(part string) string { return b.parts.Named(part).UID }

// acmeRoot says that certificates come from an authority of the user's own.
func (b *binder) acmeRoot() bool {
	return b.inv.TLS.Mode == inventory.TLSACME && b.inv.TLS.ACMECARoot != ""
}

// ownCA says that agents do not trust the public authorities at the API.
func (b *binder) ownCA() bool { return b.inv.TLS.Mode == inventory.TLSInternal || b.acmeRoot() }

// images adds the images of a role's parts.
func (b *binder) images(host, role string, in generation.Input) {
	for _, image := range b.parts.Of(role, in).Images() {
		switch image {
		case generation.ImagePostgres:
			b.pulled(host, b.stack.Postgres.Image)
		case generation.ImageCaddy:
			b.image(host, b.built[image], b.stack.Prefect.Image, b.stack.Caddy.Image)
		case generation.ImagePrefect, generation.ImageBusiness:
			b.image(host, b.built[image], b.stack.Prefect.Image)
		case generation.ImageBackup:
			b.image(host, b.built[image], b.stack.Postgres.Image, b.stack.Backup.Image)
		default:
			b.pulled(host, image)
		}
	}
}

// project adds the Compose file of a role.
func (b *binder) project(host, role string, rendered compose.Rendered) *resource.File {
	compose := &resource.File{
		Host: host, Path: b.names.RoleDir(role) + "/compose.yaml", Content: rendered.YAML, Owner: "0:0", Mode: "0644", After: []resource.ID{resource.IdentityID(host)},
	}
	b.add(compose)
	return compose
}

// containers are those of a role by part, in the order in which they start. The caller adds them.
func (b *binder) containers(role string, in generation.Input, rendered compose.Rendered, more map[string]needed) (names []string, out map[string]*resource.Service) {
	out = map[string]*resource.Service{}
	for _, p := range b.parts.Of(role, in).Starting() {
		if p.Once {
			continue
		}
		names, out[p.Name] = append(names, p.Name), b.container(p, in, rendered, more[p.Row()])
	}
	return names, out
}

func (b *binder) container(p generation.Part, in generation.Input, rendered compose.Rendered, more needed) *resource.Service {
	s := rendered.Services[slices.IndexFunc(rendered.Services, func(s compose.Described) bool { return s.Name == p.Name })]
	c := &resource.Service{
		Host: in.Host, Stack: b.stack.Name, Project: b.names.Project(p.Role), Dir: b.names.RoleDir(p.Role),
		Service: s.Name, Container: b.names.Container(s.Name), Definition: s.Definition, Image: s.Image, Salt: b.salt(),
		Files: more.files, After: slices.Clone(more.after), Timeout: p.Timeout,
	}
	for _, other := range b.parts { // also those that are not there now
		switch p.Row() {
		case other.StoppedFor:
			c.Stops = append(c.Stops, b.names.Container(other.Name))
		case other.RunsFor:
			c.Runs, c.Doing = other.Name, other.Doing
		}
	}
	if p.Note != nil {
		c.Note = p.Note(in)
	}
	if p.StoppedFor != "" {
		c.StoppedFor = resource.ServiceID(in.Host, b.names.Container(p.StoppedFor))
	}
	for _, v := range p.Volumes {
		c.After = append(c.After, resource.VolumeID(in.Host, b.names.Volume(v.Name)))
	}
	if n := slices.IndexFunc(b.parts.Of(p.Role, in), func(o generation.Part) bool { return o.Name == p.Name }); p.Name != p.Row() {
		// One after the other, so that there is always one that answers.
		c.After = append(c.After, resource.ServiceID(in.Host, b.names.Container(b.parts.Of(p.Role, in)[n-1].Name)))
	}
	for _, call := range p.Calls {
		c.After = append(c.After, resource.ServiceID(in.Host, b.names.Container(call.Part)))
	}
	c.After = append(c.After, b.guarded(in.Host)...)
	for _, n := range s.Networks {
		c.After = append(c.After, resource.NetworkID(in.Host, n))
	}
	for _, m := range s.Mounts {
		c.Mounts = append(c.Mounts, path.Join(c.Dir, m))
	}
	return c
}
