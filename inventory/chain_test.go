package inventory

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issued is a certificate with its key.
type issued struct {
	*x509.Certificate
	key crypto.Signer
}

// issue makes a certificate by an authority, or by itself without one.
func issue(t *testing.T, by *issued, bits int, change func(*x509.Certificate)) *issued {
	t.Helper()
	var key crypto.Signer
	var err error
	if bits > 0 {
		key, err = rsa.GenerateKey(rand.Reader, bits)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), BasicConstraintsValid: true}
	change(c)
	parent, signer := c, key
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{c, key}
}

func authorityNamed(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.KeyUsage = pkix.Name{CommonName: name}, true, x509.KeyUsageCertSign
	}
}

func forSite(c *x509.Certificate) {
	c.Subject, c.IPAddresses = pkix.Name{CommonName: "the server"}, []net.IP{net.IPv4(10, 0, 0, 11)}
}

func pemOf(all ...*issued) (text string) {
	for _, c := range all {
		text += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return text
}

// TestCertificate gives certificates that Caddy would load, and that agents or browsers would refuse: each is
// refused before anything is changed, with one line that says why.
func TestCertificate(t *testing.T) {
	root := issue(t, nil, 0, authorityNamed("Example root"))
	between := issue(t, root, 0, authorityNamed("Example intermediate"))
	leaf := issue(t, between, 0, forSite)
	alone := issue(t, nil, 0, forSite)
	small := issue(t, root, 1024, forSite)
	smallCA := issue(t, nil, 1024, authorityNamed("Small root"))
	underSmall := issue(t, smallCA, 0, forSite)
	old := issue(t, nil, 2048, authorityNamed("Old root"))
	sha1 := issue(t, old, 0, func(c *x509.Certificate) { forSite(c); c.SignatureAlgorithm = x509.SHA1WithRSA })
	ended := issue(t, root, 0, func(c *x509.Certificate) { forSite(c); c.NotAfter = time.Now().Add(-time.Minute) })
	coming := issue(t, root, 0, func(c *x509.Certificate) { forSite(c); c.NotBefore = time.Now().Add(2 * time.Hour) })
	endedCA := issue(t, root, 0, func(c *x509.Certificate) {
		authorityNamed("Ended intermediate")(c)
		c.NotAfter = time.Now().Add(-time.Minute)
	})
	underEnded := issue(t, endedCA, 0, forSite)
	other := issue(t, root, 0, func(c *x509.Certificate) { c.DNSNames = []string{"www.example.org"} })
	nameless := issue(t, root, 0, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "10.0.0.11"} })
	client := issue(t, root, 0, func(c *x509.Certificate) { forSite(c); c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	noCA := issue(t, root, 0, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "no authority"} })
	underNone := issue(t, noCA, 0, forSite)
	bom := "\xef\xbb\xbf"

	for _, test := range []struct {
		name        string
		certificate string
		key         *issued
		roots       string // of site.ca_certificates
		want        string // "" for none
	}{
		{"whole chain", pemOf(leaf, between), leaf, pemOf(root), ""},
		{"text before it", "Bag Attributes\n    friendlyName: x\n" + pemOf(leaf, between), leaf, "# ours\n" + pemOf(root), ""},
		{"intermediate among ours", pemOf(leaf), leaf, pemOf(root, between), ""},
		{"signed by itself and ours", pemOf(alone), alone, pemOf(alone), ""},
		{"chain in another order", pemOf(leaf, root, between), leaf, pemOf(root), ""},
		{
			"nobody vouches", pemOf(leaf, between), leaf, "",
			`tls.certificate: "site.crt" is of "CN=Example root", which is neither in that file nor in [site] ca_certificates nor a public authority: agents would refuse it; append the intermediate certificates to that file, after the server's own; the root of an authority of your own belongs in [site] ca_certificates`,
		},
		{"root in the file alone", pemOf(leaf, between, root), leaf, "", `tls.certificate: "site.crt" is of "CN=Example root", which`},
		{"no intermediate", pemOf(leaf), leaf, pemOf(root), `tls.certificate: "site.crt" is of "CN=Example intermediate", which`},
		{"intermediate as a root", pemOf(leaf), leaf, pemOf(between), `tls.certificate: "site.crt" is of "CN=Example intermediate", which`},
		{"signed by itself", pemOf(alone), alone, "", `tls.certificate: "site.crt" is signed by itself, and agents trust public authorities and [site] ca_certificates alone; name the same file in [site] ca_certificates`},
		{"1024 bits", pemOf(small), small, pemOf(root), `tls.certificate: "site.crt" has an RSA key of 1024 bits, and agents and browsers want 2048; make`},
		{"1024 bits above it", pemOf(underSmall), underSmall, pemOf(smallCA), `tls.certificate: "site.crt" comes with "CN=Small root", which has an RSA key of 1024 bits`},
		{"SHA-1", pemOf(sha1), sha1, pemOf(old), `tls.certificate: "site.crt" is signed with SHA1, which agents and browsers refuse; make`},
		{"ended", pemOf(ended), ended, pemOf(root), `tls.certificate: "site.crt" ended on ` + time.Now().Add(-time.Minute).UTC().Format(time.DateOnly)},
		{"not yet", pemOf(coming), coming, pemOf(root), `tls.certificate: "site.crt" is not valid before 2`},
		{"intermediate ended", pemOf(underEnded, endedCA), underEnded, pemOf(root), `tls.certificate: "site.crt" comes with "CN=Ended intermediate", which is not valid at this time: from`},
		{"another name", pemOf(other), other, pemOf(root), `tls.certificate: "site.crt" is not for 10.0.0.11, the url's host; it is for "www.example.org"`},
		{"common name only", pemOf(nameless), nameless, pemOf(root), `tls.certificate: "site.crt" is not for 10.0.0.11, the url's host; it names no host: the common name does not count, a subject alternative name does`},
		{"for clients", pemOf(client), client, pemOf(root), `tls.certificate: "site.crt" is not for a server: its extended key usage lacks serverAuth`},
		{"by no authority", pemOf(underNone, noCA), underNone, pemOf(root), `tls.certificate: "site.crt" comes with "CN=no authority", which is no authority`},
		{"key of another", pemOf(leaf, between), alone, pemOf(root), `tls.key: "site.key" is not the key of "site.crt"; the server's own certificate comes first in its file, then the chain`},
		{"intermediate first", pemOf(between, leaf), leaf, pemOf(root), `tls.key: "site.key" is not the key of "site.crt"; the server's`},
		{"byte order mark", bom + pemOf(leaf, between), leaf, pemOf(root), `tls.certificate: "site.crt" begins with a byte order mark, so its first block is not seen; save it without`},
		{"bytes before it", "x" + pemOf(leaf, between), leaf, pemOf(root), `tls.certificate: "site.crt" has something before -----BEGIN in its line 1, so that block is not seen; -----BEGIN`},
		{"a blank before the second", pemOf(leaf) + " " + pemOf(between), leaf, pemOf(root), `tls.certificate: "site.crt" has something before -----BEGIN in its line ` + fmt.Sprint(strings.Count(pemOf(leaf), "\n")+1)},
		{"UTF-16", "\xff\xfe-\x00-\x00", leaf, pemOf(root), `tls.certificate: "site.crt" is UTF-16; save it as plain text`},
		{"DER", string(leaf.Raw), leaf, pemOf(root), `tls.certificate: "site.crt" is in DER form, and PEM is needed; openssl x509`},
		{"broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", leaf, pemOf(root), `tls.certificate: "site.crt" has a broken certificate, its number 1`},
		{"byte order mark among ours", pemOf(leaf, between), leaf, bom + pemOf(root), `site.ca_certificates[0]: "ours.pem" begins with a byte order mark`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			private, err := x509.MarshalPKCS8PrivateKey(test.key.key)
			if err != nil {
				t.Fatal(err)
			}
			text := "[hosts.all]\naddress = \"10.0.0.11\"\nroles = [\"server\", \"agent\"]\n[tls]\nmode = \"files\"\ncertificate = \"site.crt\"\nkey = \"site.key\"\n"
			if test.roots != "" {
				text += "[site]\nca_certificates = [\"ours.pem\"]\n"
			}
			for name, content := range map[string][]byte{
				"onprem.toml": []byte(text), "site.crt": []byte(test.certificate), "ours.pem": []byte(test.roots),
				"site.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
			} {
				if err := os.WriteFile(filepath.Join(dir, name), bytes.TrimLeft(content, "\x00"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, problems := Load(filepath.Join(dir, "onprem.toml"))
			var got []string
			for _, p := range problems {
				got = append(got, strings.TrimPrefix(p.String(), filepath.Join(dir, "onprem.toml")))
			}
			_, said, _ := strings.Cut(strings.Join(got, "\n"), ": ")
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.HasPrefix(said, test.want)) {
				t.Errorf("%q\nwant %s", got, test.want)
			}
		})
	}
}
