package stack

import (
	"embed"
	"encoding/pem"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"provision/files"
	"provision/files/generation"
	"provision/files/naming"
	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/resource"
	"provision/remote"
)

//go:embed *.sh
var scriptFiles embed.FS

// scripts are the shell of this package.
var scripts = remote.ReadScripts(scriptFiles)

// tokenKinds are the two tokens that each agent host has at the API.
var tokenKinds = [2]string{"poll", "run"}

func (b *binder) tokenID(host, kind string) resource.ID {
	return resource.SecretID(b.server.Name, b.base+"/server/secrets/caddy/tokens/"+host+"."+kind)
}

// caID is the file with the roots that an agent host trusts.
func (b *binder) caID(host string) resource.ID {
	return resource.SecretID(host, b.base+"/agent/ca/ca.pem")
}

// serverRole adds the database, the Prefect server and Caddy.
func (b *binder) serverRole(h *inventory.Host) error {
	host, name := h.Name, b.stack.Name
	identity := []resource.ID{resource.IdentityID(host)}
	in := b.input(h)
	rendered, err := b.parts.Render(naming.RoleServer, in)
	if err != nil {
		return err
	}
	b.images(host, naming.RoleServer, in)
	b.project(host, naming.RoleServer, rendered)

	more := b.passwords(in, identity)
	// The key is there before the data that it encrypts: a run that is killed between the two must not
	// leave a volume without its key. Whether there is data is not known before the engine answers.
	encryption := &resource.SecretFile{
		Host: host, Path: b.encryptionKey(), UID: b.uid("server"), Generate: resource.FernetKey, Precious: b.data(), Stack: name,
		After: append([]resource.ID{resource.EngineID(host)}, identity...),
	}
	if b.elsewhere != nil {
		encryption.After = append(encryption.After, b.data())
	}
	b.add(encryption)
	for _, v := range naming.Volumes {
		volume := &resource.Volume{Host: host, Stack: name, Name: b.names.Volume(v)}
		if v == naming.PostgresVolume {
			volume.Spare = b.elsewhere != nil
			volume.Birth, volume.Major, volume.Disk, volume.Movable = true, major(b.stack.Postgres.Image), b.place, h.Machine != nil
		}
		b.add(volume)
	}

	caddyFiles, caddyConfig, err := b.caddyFiles(h, identity)
	if err != nil {
		return err
	}

	if b.place != nil {
		b.add(b.place.Kept)
	}
	password := more["postgres"].after
	database, err := b.database(host, identity)
	if err != nil {
		return err
	}
	for _, p := range b.parts.Roled(naming.RoleServer) {
		if p.Secrets == "server" {
			more[p.Name] = needed{files: slices.Concat(more[p.Name].files, database.files, []resource.ID{encryption.ID()}), after: append(more[p.Name].after, database.after...)}
		}
	}
	more["caddy"] = needed{after: append([]resource.ID{caddyConfig.ID(), caddyFiles.ID(), b.named}, b.allTokens()...)}
	b.backups(host, identity)
	order, containers := b.containers(naming.RoleServer, in, rendered, more)
	for _, part := range order {
		c := containers[part]
		b.add(c)
		switch part {
		case "postgres":
			b.add(&resource.DatabaseLogin{Host: host, Container: c.Container, Password: password[0], Volume: b.dataVolume()})
		case "server":
			b.add(&resource.PrefectState{Host: host, Container: c.Container, Stack: name, Pool: naming.Pool, Ask: b.stack.Generation().Glue.Observe}, b.pool(c))
		case "caddy":
			b.add(&resource.CaddyLoaded{
				Host: host, Container: c.Container, Digest: caddyConfig.digest, Config: caddyConfig.ID(), Files: caddyFiles,
				Admin: "unix//run/caddy/admin.sock", Answer: files.CaddyAnswer, Certificate: caddyConfig.certificate, After: []resource.ID{b.named},
			})
		}
	}
	return nil
}

// passwords adds those that parts have for who calls them, and gives what is needed of them by part.
func (b *binder) passwords(in generation.Input, identity []resource.ID) map[string]needed {
	more, copied := map[string]needed{}, map[string]bool{}
	dir := b.names.RoleDir(naming.RoleServer) + "/secrets/"
	parts := b.parts.Of(naming.RoleServer, in)
	for _, p := range parts {
		if p.Password == "" {
			continue
		}
		born := &resource.SecretFile{Host: in.Host, Path: dir + p.Secrets + "/" + p.Password, UID: p.UID, Generate: resource.RandomHex, After: identity}
		b.add(born)
		of := more[p.Row()]
		if p.AtStart {
			of.files = append(of.files, born.ID())
		} else {
			of.after = append(of.after, born.ID())
		}
		more[p.Row()] = of
		for _, caller := range parts {
			if !slices.ContainsFunc(caller.Calls, func(c generation.Call) bool { return c.Part == p.Name }) || caller.Secrets == "" {
				continue
			}
			copy := &resource.SecretFile{Host: in.Host, Path: dir + caller.Secrets + "/" + p.Password, UID: caller.UID, Source: born.ID(), After: identity}
			if !copied[copy.Path] {
				b.add(copy)
				copied[copy.Path] = true
			}
			of := more[caller.Row()]
			if !slices.Contains(of.files, copy.ID()) {
				of.files = append(of.files, copy.ID())
			}
			more[caller.Row()] = of
		}
	}
	return more
}

// pool is the work pool with the queues of all hosts.
func (b *binder) pool(server *resource.Service) *resource.Pool {
	var own []string
	queues := map[string]bool{}
	for _, a := range b.inv.Agents() {
		own = append(own, naming.HostQueue(a.Name))
		for _, q := range b.stack.Queues(a) {
			queues[q] = true
		}
	}
	return &resource.Pool{
		Host: server.Host, Container: server.Container, Name: naming.Pool, Queues: sorted(queues), Own: own, OwnPrefix: naming.HostQueuePrefix,
		Make: b.stack.Generation().Glue.Pool,
	}
}

