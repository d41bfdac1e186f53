package remotetest

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"provision/remote/remotetest/unix"
)

// shown is the certificate that a Caddy shows, and what it renews it with. Like the real one it keeps what it
// manages in memory across reloads as long as name and issuer stay the same, and else takes what its
// storage has under the two names before it issues anew.
type shown struct {
	host   string // of the site
	plain  bool   // without TLS
	issuer string // key of the issuer: the name of an own authority, "acme", or "" for a certificate that was brought
	ca     tls.Certificate
	chain  []byte // PEM, the leaf first; nil: it has none to show
}

var (
	caddySite      = regexp.MustCompile(`(?m)^"?(https?)://([^\s"]+)"? \{`)
	caddyAuthority = regexp.MustCompile(`(?m)^\s*ca ([0-9a-z]+)`)
	caddyImport    = regexp.MustCompile(`(?m)^\s*import (/\S+)$`)
)

// imported is a configuration with the files in it that it names by an absolute path.
func (p *proc) imported(text string) (string, error) {
	var failed error
	out := caddyImport.ReplaceAllStringFunc(text, func(line string) string {
		name := caddyImport.FindStringSubmatch(line)[1]
		b, err := p.ReadAll(name)
		if err != nil {
			failed = cmp.Or(failed, fmt.Errorf("adapting config using caddyfile: File to import not found: %s", name))
		}
		return string(b)
	})
	return out, failed
}

// configured is what a configuration says of the certificate.
func (p *proc) configured(text string) (shown, error) {
	var s shown
	if m := caddySite.FindStringSubmatch(text); m != nil {
		s.plain, s.host = m[1] == "http", m[2]
		if host, _, err := net.SplitHostPort(s.host); err == nil {
			s.host = host
		}
		s.host = strings.Trim(s.host, "[]")
	}
	read := func(name string) []byte {
		b, _ := p.ReadAll("/run/secrets/" + name) // whether it can be read is for others to say
		return b
	}
	var err error
	switch {
	case strings.Contains(text, "issuer internal"):
		s.issuer = "local"
		if m := caddyAuthority.FindStringSubmatch(text); m != nil {
			s.issuer = m[1]
		}
		if s.ca, err = tls.X509KeyPair(read("intermediate.crt"), read("intermediate.key")); err != nil {
			return s, fmt.Errorf("loading new config: provision pki: %w", err)
		}
	case strings.Contains(text, "issuer acme"):
		s.issuer = "acme"
		if s.ca, err = publicAuthority(p.host.sys.Now()); err != nil {
			return s, err
		}
	case strings.Contains(text, "/run/secrets/site.crt"):
		s.chain = read("site.crt")
	}
	return s, nil
}

// publicAuthority is one that no host has made.
func publicAuthority(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "a public authority"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	c, err = x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: c}, err
}

// manage has the container show what its new configuration says, as a reload does.
func (c *container) manage(h *Host, next shown) {
	if old := c.shown; old.chain != nil && next.issuer != "" && old.issuer == next.issuer && old.host == next.host {
		next.chain = old.chain // it is managed already
	} else if next.issuer != "" {
		next.chain = nil
		if b, err := h.sys.Tree.ReadFile(c.stored(next)); err == nil {
			next.chain = []byte(b)
		}
	}
	c.shown = next
	c.renew(h)
}

func (c *container) stored(s shown) string {
	return c.inside("/data/caddy/certificates/" + s.issuer + "/" + s.host + "/" + s.host + ".crt")
}

// renew issues a certificate where there is none, or one of whose time less than a third is left.
func (c *container) renew(h *Host) {
	s := &c.shown
	if s.issuer == "" || s.plain {
		return
	}
	if leaf := leafOf(s.chain); leaf != nil && leaf.NotAfter.Sub(h.sys.Now()) > leaf.NotAfter.Sub(leaf.NotBefore)/3 {
		return
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return
	}
	lifetime := 7 * 24 * time.Hour
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: h.sys.Now().Add(-time.Minute), NotAfter: h.sys.Now().Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(s.host); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else {
		leaf.DNSNames = []string{s.host}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, s.ca.Leaf, key.Public(), s.ca.PrivateKey)
	if err != nil {
		return
	}
	s.chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.chain = append(s.chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.ca.Certificate[0]})...)
	file := c.stored(*s)
	_ = h.sys.Tree.WriteFile(file, string(s.chain), 0o600)
	uid, _ := strconv.Atoi(strings.SplitN(c.Config.User, ":", 2)[0])
	for range 4 { // and the directories above it
		_ = h.sys.Tree.Chown(unix.Cred{}, file, uid, uid, false)
		file = path.Dir(file)
	}
}

func leafOf(chain []byte) *x509.Certificate {
	if block, _ := pem.Decode(chain); block != nil {
		if leaf, err := x509.ParseCertificate(block.Bytes); err == nil {
			return leaf
		}
	}
	return nil
}

// handshake is what a client sees that asks for a name: a reason if there is no certificate.
func (c *container) handshake(h *Host, name string) (why string) {
	switch {
	case c.shown.plain:
		return "[Errno 111] Connection refused"
	case name != "" && name != c.shown.host:
		return "[SSL: TLSV1_ALERT_INTERNAL_ERROR] tlsv1 alert internal error"
	}
	if c.renew(h); leafOf(c.shown.chain) == nil {
		return "[SSL: TLSV1_ALERT_INTERNAL_ERROR] tlsv1 alert internal error"
	}
	return ""
}

// refuses says why a client that trusts these roots, or the public authorities without any, refuses the
// certificate. A certificate that was brought is of an authority that the simulation does not know,
// so without roots it is taken.
func (c *container) refuses(h *Host, name string, roots []byte) string {
	if why := c.handshake(h, name); why != "" {
		return why
	}
	const refused = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
	leaf, pool, between := leafOf(c.shown.chain), x509.NewCertPool(), x509.NewCertPool()
	public := c.shown.issuer == "" || c.shown.issuer == "acme"
	switch {
	case roots != nil && !(c.shown.issuer == "acme"):
		pool.AppendCertsFromPEM(roots)
		between.AppendCertsFromPEM(c.shown.chain)
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, DNSName: name, CurrentTime: h.sys.Now()}); err != nil {
			return refused + "unable to get local issuer certificate"
		}
	case !public:
		return refused + "self signed certificate in certificate chain"
	case leaf.VerifyHostname(name) != nil:
		return refused + "Hostname mismatch"
	}
	return ""
}

// showCertificate prints what a client is shown.
func (p *proc) showCertificate(name string) {
	if why := p.container.handshake(p.host, name); why != "" {
		p.Printf("\n!%s", why)
		return
	}
	p.Printf("\n%s", base64.StdEncoding.EncodeToString(leafOf(p.container.shown.chain).Raw))
}

// Shows is the certificate that the Caddy in a container shows, and why it has none to show.
func (h *Host) Shows(container string) (leaf *x509.Certificate, why string) {
	h.docker.mu.Lock()
	defer h.docker.mu.Unlock()
	c := h.docker.containers[container]
	if c == nil || c.loaded == "" {
		return nil, "no such container"
	}
	if why := c.handshake(h, ""); why != "" {
		return nil, why
	}
	return leafOf(c.shown.chain), ""
}
