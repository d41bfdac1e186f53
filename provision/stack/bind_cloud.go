package stack

import (
	"slices"
	"strings"

	"provision/files/naming"
	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/resource"
)

// account adds what the account of the cloud should have.
func (b *binder) account() error {
	if b.cloud == nil {
		return nil
	}
	bound, err := b.cloud.Bind(cloud.Site{
		Stack: b.stack.Name, Server: b.server,
		Caddy: resource.ServiceID(b.server.Name, b.names.Container(b.parts.Entrance().Name)), Loaded: caddyConfiguration(b.server.Name),
	})
	b.named = bound.Named
	b.add(bound.Resources...)
	return err
}

// machine is what a host has to be before anything is done on it.
func (b *binder) machine(h *inventory.Host) []resource.ID {
	if b.cloud == nil {
		return nil
	}
	return b.cloud.Ready(h)
}

// disk adds the host's volume, if it has one for the database, and names the resource that makes it. What the data cannot be used
// without is beside it, so that a new machine with the old volume is the same stack.
func (b *binder) disk(h *inventory.Host) (*resource.Disk, resource.ID) {
	if b.cloud == nil || !h.Has(inventory.RoleServer) {
		return nil, resource.ID{}
	}
	volume := b.cloud.Disk(h)
	if volume == nil {
		return nil, resource.ID{}
	}
	mount := "/mnt/" + b.stack.Name + "-data"
	disk := &resource.Disk{
		Host: h.Name, Device: volume.Device,
		Path: mount, Sub: "postgres", Owner: b.uid("postgres") + ":" + b.uid("postgres"), Born: b.base + "/volume." + b.names.Volume(naming.PostgresVolume),
		Kept: &resource.Kept{
			Host: h.Name, Base: b.base, Dir: mount + "/keep",
			Files: []string{"id", "born", "server/secrets/server/encryption_key", "server/secrets/postgres/password", "server/secrets/login/ui_password"},
			After: []resource.ID{resource.IdentityID(h.Name), resource.SecretID(h.Name, b.encryptionKey()), resource.SecretID(h.Name, b.base+"/server/secrets/postgres/password"), resource.SecretID(h.Name, b.base+"/server/secrets/login/ui_password")},
		},
		After: volume.After,
	}
	if b.inv.TLS.Mode == inventory.TLSInternal { // whoever trusts it goes on to
		disk.Kept.After = append(disk.Kept.After, resource.AuthorityID(h.Name))
		for _, f := range resource.AuthorityFiles(b.base+"/server/secrets/caddy", b.base+"/server/secrets/login/authority") {
			disk.Kept.Files = append(disk.Kept.Files, strings.TrimPrefix(f, b.base+"/"))
		}
	}
	disk.Kept.After = append(disk.Kept.After, disk.ID())
	b.add(disk)
	return disk, volume.ID
}

// guarded are what has to be there before a container of the host is started.
func (b *binder) guarded(host string) []resource.ID {
	guards := []resource.ID{resource.NetworkGuardID(host)}
	if id := resource.MetadataID(host); slices.ContainsFunc(b.out, func(r resource.Resource) bool { return r.ID() == id }) {
		guards = append(guards, id)
	}
	return guards
}
