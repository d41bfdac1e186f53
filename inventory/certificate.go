package inventory

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"provision/inventory/strict"
)

// pair checks that the certificate and the key belong together, are good for the url's host, and that those
// who verify it can: browsers, and agents in their containers.
func (c Checker) pair(inv *Inventory, certificate, key string) {
	chain, err := strict.ReadFile(c.Path(certificate), MaxFile)
	if err != nil {
		return // reported with the file
	}
	private, err := strict.ReadFile(c.Path(key), MaxFile)
	if err != nil {
		return
	}
	for _, f := range []struct {
		key, name string
		text      []byte
	}{{"tls.certificate", certificate, chain}, {"tls.key", key, private}} {
		if why, hint := unreadablePEM(f.text); why != "" {
			c.Add(f.key, strict.Show(f.name)+" "+why, hint)
			return
		}
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		switch {
		case len(pemCertificates(chain)) == 0:
			c.Add("tls.certificate", strict.Show(certificate)+" has no certificate in PEM form", "")
		case brokenCertificate(chain) != nil:
			c.Add("tls.certificate", strict.Show(certificate)+" "+brokenCertificate(chain).Error(), "")
		case strings.Contains(string(private), "ENCRYPTED"):
			c.Add("tls.key", strict.Show(key)+" is encrypted", "Caddy needs it without a passphrase")
		case !strings.Contains(string(private), "PRIVATE KEY-----"):
			c.Add("tls.key", strict.Show(key)+" has no private key in PEM form", "")
		default:
			c.Add("tls.key", fmt.Sprintf("%s is not the key of %s", strict.Show(key), strict.Show(certificate)), "the server's own certificate comes first in its file, then the chain")
		}
		return
	}
	host := inv.Hostname()
	if host == "" && inv.Server() != nil {
		host = inv.Server().Address
	}
	own, ok := c.ownRoots(inv)
	if !ok {
		return // reported with site.ca_certificates
	}
	var given []*x509.Certificate
	for _, der := range pair.Certificate {
		if parsed, err := x509.ParseCertificate(der); err == nil { // a broken one has been reported
			given = append(given, parsed)
		}
	}
	if why, hint := refused(given, own, host, time.Now()); why != "" {
		c.Add("tls.certificate", strict.Show(certificate)+" "+why, hint)
	}
}

// ownRoots are the certificates of site.ca_certificates; ok is false if one of them cannot be read.
func (c Checker) ownRoots(inv *Inventory) (own []*x509.Certificate, ok bool) {
	for n, name := range inv.Site.CACertificates {
		if c.Settled(strict.Key("site.ca_certificates", n)) {
			return nil, false
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, false
		}
		for _, der := range pemCertificates(text) {
			parsed, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, false
			}
			own = append(own, parsed)
		}
	}
	return own, true
}

// refused says why a browser or an agent refuses a certificate, which comes first, when the others are shown
// with it; "" if it takes it. The roots are those that the agents' images have: the public ones, and
// the site's own. What this machine trusts is no part of it.
func refused(given, own []*x509.Certificate, host string, now time.Time) (why, hint string) {
	leaf := given[0]
	switch {
	case now.After(leaf.NotAfter):
		return "ended on " + leaf.NotAfter.UTC().Format(time.DateOnly), ""
	case now.Before(leaf.NotBefore):
		return "is not valid before " + leaf.NotBefore.UTC().Format(time.DateTime) + " UTC", "see the clock of this machine, too"
	case host != "" && leaf.VerifyHostname(host) != nil:
		return fmt.Sprintf("is not for %s, the url's host", host), names(leaf)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for root := range bundle.Roots() {
		parsed, err := x509.ParseCertificate(root.Certificate)
		switch {
		case err != nil: // a root that Go does not read vouches for nobody
		case root.Constraint != nil:
			roots.AddCertWithConstraint(parsed, root.Constraint)
		default:
			roots.AddCert(parsed)
		}
	}
	for _, c := range own {
		if selfIssued(c) { // OpenSSL ends a chain nowhere else
			roots.AddCert(c)
		} else {
			between.AddCert(c)
		}
	}
	for _, c := range given {
		between.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now})
	suspects := given // a weak signature counts for nothing, so there may be no chain
	if err == nil {
		suspects = chains[0]
	}
	for _, c := range suspects {
		if why := weak(c, selfIssued(c) && !c.Equal(leaf)); why != "" {
			return whose(c, leaf) + why, "make a new one: RSA of 2048 bits or more, or ECDSA, signed with SHA-256 or better"
		}
	}
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return "", ""
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("%sis not valid at this time: from %s to %s", whose(invalid.Cert, leaf), invalid.Cert.NotBefore.UTC().Format(time.DateOnly), invalid.Cert.NotAfter.UTC().Format(time.DateOnly)), ""
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return "is not for a server: its extended key usage lacks serverAuth", ""
	case errors.As(err, &invalid):
		return fmt.Sprintf("is refused: %sis not allowed to certify it", whose(invalid.Cert, leaf)), ""
	case selfIssued(leaf):
		return "is signed by itself, and agents trust public authorities and [site] ca_certificates alone", "name the same file in [site] ca_certificates"
	}
	for _, c := range given[1:] {
		certifies := slices.ContainsFunc(given, func(below *x509.Certificate) bool {
			return bytes.Equal(below.RawIssuer, c.RawSubject) && !below.Equal(c)
		})
		if certifies && !c.IsCA {
			return whose(c, leaf) + "is no authority", ""
		}
	}
	last := top(leaf, given)
	return fmt.Sprintf("is of %s, which is neither in that file nor in [site] ca_certificates nor a public authority: agents would refuse it", name(last.Issuer.String())),
		"append the intermediate certificates to that file, after the server's own; the root of an authority of your own belongs in [site] ca_certificates"
}