var majorTag = regexp.MustCompile(`:(\d+)[^/]*$`)

// major is the major version that the tag of an image of PostgreSQL names; "" if it names none.
func major(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if m := majorTag.FindStringSubmatch(image); m != nil {
		return m[1]
	}
	return ""
}

func (b *binder) allTokens() (ids []resource.ID) {
	for _, a := range b.agents {
		for _, kind := range tokenKinds {
			ids = append(ids, b.tokenID(a, kind))
		}
	}
	return ids
}

type caddyfile struct {
	*resource.File
	digest      string
	certificate *resource.Certificate // that it leads to; nil without TLS
}

// caddyFiles adds what Caddy reads: its configuration, certificates, the hash of the UI's password
// and the tokens.
func (b *binder) caddyFiles(h *inventory.Host, identity []resource.ID) (*resource.CaddyFiles, caddyfile, error) {
	host, dir := h.Name, b.base+"/server"
	secrets, login := dir+"/secrets/caddy", dir+"/secrets/login"
	given, givenDigest, err := b.given(b.stack.UI.Password, "ui.password")
	if err != nil {
		return nil, caddyfile{}, err
	}
	password := &resource.SecretFile{Host: host, Path: login + "/ui_password", UID: "0", Given: given, GivenDigest: givenDigest, Generate: resource.RandomPassword, After: identity}
	hash := &resource.PasswordHash{Host: host, Path: secrets + "/ui_password_hash", UID: b.uid("caddy"), Password: password.ID(), Note: login + "/ui_password_hashed", Salt: b.salt(), After: identity}
	b.add(password, hash)
	loaded := []resource.ID{hash.ID()}

	fromFile := func(name, path string) error {
		content, err := strict.ReadFile(path, inventory.MaxFile)
		if err != nil {
			return err
		}
		value, valueDigest, _ := fixed(string(content))
		f := &resource.SecretFile{Host: host, Path: secrets + "/" + name, UID: b.uid("caddy"), Given: value, GivenDigest: valueDigest, After: identity}
		b.add(f)
		loaded = append(loaded, f.ID())
		return nil
	}
	tls := b.inv.TLS
	certificate := &resource.Certificate{Name: b.inv.Hostname(), Port: 443}
	switch tls.Mode {
	case inventory.TLSOff:
		certificate = nil
	case inventory.TLSInternal:
		authority := &resource.Authority{Host: host, Dir: secrets, UID: b.uid("caddy"), Note: login + "/authority", Next: login + "/authority.next", Name: b.inv.Hostname(), After: identity}
		for _, agent := range b.agents {
			authority.Copies = append(authority.Copies, b.caID(agent))
		}
		b.add(authority, resource.NextAuthority{Present: authority})
		certificate.Authority = authority
		loaded = append(loaded, authority.ID())
	case inventory.TLSFiles:
		if err := fromFile("site.crt", tls.Certificate); err != nil {
			return nil, caddyfile{}, err
		}
		if err := fromFile("site.key", tls.Key); err != nil {
			return nil, caddyfile{}, err
		}
		text, err := strict.ReadFile(tls.Certificate, inventory.MaxFile)
		if err != nil {
			return nil, caddyfile{}, err
		}
		for block, rest := pem.Decode(text); block != nil && certificate.Given == nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" {
				certificate.Given = block.Bytes
			}
		}
	case inventory.TLSACME:
		if tls.ACMECARoot != "" {
			if err := fromFile("acme_root.crt", tls.ACMECARoot); err != nil {
				return nil, caddyfile{}, err
			}
		}
	}
	for _, a := range b.agents {
		for _, kind := range tokenKinds {
			id := b.tokenID(a, kind)
			b.add(&resource.SecretFile{Host: host, Path: id.Name, UID: b.uid("caddy"), Generate: resource.RandomHex, After: identity})
		}
	}
	routes := b.stack.Generation().Routes
	var servers []string
	for _, p := range b.parts.Of(naming.RoleServer, b.input(h)) {
		if p.Row() == routes.Server {
			servers = append(servers, fmt.Sprintf("%s:%d", p.Name, routes.Port))
		}
	}
	text, digest, err := files.Caddyfile{
		TLS: tls.Mode, PublicURL: b.inv.URL, UIUser: b.stack.UI.User, Agents: b.agents,
		Servers: servers, Routes: routes, Tokens: routes.Tokens(b.stack.BusinessLogic.API == APIAll, b.serve()), Email: tls.Email, ACMECA: tls.ACMECA, ACMERoot: tls.ACMECARoot != "",
	}.Render()
	if err != nil {
		return nil, caddyfile{}, err
	}
	note := &resource.CaddyFiles{
		Host: host, Path: dir + "/caddy/mounts", Dir: secrets, Salt: b.salt(), Files: loaded, After: identity,
		Content: func(d string) []byte { return files.CaddyMounts(d) }, Named: files.CaddyAuthority,
	}
	if certificate != nil {
		note.Authority = certificate.Authority
	}
	config := caddyfile{&resource.File{
		Host: host, Path: dir + "/caddy/Caddyfile", Content: text, Owner: "0:0", Mode: "0644",
		After:    append([]resource.ID{resource.ImageID(host, b.built[generation.ImageCaddy].ref), note.ID()}, append(identity, b.allTokens()...)...),
		Validate: scripts.With("caddy_validate", "dir", dir, "image", b.built[generation.ImageCaddy].ref, "uid", b.uid("caddy")),
	}, digest, certificate}
	b.add(note, config)
	return note, config, nil
}
