// Package pki makes the stack's certificate authority and reads certificates. It knows nothing of where they are kept or who uses them.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"time"
)

const (
	intermediateName = "provision intermediate for " // and the host

	backdating = 48 * time.Hour // a client whose clock is behind ours must not refuse it
	lifetime   = 10 * 365 * 24 * time.Hour
)

// CA is a certificate authority for one host name or IP address, as PEM. The root's key exists nowhere.
type CA struct {
	Root, Intermediate []byte
	Key                []byte // the intermediate's
}

// NewCA makes an authority that can certify host (a DNS name or an IP address) and nothing else: trust in it cannot be turned against other sites.
// It is dated 48 hours before now and ends 10 years after now.
func NewCA(host string, now time.Time) (CA, error) {
	root, err := template("provision root for "+host, now)
	if err != nil {
		return CA{}, err
	}
	if err := constrain(root, host); err != nil {
		return CA{}, err
	}
	root.MaxPathLen = 1
	intermediate, err := template(intermediateName+host, now)
	if err != nil {
		return CA{}, err
	}
	intermediate.MaxPathLenZero = true

	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return CA{}, fmt.Errorf("make the root's key: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return CA{}, fmt.Errorf("make the intermediate's key: %w", err)
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		return CA{}, fmt.Errorf("sign the root: %w", err)
	}
	// Signed by the root as it came out, so that the intermediate names the root's key.
	if root, err = x509.ParseCertificate(rootDER); err != nil {
		return CA{}, fmt.Errorf("read the root back: %w", err)
	}
	intermediateDER, err := x509.CreateCertificate(rand.Reader, intermediate, root, key.Public(), rootKey)
	if err != nil {
		return CA{}, fmt.Errorf("sign the intermediate: %w", err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return CA{}, fmt.Errorf("encode the intermediate's key: %w", err)
	}
	return CA{
		Root:         pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
		Intermediate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: intermediateDER}),
		Key:          pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
	}, nil
}

func template(name string, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	if len(name) > 64 { // the longest common name there is
		name = name[:64]
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-backdating).UTC(),
		NotAfter:              now.Add(lifetime).UTC(),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}, nil
}

// constrain permits one name of one kind. A kind that is not named would be free, so the other one is excluded as a whole.
func constrain(c *x509.Certificate, host string) error {
	c.PermittedDNSDomainsCritical = true
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		c.PermittedIPRanges = []*net.IPNet{{IP: ip.AsSlice(), Mask: net.CIDRMask(ip.BitLen(), ip.BitLen())}}
		c.ExcludedDNSDomains = []string{""}
		return nil
	}
	if host == "" || strings.ContainsAny(host, "*/:@ \x00") || strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") {
		return fmt.Errorf("%q is neither a host name nor an address", host)
	}
	c.PermittedDNSDomains = []string{host}
	c.ExcludedIPRanges = []*net.IPNet{
		{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
		{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
	}
	return nil
}

// Certificate is what is to know of a certificate without trusting it.
type Certificate struct {
	NotBefore, NotAfter time.Time
	Fingerprint         string // SHA-256 of the DER form, in hex
}

// Parse reads the first certificate in PEM text.
func Parse(text []byte) (Certificate, error) {
	c, err := first(text)
	if err != nil {
		return Certificate{}, err
	}
	sum := sha256.Sum256(c.Raw)
	return Certificate{NotBefore: c.NotBefore, NotAfter: c.NotAfter, Fingerprint: hex.EncodeToString(sum[:])}, nil
}

// Names says whether the first certificate in PEM text is one for host.
func Names(text []byte, host string) (bool, error) {
	c, err := first(text)
	if err != nil {
		return false, err
	}
	return c.VerifyHostname(strings.Trim(host, "[]")) == nil, nil
}

// Covers says whether the authority with this root is the one that NewCA makes for host.
func Covers(root []byte, host string) (bool, error) {
	c, err := first(root)
	if err != nil {
		return false, err
	}
	var want x509.Certificate
	if err := constrain(&want, host); err != nil {
		return false, err
	}
	same := c.IsCA && len(c.PermittedDNSDomains) == len(want.PermittedDNSDomains) && len(c.PermittedIPRanges) == len(want.PermittedIPRanges)
	for i := 0; same && i < len(want.PermittedDNSDomains); i++ {
		same = strings.EqualFold(c.PermittedDNSDomains[i], want.PermittedDNSDomains[i])
	}
	for i := 0; same && i < len(want.PermittedIPRanges); i++ {
		same = c.PermittedIPRanges[i].String() == want.PermittedIPRanges[i].String()
	}
	return same, nil
}

// Issued says why a client that trusts root alone refuses leaf, a certificate in DER form, when it asks for host and is shown intermediate along; nil if
// it takes it.
func Issued(leaf, root, intermediate []byte, host string, now time.Time) error {
	c, err := x509.ParseCertificate(leaf)
	if err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	between.AppendCertsFromPEM(intermediate)
	_, err = c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now})
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil && c.VerifyHostname(strings.Trim(host, "[]")) != nil:
		return fmt.Errorf("is not for %s", host)
	case err == nil:
		return nil
	case now.After(c.NotAfter):
		return fmt.Errorf("ended on %s", c.NotAfter.Format(time.DateOnly))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return errors.New("is not valid at this time")
	default:
		return errors.New("is of another authority")
	}
}

// Ours says whether a certificate in DER form was issued by an authority that NewCA made.
func Ours(leaf []byte) (bool, error) {
	c, err := x509.ParseCertificate(leaf)
	if err != nil {
		return false, fmt.Errorf("read the certificate: %w", err)
	}
	return strings.HasPrefix(c.Issuer.CommonName, intermediateName), nil
}

func first(text []byte) (*x509.Certificate, error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, errors.New("no certificate in the PEM text")
		}
		if block.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("read the certificate: %w", err)
			}
			return c, nil
		}
	}
}
