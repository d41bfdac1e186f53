package stack

import (
	"crypto/x509"
	"slices"
	"strconv"

	"provision/files/generation"
	"provision/files/naming"
	"provision/inventory/strict"
	"provision/provision/database"
	"provision/provision/resource"
)

// readDatabase fetches the url of a database elsewhere, if the stack has one.
func (b *binder) readDatabase() error {
	ref := b.stack.Postgres.URL
	if !ref.Set() {
		return nil
	}
	bad := func(what, hint string) error {
		return strict.Problems{b.stack.problem("postgres.url", what, hint)}
	}
	text, err := ref.Resolve(b.ctx, b.stack.Dir)
	if err != nil {
		return bad(err.Error(), "")
	}
	url, err := database.Parse(text)
	if err != nil {
		return bad("what it names "+err.Error(), "write it as "+database.Form)
	}
	if b.cloud != nil && b.cloud.Disk(b.server) != nil {
		return bad("the inventory gives "+b.server.Name+" a volume for the database, which is elsewhere", "remove the volume there, or postgres.url here")
	}
	b.elsewhere = &url
	return nil
}

// databasePort is that of a database elsewhere; 0 is the stack's own.
func (b *binder) databasePort() int {
	if b.elsewhere == nil {
		return 0
	}
	port, _ := strconv.Atoi(b.elsewhere.Port) // a url has no other
	return port
}

// data is what says that the stack's data exist: the volume on the server, or what is in the database elsewhere.
func (b *binder) data() resource.ID {
	if b.elsewhere != nil {
		return resource.DatabaseElsewhereID(b.server.Name, b.elsewhere.Place())
	}
	return b.dataVolume()
}

// dataVolume is the volume of the stack's own database, on the server.
func (b *binder) dataVolume() resource.ID {
	return resource.VolumeID(b.server.Name, b.names.Volume(naming.PostgresVolume))
}

// database adds what the server needs of its database, and gives it: files that it reads at its start, and what comes before.
func (b *binder) database(host string, identity []resource.ID) (needed, error) {
	if b.elsewhere == nil {
		return needed{after: []resource.ID{resource.DatabaseLoginID(host)}}, nil
	}
	pem, err := b.certificates()
	if err != nil {
		return needed{}, err
	}
	var roots *x509.CertPool
	if len(pem) > 0 {
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		roots.AppendCertsFromPEM(pem)
	}
	there := &resource.DatabaseElsewhere{Host: host, Stack: b.stack.Name, URL: *b.elsewhere, Roots: roots, Oldest: b.stack.Generation().OldestDatabase, Volume: b.dataVolume(), After: identity}
	value, digest, _ := fixed(b.elsewhere.Connection(b.stack.Generation().DatabaseDriver))
	url := &resource.SecretFile{
		Host: host, Path: b.names.RoleDir(naming.RoleServer) + "/secrets/server/" + generation.DatabaseURL, UID: b.uid("server"), Given: value, GivenDigest: digest,
		After: append(slices.Clone(identity), there.ID()),
	}
	b.add(there, url)
	return needed{files: []resource.ID{url.ID()}, after: []resource.ID{there.ID()}}, nil
}
