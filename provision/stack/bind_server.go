package stack

import (
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"

	"provision/files"
	"provision/files/naming"
	"provision/inventory"
	"provision/provision/resource"
)

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
	host, dir := h.Name, b.names.RoleDir("server")
	name := b.stack.Name
	identity := []resource.ID{resource.IdentityID(host)}
	postgresVol, artifactsVol, caddyVol := b.names.Volumes()

	b.pulled(host, b.stack.Postgres.Image)
	b.image(host, b.prefect, b.stack.Prefect.Image)
	b.image(host, b.caddy, b.stack.Prefect.Image, b.stack.Caddy.Image)

	rendered, err := files.ComposeServer{
		Stack: b.names, PostgresImage: b.stack.Postgres.Image, PrefectImage: b.prefect.ref, CaddyImage: b.caddy.ref,
		TLS: b.inv.TLS.Mode, PublicURL: b.inv.URL, Settings: b.stack.Prefect.Settings, AgentHere: h.Has(inventory.RoleAgent),
		Proxy: b.inv.Site.Proxy, NoProxy: b.inv.Site.NoProxy,
	}.Render()
	if err != nil {
		return err
	}
	compose := &resource.File{Host: host, Path: dir + "/compose.yaml", Content: rendered.YAML, Owner: "0:0", Mode: "0644", After: identity}
	b.add(compose)

	password := &resource.SecretFile{Host: host, Path: dir + "/secrets/postgres/password", UID: postgresUID, Generate: resource.RandomHex, After: identity}
	serverPassword := &resource.SecretFile{Host: host, Path: dir + "/secrets/server/password", UID: prefectUID, Source: password.ID(), After: identity}
	data := resource.VolumeID(host, postgresVol)
	// The key is there before the data that it encrypts: a run that is killed between the two must not
	// leave a volume without its key. Whether there is data is not known before the engine answers.
	encryption := &resource.SecretFile{
		Host: host, Path: b.encryptionKey(), UID: prefectUID, Generate: resource.FernetKey, Precious: data, Stack: name,
		After: append([]resource.ID{resource.EngineID(host)}, identity...),
	}
	b.add(password, serverPassword, encryption)
	b.add(&resource.Volume{Host: host, Stack: name, Name: postgresVol, Birth: true, Major: major(b.stack.Postgres.Image), Disk: b.place, Moved: h.Machine != nil},
		&resource.Volume{Host: host, Stack: name, Name: artifactsVol},
		&resource.Volume{Host: host, Stack: name, Name: caddyVol})

	caddyFiles, caddyConfig, err := b.caddyFiles(h, identity)
	if err != nil {
		return err
	}

	if b.place != nil {
		b.add(b.place.Kept)
	}
	var postgres, server *resource.Service
	for _, s := range rendered.Services {
		switch s.Name {
		case "postgres":
			postgres = b.service(host, "server", s, resource.Service{
				After: []resource.ID{data, password.ID()}, Timeout: 300, Note: "the database and Prefect are away for some seconds; agents ask again",
			})
		case "server":
			server = b.service(host, "server", s, resource.Service{
				Files: []resource.ID{serverPassword.ID(), encryption.ID()}, After: []resource.ID{resource.VolumeID(host, artifactsVol), resource.DatabaseLoginID(host)},
				Before: migrate, Timeout: 180, Note: "Prefect is away for some seconds; agents ask again",
			})
		}
	}
	b.add(postgres, &resource.DatabaseLogin{Host: host, Container: postgres.Container, Password: password.ID()}, server,
		&resource.PrefectState{Host: host, Container: server.Container, Stack: name, Pool: naming.Pool})
	var own []string
	queues := map[string]bool{}
	for _, a := range b.inv.Agents() {
		own = append(own, naming.HostQueue(a.Name))
		for _, q := range b.stack.Queues(a) {
			queues[q] = true
		}
	}
	b.add(&resource.Pool{Host: host, Container: server.Container, Name: naming.Pool, Queues: sorted(queues), Own: own, OwnPrefix: naming.HostQueuePrefix})
	for _, s := range rendered.Services {
		if s.Name == "caddy" {
			caddy := b.service(host, "server", s, resource.Service{
				After: append([]resource.ID{caddyConfig.ID(), caddyFiles.ID(), server.ID(), resource.VolumeID(host, caddyVol), b.named}, b.allTokens()...),
				Note:  "the UI and the API are away for some seconds; agents ask again",
			})
			b.add(caddy, &resource.CaddyLoaded{
				Host: host, Container: caddy.Container, Digest: caddyConfig.digest, Config: caddyConfig.ID(), Files: caddyFiles,
				Admin: "unix//run/caddy/admin.sock", Answer: files.CaddyAnswer, Certificate: caddyConfig.certificate, After: []resource.ID{b.named},
			})
		}
	}
	return nil
}

