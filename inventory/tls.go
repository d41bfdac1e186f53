package inventory

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"strconv"
	"strings"

	"provision/inventory/strict"
)

// MaxFile bounds certificates and keys; a whole system's bundle of roots has a quarter of a megabyte.
const MaxFile = 2 << 20

// tls checks the mode and that the keys of one mode are not given for another.
func (c Checker) tls(inv *Inventory) {
	t := &inv.TLS
	if !c.OneOf("tls.mode", t.Mode, TLSInternal, TLSACME, TLSFiles, TLSOff) {
		return
	}
	for _, k := range []struct{ name, value, mode string }{
		{"email", t.Email, TLSACME},
		{"acme_ca", t.ACMECA, TLSACME},
		{"acme_ca_root", t.ACMECARoot, TLSACME},
		{"certificate", t.Certificate, TLSFiles},
		{"key", t.Key, TLSFiles},
	} {
		if k.value != "" && t.Mode != k.mode {
			c.Add(strict.Key("tls", k.name), fmt.Sprintf("is for mode %q, and the mode is %q", k.mode, t.Mode), "")
		}
	}
	switch t.Mode {
	case TLSACME:
		c.acme(t)
	case TLSFiles:
		for _, k := range []struct{ name, value string }{{"certificate", t.Certificate}, {"key", t.Key}} {
			if k.value == "" {
				c.Add(strict.Key("tls", k.name), `missing, with mode "files"`, "the path of a PEM file")
			}
		}
	case TLSOff:
		if !t.AllowPlaintext {
			c.Add("tls.mode", `with "off" passwords and tokens travel in clear`, `"internal" needs nothing else; to go without all the same, set allow_plaintext = true`)
		}
	}
	c.certificates("tls.acme_ca_root", &t.ACMECARoot)
	certificate, key := t.Certificate, t.Key
	c.file("tls.certificate", &t.Certificate)
	c.file("tls.key", &t.Key)
	if t.Mode == TLSFiles && certificate != "" && key != "" {
		c.pair(inv, certificate, key)
	}
}

func (c Checker) acme(t *TLS) {
	if t.Email != "" {
		if a, err := mail.ParseAddress(t.Email); err != nil || a.Address != t.Email || strings.ContainsFunc(t.Email, strict.Control) {
			c.Add("tls.email", strict.Show(t.Email)+" is not an e-mail address", "")
		}
	}
	c.Link("tls.acme_ca", t.ACMECA, "https")
	if t.ACMECARoot != "" && t.ACMECA == "" {
		c.Add("tls.acme_ca_root", "is the root of acme_ca, which is not given", "")
	}
}

// file makes the path of a file usable that must be there and readable.
func (c Checker) file(key string, path *string) bool {
	return c.Content(key, path, func([]byte) error { return nil })
}

// certificates is file for certificates in PEM form.
func (c Checker) certificates(key string, path *string) {
	c.Content(key, path, func(text []byte) error {
		if strings.Contains(string(text), "PRIVATE KEY-----") {
			return errors.New("has a private key, which does not belong among certificates")
		}
		if why, hint := unreadablePEM(text); why != "" {
			return fmt.Errorf("%s; %s", why, hint)
		}
		if len(pemCertificates(text)) == 0 {
			return errors.New("has no certificate in PEM form")
		}
		return brokenCertificate(text)
	})
}

// Content makes the path of a file usable that must be there and hold what check wants of it.
func (c Checker) Content(key string, path *string, check func([]byte) error) bool {
	shown := strict.Show(*path)
	if c.path(key, path); *path == "" {
		return false
	}
	text, err := strict.ReadFile(*path, MaxFile)
	if err != nil {
		c.Add(key, shown+" "+strict.PlainFileError(err), "")
		return false
	}
	if err := check(text); err != nil {
		c.Add(key, shown+" "+err.Error(), "")
		return false
	}
	return true
}

// url checks the url against the mode, brings it into one form, or makes it from the server's address.
func (c Checker) url(inv *Inventory) {
	if inv.URL == "" {
		if c.Has("url") {
			c.Add("url", "is empty", "without the key it is made from the server's address")
		}
		if server := inv.Server(); server != nil && server.Address != "" && !c.Settled(strict.Key("hosts", server.Name, "address")) {
			inv.URL = defaultURL(inv.TLS.Mode, server.Address)
		}
		if inv.TLS.Mode == TLSACME {
			c.publicName(inv)
		} else if kind := inv.madeServer(); kind != "" {
			c.Add("url", "missing: the server is a "+kind+", whose address is not known beforehand", `url = "https://prefect.example.org"`)
		}
		return
	}
	scheme := "https"
	if inv.TLS.Mode == TLSOff {
		scheme = "http"
	}
	u, ok := c.Link("url", inv.URL, "https", "http")
	if !ok {
		inv.URL = ""
		return
	}
	port := u.Port()
	switch {
	case u.Scheme != scheme && scheme == "https":
		c.Add("url", "must begin with https://", `for http without TLS set [tls] mode = "off" and allow_plaintext = true`)
	case u.Scheme != scheme:
		c.Add("url", `must begin with http://, as [tls] mode is "off"`, "")
	case u.Path != "" && u.Path != "/":
		c.Add("url", "must have no path: Prefect answers at a host's root only", "give it a host name of its own")
	case scheme == "http" && port != strconv.Itoa(plainPort):
		c.Add("url", fmt.Sprintf("without TLS the port is %d", plainPort), "write http://"+net.JoinHostPort(strings.ToLower(u.Hostname()), strconv.Itoa(plainPort)))
	case scheme == "https" && port != "" && port != "443":
		c.Add("url", "the port is 443", "leave it out")
	case isIP(u.Hostname()) && inv.madeServer() != "":
		c.Add("url", "must have a DNS name: the server is a "+inv.madeServer()+", whose address is not known beforehand", `url = "https://prefect.example.org"`)
	case strings.ToLower(u.Hostname()) == "localhost":
		c.Add("url", "localhost is another machine for everyone who opens it", "")
	}
	u.Host = strings.ToLower(u.Host)
	if scheme == "https" {
		u.Host = strings.TrimSuffix(u.Host, ":443")
	}
	u.Path = ""
	inv.URL = u.String()
	if inv.TLS.Mode == TLSACME {
		c.publicName(inv)
	}
	for _, tables := range inv.Clouds {
		if domain := tables.Domain(); domain != "" && !strings.HasSuffix("."+inv.Hostname(), "."+domain) {
			c.Add("url", fmt.Sprintf("%s is not in the domain %s, which gets its record", inv.Hostname(), domain), "")
		}
	}
}

// publicName checks that an ACME CA can issue for the url's host. A CA named in acme_ca may know private names.
func (c Checker) publicName(inv *Inventory) {
	host := inv.Hostname()
	hint := `with a private name use mode "internal" or "files"`
	if host == "" || !c.Has("url") {
		c.Add("url", `missing: mode "acme" needs a public DNS name`, `for example url = "https://prefect.example.org"`)
		return
	}
	if _, err := netip.ParseAddr(host); err == nil {
		c.Add("url", `mode "acme" needs a DNS name, not an IP address`, hint)
		return
	}
	if inv.TLS.ACMECA != "" {
		return
	}
	private := !strings.Contains(host, ".")
	for _, end := range []string{".local", ".localhost", ".internal", ".lan", ".home.arpa", ".test", ".invalid", ".example"} {
		private = private || strings.HasSuffix(host, end)
	}
	if private {
		c.Add("url", fmt.Sprintf("%s is not a public DNS name, and mode \"acme\" needs one", host), hint)
	}
}

func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