// top follows the issuers from a certificate as far as they are given.
func top(c *x509.Certificate, given []*x509.Certificate) *x509.Certificate {
	for range given {
		n := slices.IndexFunc(given, func(up *x509.Certificate) bool { return bytes.Equal(up.RawSubject, c.RawIssuer) })
		if n < 0 || given[n] == c {
			break
		}
		c = given[n]
	}
	return c
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// weak says what OpenSSL refuses at the level that Debian sets. A root's own signature is not looked at.
func weak(c *x509.Certificate, root bool) string {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < 2048 {
		return fmt.Sprintf("has an RSA key of %d bits, and agents and browsers want 2048", key.N.BitLen())
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		if !root {
			return fmt.Sprintf("is signed with %s, which agents and browsers refuse", strings.NewReplacer("-RSA", "", "ECDSA-", "", "DSA-", "").Replace(c.SignatureAlgorithm.String()))
		}
	}
	return ""
}

// whose is empty for the server's own certificate, which the sentence is about.
func whose(c, leaf *x509.Certificate) string {
	if c == nil || c.Equal(leaf) {
		return ""
	}
	return "comes with " + name(c.Subject.String()) + ", which "
}

// name shows what somebody wrote into a certificate.
func name(text string) string {
	if text == "" {
		return "an authority without a name"
	}
	return strict.Show(text)
}

// names says what a certificate is for.
func names(c *x509.Certificate) string {
	var all []string
	for _, n := range c.DNSNames {
		all = append(all, strict.Show(n))
	}
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "it names no host: the common name does not count, a subject alternative name does"
	}
	if len(all) > 5 {
		all = append(all[:5], "...")
	}
	return "it is for " + strings.Join(all, ", ")
}

// unreadablePEM says what keeps programs from seeing the first block of a PEM file. Each begins a line; text
// on lines of its own before it is skipped by everybody.
func unreadablePEM(text []byte) (why, hint string) {
	switch {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return "begins with a byte order mark, so its first block is not seen", "save it without: sed -i '1s/^\\xef\\xbb\\xbf//' FILE"
	case bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "is UTF-16", "save it as plain text: iconv -f utf-16 -t utf-8 FILE"
	case bytes.HasPrefix(text, []byte{0x30, 0x82}):
		return "is in DER form, and PEM is needed", "openssl x509 -inform der -in FILE -out FILE.pem, or openssl pkey for a key"
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if at := bytes.Index(line, []byte("-----BEGIN ")); at > 0 {
			return fmt.Sprintf("has something before -----BEGIN in its line %d, so that block is not seen", number), "-----BEGIN is to be the first on its line"
		}
	}
	return "", ""
}

// brokenCertificate says which certificate of a PEM file cannot be read.
func brokenCertificate(text []byte) error {
	for n, der := range pemCertificates(text) {
		if _, err := x509.ParseCertificate(der); err != nil {
			return fmt.Errorf("has a broken certificate, its number %d", n+1)
		}
	}
	return nil
}

func pemCertificates(text []byte) [][]byte {
	var found [][]byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			found = append(found, block.Bytes)
		}
	}
	return found
}
