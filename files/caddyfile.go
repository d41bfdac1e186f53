package files

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"provision/files/generation"
)

// Caddyfile is the configuration of the proxy in front of the Prefect server.
type Caddyfile struct {
	TLS       string
	PublicURL string                   // scheme, host and optional port
	UIUser    string                   // its bcrypt hash is the file secrets/caddy/ui_password_hash
	Agents    []string                 // hosts with token files secrets/caddy/tokens/HOST.{poll,run}; their order does not matter
	Servers   []string                 // names and ports of those that answer, in the proxy's network
	Routes    generation.Routes        // what may be asked for
	Tokens    []generation.TokenRoutes // of Routes: what the holders of each kind of token may do

	Email    string // acme
	ACMECA   string // acme: url of another directory
	ACMERoot bool   // acme: trust secrets/caddy/acme_root.crt at ACMECA
}

// CaddyMounts is the content of the file "mounts" beside the Caddyfile. It names the state of the files that Caddy reads only when it loads its configuration
// (secrets/caddy without tokens/): a digest, computed on the host. It must be written after these files and before the reload: then a loaded digest never
// claims more than what was loaded.
func CaddyMounts(digest string) []byte { return []byte(`mounts "` + digest + "\"\n") }

// CaddyAuthority is the content of the file "authority" beside the Caddyfile: the stack's own authority under a name, which must be another one for each
// authority. Caddy keeps the certificates that it has issued by the name of who issued them, in its volume and in memory, and asks for no other one as
// long as that stays.
func CaddyAuthority(name string) []byte {
	return []byte(`(authority) {
	ca ` + name + `
}
(authority-files) {
	ca ` + name + ` {
		name provision
		root {
			cert /run/secrets/root.crt
		}
		intermediate {
			cert /run/secrets/intermediate.crt
			key /run/secrets/intermediate.key
		}
	}
}
`)
}

// CaddyAnswer is the body that http://caddy:2020/ gives once the configuration with this digest was loaded while the file "mounts" named mounts.
func CaddyAnswer(digest, mounts string) string { return digest + " " + mounts }

//go:embed caddy/Caddyfile.tmpl
var caddyfileText string

// Render is pure and deterministic. The digest is part of the text, and what the loaded configuration answers on :2020 begins with it: see CaddyAnswer.
func (c Caddyfile) Render() (text []byte, digest string, err error) {
	site, err := generation.ParseSite(c.TLS, c.PublicURL)
	if err != nil {
		return nil, "", err
	}
	if err := c.validate(); err != nil {
		return nil, "", err
	}
	tmpl, err := template.New("Caddyfile").Funcs(template.FuncMap{"q": quoteCaddy}).Parse(caddyfileText)
	if err != nil {
		return nil, "", fmt.Errorf("parse the Caddyfile's template: %w", err)
	}
	agents := slices.Clone(c.Agents)
	slices.Sort(agents)
	data := struct {
		Caddyfile
		Agents       []string
		Kinds        []generation.TokenRoutes
		Site, Origin string
		HostPart     string
		IP           string
		Port         uint16 // the url's is Caddy's own: on the agents' network it is reached without the engine between
		Digest       string
	}{
		Caddyfile: c, Agents: agents, Kinds: c.Tokens,
		Site: site.Scheme + "://" + site.HostPart(), Origin: site.Origin(), HostPart: site.HostPart(), Port: site.Port,
	}
	if c.TLS == generation.TLSOff {
		data.Site += fmt.Sprintf(":%d", site.Port)
	}
	if site.IP.IsValid() {
		data.IP = site.IP.String()
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, data); err != nil {
		return nil, "", fmt.Errorf("render the Caddyfile: %w", err)
	}
	sum := sha256.Sum256(out.Bytes())
	data.Digest = hex.EncodeToString(sum[:])
	out.Reset()
	if err := tmpl.Execute(&out, data); err != nil {
		return nil, "", fmt.Errorf("render the Caddyfile: %w", err)
	}
	return out.Bytes(), data.Digest, nil
}

// hostName is what a host can be called: the name becomes a file name and a matcher's name.
var hostName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (c Caddyfile) validate() error {
	if c.UIUser == "" || strings.ContainsRune(c.UIUser, ':') {
		return fmt.Errorf("ui user %q: must not be empty or contain a colon", c.UIUser)
	}
	seen := map[string]bool{}
	for _, host := range c.Agents {
		if !hostName.MatchString(host) {
			return fmt.Errorf("host name %q: letters, digits, dots, dashes and underscores only", host)
		}
		if seen[host] {
			return fmt.Errorf("host name %q is given twice", host)
		}
		seen[host] = true
	}
	if c.Email != "" {
		if a, err := mail.ParseAddress(c.Email); err != nil || a.Address != c.Email {
			return fmt.Errorf("acme email %q is not an address", c.Email)
		}
	}
	if c.ACMECA != "" {
		if u, err := url.Parse(c.ACMECA); err != nil || u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("acme_ca %q is not an https url", c.ACMECA)
		}
	}
	return nil
}

// quoteCaddy makes one token of a Caddyfile out of any text that has no meaning to Caddy beyond the lexer. Braces are refused, because they would be
// placeholders wherever the value ends up, and so is the backtick, for which there is no quote left when a value also has a double one.
func quoteCaddy(s string) (string, error) {
	for _, r := range s {
		if r == '{' || r == '}' || r == '`' || r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return "", fmt.Errorf("%q cannot be written into a Caddyfile: it has the character %q", s, r)
		}
	}
	switch {
	case plainToken.MatchString(s):
		return s, nil
	case strings.ContainsAny(s, `"\`):
		return "`" + s + "`", nil // here a backslash stays itself; between double quotes one at the end cannot be written
	default:
		return `"` + s + `"`, nil
	}
}

var plainToken = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9._:/@\[\]-]*$`)
