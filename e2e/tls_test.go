//go:build linux && e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"provision/e2e/lab"
)

// certified is a certificate for a host from an authority that is not the stack's: a company's own.
type certified struct {
	root             *x509.CertPool
	leaf             *x509.Certificate
	certificate, key string // paths
}

// ownCertificate makes an authority and a certificate for the host's address. The site trusts that
// authority from the first apply on, as a company's machines do.
func (s *site) ownCertificate(host *lab.Host) certified {
	s.Helper()
	dir := filepath.Dir(s.inventory)
	out := certified{root: x509.NewCertPool(), certificate: filepath.Join(dir, "own.crt"), key: filepath.Join(dir, "own.key")}
	must := func(err error) {
		s.Helper()
		if err != nil {
			s.Fatal(err)
		}
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "A company's own authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, SubjectKeyId: []byte{1, 2, 3, 4},
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: host.Address}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 6, 0),
		IPAddresses: []net.IP{net.ParseIP(host.Address)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	must(err)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), authorityKey)
	must(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	out.leaf, err = x509.ParseCertificate(leafDER)
	must(err)
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER})
	out.root.AppendCertsFromPEM(root)
	must(os.WriteFile(filepath.Join(dir, "own-ca.pem"), root, 0o644))
	must(os.WriteFile(out.certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}), 0o644))
	must(os.WriteFile(out.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	text, err := os.ReadFile(s.inventory)
	must(err)
	if strings.Contains(string(text), "ca_certificates = [") {
		s.edit("inventory.toml", "ca_certificates = [", `ca_certificates = ["own-ca.pem", `)
	} else {
		s.edit("inventory.toml", "[site]", "[site]\nca_certificates = [\"own-ca.pem\"]")
	}
	return out
}

// tlsFiles goes from the stack's own authority to a certificate that the user brings.
func (s *site) tlsFiles(host *lab.Host, own certified) {
	s.edit("inventory.toml", "[sudo]", fmt.Sprintf("[tls]\nmode = \"files\"\ncertificate = %q\nkey = %q\n\n[sudo]", own.certificate, own.key))
	s.apply()
	web := s.trusting(own.root, "https://"+host.Address)
	if code, answer := web.ask("GET", "/api/health", ""); code != 200 || answer != "true" {
		s.Errorf("with the user's certificate: %d %q", code, answer)
	}
	if code := web.status("GET", "/api/admin/version"); code != 401 {
		s.Errorf("without a token: %d", code)
	}
	key := "/var/lib/provision/prefect/server/secrets/caddy/site.key"
	s.want(host, "stat -c '%u %a' "+key, "10002 400")
	s.provision(0, "verify", "--smoke")
	s.hardened(host, 5)
	s.again(1)
}

// tlsOff takes TLS away, which only a second word allows.
func (s *site) tlsOff(host *lab.Host) {
	s.edit("inventory.toml", `mode = "files"`, `mode = "off"`)
	inventory, err := os.ReadFile(s.inventory)
	if err != nil {
		s.Fatal(err)
	}
	var kept []string
	for line := range strings.Lines(string(inventory)) {
		if !strings.HasPrefix(line, "certificate = ") && !strings.HasPrefix(line, "key = ") {
			kept = append(kept, line)
		}
	}
	if err := os.WriteFile(s.inventory, []byte(strings.Join(kept, "")), 0o600); err != nil {
		s.Fatal(err)
	}
	_, said := s.provision(3, "apply", "--yes")
	s.contains(said, "allow_plaintext")
	s.edit("inventory.toml", `mode = "off"`, "mode = \"off\"\nallow_plaintext = true")
	s.apply()
	web := s.trusting(nil, "http://"+host.Address+":4200")
	if code, answer := web.ask("GET", "/api/health", ""); code != 200 || answer != "true" {
		s.Errorf("without TLS: %d %q", code, answer)
	}
	if code := web.status("GET", "/api/admin/version"); code != 401 {
		s.Errorf("without TLS and token: %d", code)
	}
	s.provision(0, "verify", "--smoke")
	s.hardened(host, 5)
	s.exposed(host, 22, 4200)
	s.again(1)
}
