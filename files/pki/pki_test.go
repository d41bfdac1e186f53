package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var hosts = []string{"prefect.example.org", "prefect", "192.0.2.7", "2001:db8::7"}

// issue has the intermediate sign a certificate for a host, as Caddy does.
func issue(t *testing.T, ca CA, host string, now time.Time) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(ca.Intermediate, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip, err := netip.ParseAddr(host); err == nil {
		leaf.IPAddresses = []net.IP{ip.AsSlice()}
	} else {
		leaf.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, pair.Leaf, key.Public(), pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, pair.Certificate[0]}, PrivateKey: key}
}

func TestNewCAVerifies(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, host := range hosts {
		ca, err := NewCA(host, now)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca.Root)
		verify := func(name string, at time.Time) error {
			chain := issue(t, ca, name, at)
			leaf, err := x509.ParseCertificate(chain.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			intermediates := x509.NewCertPool()
			intermediates.AppendCertsFromPEM(ca.Intermediate)
			dns := name
			if strings.Contains(name, ":") {
				dns = "[" + name + "]"
			}
			_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, DNSName: dns, CurrentTime: at})
			return err
		}
		for _, at := range []time.Time{now.Add(-47 * time.Hour), now, now.Add(3640 * 24 * time.Hour)} {
			if err := verify(host, at); err != nil {
				t.Errorf("%s at %s: %v", host, at, err)
			}
		}
		for _, at := range []time.Time{now.Add(-49 * time.Hour), now.Add(3660 * 24 * time.Hour)} {
			if verify(host, at) == nil {
				t.Errorf("%s at %s: accepted", host, at)
			}
		}
		for _, other := range []string{"example.org", "evil.org", "prefect.example.org.evil.org", "xprefect.example.org", "xprefect", "192.0.2.8", "2001:db8::8", "10.0.0.1"} {
			if verify(other, now) == nil {
				t.Errorf("the authority for %s can certify %s", host, other)
			}
		}
		for _, cert := range [][]byte{ca.Root, ca.Intermediate} {
			c, err := Parse(cert)
			if err != nil || c.NotBefore.Sub(now).Round(time.Hour) != -48*time.Hour || c.NotAfter.Sub(now).Round(24*time.Hour) != 3650*24*time.Hour || len(c.Fingerprint) != 64 {
				t.Errorf("%s: %+v, %v", host, c, err)
			}
		}
		root, _ := first(ca.Root)
		if !root.PermittedDNSDomainsCritical || root.MaxPathLen != 1 {
			t.Errorf("%s: constraints critical %v, path length %d", host, root.PermittedDNSDomainsCritical, root.MaxPathLen)
		}
		intermediate, _ := first(ca.Intermediate)
		if intermediate.CheckSignatureFrom(root) != nil || !intermediate.MaxPathLenZero {
			t.Errorf("%s: the intermediate is not signed by the root or may sign others", host)
		}
	}
}

func TestTheRootsKeyIsNowhere(t *testing.T) {
	t.Parallel()
	ca, err := NewCA("prefect.example.org", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(ca.Root, ca.Key); err == nil {
		t.Error("the key that is given out is the root's")
	}
	for name, text := range map[string][]byte{"root": ca.Root, "intermediate": ca.Intermediate, "key": ca.Key} {
		block, rest := pem.Decode(text)
		if block == nil || len(rest) != 0 || (block.Type == "EC PRIVATE KEY") != (name == "key") {
			t.Errorf("%s: not exactly one block of its own kind", name)
		}
	}
}

func TestNewCARefuses(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"", "*.example.org", ".example.org", "example.org.", "https://example.org", "a b", "a@b", "fe80::1%eth0", "a/b"} {
		if _, err := NewCA(host, time.Now()); err == nil {
			t.Errorf("%q is accepted", host)
		}
	}
	if _, err := NewCA(strings.Repeat("a", 60)+".example.org", time.Now()); err != nil {
		t.Errorf("a long name: %v", err)
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, made := range hosts {
		ca, err := NewCA(made, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, asked := range append(hosts, "example.org", "a.prefect.example.org", "PREFECT.example.org") {
			got, err := Covers(ca.Root, asked)
			if want := strings.EqualFold(made, asked); err != nil || got != want {
				t.Errorf("made for %s, asked for %s: %v, %v", made, asked, got, err)
			}
		}
	}
	if _, err := Covers([]byte("nothing"), "x"); err == nil {
		t.Error("no certificate, no error")
	}
}

func TestParseAndNames(t *testing.T) {
	t.Parallel()
	ca, err := NewCA("prefect.example.org", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	chain := issue(t, ca, "prefect.example.org", time.Now())
	// A file may begin with its key or with text.
	text := append([]byte("subject: x\n"), ca.Key...)
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain.Certificate[0]})...)
	for host, want := range map[string]bool{"prefect.example.org": true, "other.example.org": false, "192.0.2.7": false} {
		if got, err := Names(text, host); err != nil || got != want {
			t.Errorf("%s: %v, %v", host, got, err)
		}
	}
	for _, bad := range []string{"", "-----BEGIN CERTIFICATE-----\n", string(ca.Key), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q is a certificate", bad)
		}
	}
}

// TestClientsAgree asks the clients that matter: Python's ssl (3.8 where there is one) and curl.
func TestClientsAgree(t *testing.T) {
	t.Parallel()
	clients := map[string]func(root, host string, port int) *exec.Cmd{}
	const program = `
import socket, ssl, sys
root, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = ssl.create_default_context(cafile=root)
with socket.create_connection(("127.0.0.1", port), 5) as s, context.wrap_socket(s, server_hostname=host): pass
`
	for _, python := range []string{"python3.8", "python3"} {
		if path, err := exec.LookPath(python); err == nil && exec.Command(path, "-c", "import ssl").Run() == nil {
			clients[python] = func(root, host string, port int) *exec.Cmd {
				return exec.Command(path, "-c", program, root, host, fmt.Sprint(port))
			}
		}
	}
	if path, err := exec.LookPath("curl"); err == nil {
		clients["curl"] = func(root, host string, port int) *exec.Cmd {
			if strings.Contains(host, ":") {
				host = "[" + host + "]"
			}
			cmd := exec.Command(path, "-sS", "--noproxy", "*", "--max-time", "5", "--cacert", root, "--connect-to", fmt.Sprintf("::127.0.0.1:%d", port), "https://"+host+"/")
			return cmd
		}
	}
	if len(clients) == 0 {
		t.Skip("skipped: neither python nor curl is here")
	}
	for _, host := range hosts {
		ca, err := NewCA(host, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		root := filepath.Join(t.TempDir(), "root.crt")
		if err := os.WriteFile(root, ca.Root, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{host, "evil.org", "192.0.2.200"} {
			cert := issue(t, ca, name, time.Now())
			listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second, ErrorLog: log.New(io.Discard, "", 0)}
			go server.Serve(listener)
			port := listener.Addr().(*net.TCPAddr).Port
			for client, command := range clients {
				out, err := command(root, name, port).CombinedOutput()
				if (err == nil) != (name == host) {
					t.Errorf("%s, authority for %s, certificate for %s: %v %s", client, host, name, err, out)
				}
				if name != host && !strings.Contains(strings.ToLower(string(out)), "certificate") && !strings.Contains(string(out), "subtree") {
					t.Errorf("%s refused %s for another reason: %s", client, name, out)
				}
			}
			server.Close()
		}
	}
}