// migrate brings the database to the schema of the image before the new server starts.
const migrate = `echo "bringing the database to this version of Prefect"
timeout 1800 docker compose --project-name "${container%-server}-server" --ansi never run --rm -T --no-deps migrate`

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
	hash := &resource.PasswordHash{Host: host, Path: secrets + "/ui_password_hash", UID: caddyUID, Password: password.ID(), Note: login + "/ui_password_hashed", Salt: b.salt(), After: identity}
	b.add(password, hash)
	loaded := []resource.ID{hash.ID()}

	fromFile := func(name, path string) error {
		content, err := inventory.ReadFile(path, inventory.MaxFile)
		if err != nil {
			return err
		}
		value, valueDigest, _ := fixed(string(content))
		f := &resource.SecretFile{Host: host, Path: secrets + "/" + name, UID: caddyUID, Given: value, GivenDigest: valueDigest, After: identity}
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
		authority := &resource.Authority{Host: host, Dir: secrets, UID: caddyUID, Note: login + "/authority", Next: login + "/authority.next", Name: b.inv.Hostname(), After: identity}
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
		text, err := inventory.ReadFile(tls.Certificate, inventory.MaxFile)
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
			b.add(&resource.SecretFile{Host: host, Path: id.Name, UID: caddyUID, Generate: resource.RandomHex, After: identity})
		}
	}
	text, digest, err := files.Caddyfile{
		TLS: tls.Mode, PublicURL: b.inv.URL, UIUser: b.stack.UI.User, Agents: b.agents,
		APIAll: b.stack.BusinessLogic.API == APIAll, Serve: b.serve(), Email: tls.Email, ACMECA: tls.ACMECA, ACMERoot: tls.ACMECARoot != "",
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
		After:    append([]resource.ID{resource.ImageID(host, b.caddy.ref), note.ID()}, append(identity, b.allTokens()...)...),
		Validate: fmt.Sprintf(validateCaddyfile, dir, b.caddy.ref),
	}, digest, certificate}
	b.add(note, config)
	return note, config, nil
}

// validateCaddyfile has the same image that will run it judge the new configuration, which comes
// through standard input, beside the files that it names.
const validateCaddyfile = `docker run --rm -i --network none --user 10002:10002 --read-only --tmpfs /tmp --tmpfs /data:uid=10002,gid=10002 --tmpfs /config:uid=10002,gid=10002 --tmpfs /run/caddy:uid=10002,gid=10002 --cap-drop ALL --ulimit core=0 --volume %[1]s/caddy:/etc/caddy:ro --volume %[1]s/secrets/caddy:/run/secrets:ro %[2]s caddy validate --adapter caddyfile --config - <"$new" >"$d/.provision.out" 2>&1 || { tail -n 5 "$d/.provision.out" >&2; rm -f "$d/.provision.out"; die "Caddy refuses the new Caddyfile; the old one stays"; }
rm -f "$d/.provision.out"`
