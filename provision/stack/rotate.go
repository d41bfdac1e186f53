package stack

import (
	"fmt"
	"slices"
	"strings"

	"provision/files/naming"
	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/resource"
)

// Rotatable is a secret, or several, that people replace by one name.
type Rotatable struct {
	Name string
	// Secrets are the owners of the values: all else that has one has a copy.
	Secrets []resource.ID
	// Why says why it cannot be replaced, and Hint what to do instead; "" if it can. Data says that data would be lost.
	Why, Hint string
	Data      bool
}

// rotating is a row for each kind of secret. secrets says which these are, on the agent hosts that are meant, or why there are none.
var rotating = []struct {
	name    string
	perHost bool // NAME is that of all agent hosts, NAME:HOST that of one
	hidden  bool // known, and never offered
	secrets func(b *binder, hosts []string) Rotatable
}{
	{name: "database", secrets: func(b *binder, _ []string) Rotatable {
		if b.stack.Postgres.URL.Set() {
			return Rotatable{
				Why:  "the stack's database is elsewhere, and its password is in postgres.url of " + b.stack.where(),
				Hint: "change it at the database and in what postgres.url names, then: provision apply",
			}
		}
		return b.passwordOf("postgres")
	}},
	{name: "valkey", secrets: func(b *binder, _ []string) Rotatable {
		if b.stack.Scale.Servers < 2 {
			return Rotatable{Why: "the stack has one server, and so no Valkey", Hint: "provision rotate --help"}
		}
		return b.passwordOf("valkey")
	}},
	{name: "ui", secrets: func(b *binder, _ []string) Rotatable {
		if b.stack.UI.Password.Set() {
			return Rotatable{
				Why:  "the password of the UI is not provision's: ui.password of " + b.stack.where() + " names it",
				Hint: "change it in what ui.password names, then: provision apply",
			}
		}
		return Rotatable{Secrets: []resource.ID{resource.SecretID(b.server.Name, b.base+"/server/secrets/login/ui_password")}}
	}},
	{name: "tokens", perHost: true, secrets: func(b *binder, hosts []string) Rotatable { return b.tokensOf(hosts, tokenKinds[:]...) }},
	{name: tokenKinds[0], perHost: true, secrets: func(b *binder, hosts []string) Rotatable {
		if b.serve() {
			return Rotatable{Why: "business logic fetches its runs itself here, so nobody polls with a token of its own", Hint: "provision rotate " + tokenKinds[1]}
		}
		return b.tokensOf(hosts, tokenKinds[0])
	}},
	{name: tokenKinds[1], perHost: true, secrets: func(b *binder, hosts []string) Rotatable { return b.tokensOf(hosts, tokenKinds[1]) }},
	{name: "bridge", perHost: true, secrets: func(b *binder, hosts []string) (r Rotatable) {
		if b.serve() {
			return Rotatable{Why: "business logic fetches its runs itself here, so there is no bridge between it and an agent", Hint: "provision rotate --help"}
		}
		for _, host := range hosts {
			r.Secrets = append(r.Secrets, resource.SecretID(host, b.names.RoleDir(naming.RoleAgent)+"/secrets/agent/bridge_token"))
		}
		return r
	}},
	{name: "ca", secrets: func(b *binder, _ []string) Rotatable {
		switch b.inv.TLS.Mode {
		case inventory.TLSInternal:
			return Rotatable{Secrets: []resource.ID{resource.AuthorityID(b.server.Name)}}
		case inventory.TLSFiles:
			return Rotatable{Why: "the certificate is yours: tls of " + b.inv.File + " names its files", Hint: "replace what tls.certificate and tls.key name, then: provision apply"}
		case inventory.TLSACME:
			return Rotatable{Why: "certificates come from an authority that is not the stack's (tls.mode of " + b.inv.File + ")", Hint: "Caddy renews them by itself; another root is what tls.acme_ca_root names"}
		}
		return Rotatable{Why: "there is no TLS, so there is no certificate authority (tls.mode of " + b.inv.File + ")", Hint: "provision rotate --help"}
	}},
	{name: "encryption-key", hidden: true, secrets: func(b *binder, _ []string) Rotatable {
		return Rotatable{
			Data: true, Why: "what Prefect has encrypted with this key (secret blocks, passwords in blocks) could never be read again",
			Hint: "save these values again in new blocks if they have become known; the key itself is root's alone, on " + b.server.Name,
		}
	}},
}

// RotateNames are the names that a person can be offered, of an inventory.
func RotateNames(inv *inventory.Inventory) (names []string) {
	for _, row := range rotating {
		if row.hidden {
			continue
		}
		names = append(names, row.name)
		for _, h := range inv.Agents() {
			if row.perHost {
				names = append(names, row.name+":"+h.Name)
			}
		}
	}
	return names
}

// Rotate finds the secret of that name. A name that none has is a refusal, too.
func Rotate(inv *inventory.Inventory, s *Stack, name string) Rotatable {
	b := &binder{inv: inv, stack: s, parts: s.Generation().Parts, names: s.Names(), base: s.Names().Dir(), server: inv.Server()}
	var agents, known []string
	for _, h := range inv.Agents() {
		agents = append(agents, h.Name)
	}
	kind, host, one := strings.Cut(strings.ReplaceAll(name, "_", "-"), ":")
	if one { // names of hosts are as they are
		_, host, _ = strings.Cut(name, ":")
	}
	for _, row := range rotating {
		if !row.hidden {
			known = append(known, row.name)
		}
		if row.name != kind || one && !row.perHost {
			continue
		}
		if one && !slices.Contains(agents, host) {
			return Rotatable{Name: name, Why: fmt.Sprintf("there is no agent host %s in %s", host, inv.File), Hint: "agent hosts are: " + strings.Join(agents, ", ")}
		}
		if one {
			agents = []string{host}
		}
		r := row.secrets(b, agents)
		r.Name = name
		return r
	}
	hint := "secrets are: " + strings.Join(known, ", ")
	if near := strict.Nearest(name, known); near != "" {
		hint = "did you mean: provision rotate " + near
	}
	return Rotatable{Name: name, Why: "there is no secret of this name", Hint: hint}
}

// passwordOf is the password that a part of the server has for who calls it.
func (b *binder) passwordOf(part string) Rotatable {
	p := b.parts.Named(part)
	return Rotatable{Secrets: []resource.ID{resource.SecretID(b.server.Name, b.names.RoleDir(naming.RoleServer)+"/secrets/"+p.Secrets+"/"+p.Password)}}
}

// tokensOf are the tokens of these kinds.
func (b *binder) tokensOf(hosts []string, kinds ...string) (r Rotatable) {
	for _, host := range hosts {
		for _, kind := range kinds {
			r.Secrets = append(r.Secrets, b.tokenID(host, kind))
		}
	}
	return r
}
