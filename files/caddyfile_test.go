package files

import (
	"strings"
	"testing"

	"provision/files/filestest"
	"provision/files/generation"
)

func caddyVariants() map[string]Caddyfile {
	base := Caddyfile{TLS: generation.TLSInternal, PublicURL: "https://prefect.example.org", UIUser: "admin", Agents: []string{"worker-1", "worker-2"}, Servers: []string{"server:4200"}, Routes: Generations[0].Routes, Tokens: Generations[0].Routes.Tokens(false, false)}
	with := func(change func(*Caddyfile)) Caddyfile {
		c := base
		change(&c)
		return c
	}
	return map[string]Caddyfile{
		"internal": base,
		"address":  with(func(c *Caddyfile) { c.PublicURL = "https://192.0.2.7:9443" }),
		"address6": with(func(c *Caddyfile) { c.PublicURL = "https://[2001:db8::7]" }),
		"acme": with(func(c *Caddyfile) {
			c.TLS, c.Email, c.ACMECA, c.ACMERoot = generation.TLSACME, "ops@example.org", "https://acme.example.org/directory", true
		}),
		"acme-plain": with(func(c *Caddyfile) { c.TLS = generation.TLSACME }),
		"files":      with(func(c *Caddyfile) { c.TLS = generation.TLSFiles }),
		"off":        with(func(c *Caddyfile) { c.TLS, c.PublicURL = generation.TLSOff, "http://192.0.2.7:4200" }),
		"api-all":    with(func(c *Caddyfile) { c.Tokens = Generations[0].Routes.Tokens(true, false) }),
		"serve":      with(func(c *Caddyfile) { c.Tokens = Generations[0].Routes.Tokens(false, true) }),
		"replicas":   with(func(c *Caddyfile) { c.Servers = []string{"server:4200", "server-2:4200"} }),
		"no-agents":  with(func(c *Caddyfile) { c.Agents = nil }),
		"prefect3": with(func(c *Caddyfile) {
			c.Routes = Generations[1].Routes
			c.Tokens = c.Routes.Tokens(false, false)
		}),
		"prefect3-serve": with(func(c *Caddyfile) {
			c.Routes = Generations[1].Routes
			c.Tokens = c.Routes.Tokens(false, true)
		}),
		"odd-user": with(func(c *Caddyfile) { c.UIUser = `o'brien "ops" \` }),
	}
}

func TestCaddyfileGolden(t *testing.T) {
	t.Parallel()
	for name, c := range caddyVariants() {
		text, digest, err := c.Render()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		filestest.Golden(t, "caddy/"+name+".Caddyfile", text)
		if strings.Count(string(text), digest) != 1 {
			t.Errorf("%s: the digest must stand in the text once", name)
		}
	}
}

func TestCaddyfileDigest(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, c := range caddyVariants() {
		_, digest, err := c.Render()
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[digest]; ok {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		seen[digest] = name
	}
	a, b := caddyVariants()["internal"], caddyVariants()["internal"]
	b.Agents = []string{"worker-2", "worker-1"}
	_, first, _ := a.Render()
	_, second, _ := b.Render()
	if first != second {
		t.Error("the order of the agents changes the digest")
	}
}

func TestCaddyfileRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Caddyfile)
		want   string
	}{
		{"mode", func(c *Caddyfile) { c.TLS = "self" }, "unknown tls mode"},
		{"scheme", func(c *Caddyfile) { c.PublicURL = "http://prefect.example.org" }, "needs the scheme https"},
		{"path", func(c *Caddyfile) { c.PublicURL = "https://prefect.example.org/ui" }, "only scheme, host and port"},
		{"login in url", func(c *Caddyfile) { c.PublicURL = "https://a:b@prefect.example.org" }, "only scheme, host and port"},
		{"placeholder in host", func(c *Caddyfile) { c.PublicURL = "https://{$HOME}" }, "url"},
		{"line break in host", func(c *Caddyfile) { c.PublicURL = "https://a\n{\nadmin :2019\n}" }, "url"},
		{"wildcard host", func(c *Caddyfile) { c.PublicURL = "https://*.example.org" }, "neither a host name nor an address"},
		{"two hosts", func(c *Caddyfile) { c.PublicURL = "https://a.org,b.org" }, "neither a host name nor an address"},
		{"port", func(c *Caddyfile) { c.PublicURL = "https://a.org:0" }, "bad port"},
		{"port of the redirect", func(c *Caddyfile) { c.PublicURL = "https://a.org:80" }, "something else"},
		{"port of the digest", func(c *Caddyfile) { c.PublicURL = "https://a.org:2020" }, "something else"},
		{"large port", func(c *Caddyfile) { c.PublicURL = "https://a.org:65536" }, "bad port"},
		{"no user", func(c *Caddyfile) { c.UIUser = "" }, "ui user"},
		{"colon in user", func(c *Caddyfile) { c.UIUser = "a:b" }, "ui user"},
		{"placeholder user", func(c *Caddyfile) { c.UIUser = "{env.HOME}" }, "cannot be written"},
		{"line break in user", func(c *Caddyfile) { c.UIUser = "a\nb" }, "cannot be written"},
		{"backtick in user", func(c *Caddyfile) { c.UIUser = "a`b" }, "cannot be written"},
		{"not text", func(c *Caddyfile) { c.UIUser = "a\xffb" }, "cannot be written"},
		{"path in agent", func(c *Caddyfile) { c.Agents = []string{"../ui"} }, "host name"},
		{"placeholder in agent", func(c *Caddyfile) { c.Agents = []string{"{args[0]}"} }, "host name"},
		{"agent twice", func(c *Caddyfile) { c.Agents = []string{"a", "a"} }, "twice"},
		{"email", func(c *Caddyfile) { c.Email = "x y" }, "not an address"},
		{"email with name", func(c *Caddyfile) { c.Email = "X <x@y.org>" }, "not an address"},
		{"acme over http", func(c *Caddyfile) { c.ACMECA = "http://ca.example.org" }, "not an https url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := caddyVariants()["acme"]
			tt.change(&c)
			text, _, err := c.Render()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
			if text != nil {
				t.Error("text in spite of the error")
			}
		})
	}
}
