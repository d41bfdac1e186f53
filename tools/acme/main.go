// Command acme is what the internet is to a public name, for scenarios that cannot reach it: a
// certificate authority that validates over http-01 and tls-alpn-01 (Pebble), and a name server.
//
// Standard output has the url of the authority's directory in its first line, and then the
// authority's log. The file ca.pem in -dir has its root, which its own certificate is of, too.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

func main() {
	address := flag.String("address", "127.0.0.1", "the address that both listen at")
	dir := flag.String("dir", ".", "the directory for ca.pem")
	names := newZone()
	flag.StringVar(&names.domain, "domain", "example.org", "the domain that the name server is asked for; it has the names in -names")
	flag.StringVar(&names.file, "names", "names", "a file with \"NAME ADDRESS\" in each line, read at every question")
	flag.StringVar(&names.upstream, "upstream", "", "the name server for everything else, as HOST:PORT")
	flag.Parse()
	if err := serve(*address, *dir, names); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve ends with standard input, and so with whoever started it.
func serve(address, dir string, names *zone) error {
	names.address = address
	stopped := make(chan error, 4)
	if err := names.listen(net.JoinHostPort(address, "53"), stopped); err != nil {
		return fmt.Errorf("the name server: %w", err)
	}
	// Validation without pauses between its three looks.
	if err := os.Setenv("PEBBLE_VA_NOSLEEP", "1"); err != nil {
		return err
	}
	logger := log.New(os.Stdout, "", log.LstdFlags)
	store := db.NewMemoryStore()
	authority := ca.New(log.New(io.Discard, "", 0), store, "", "rsa", 0, 1, map[string]ca.Profile{"default": {Description: "the only one"}})
	root := authority.GetRootCert(0).PEM()
	certificate, err := own(authority, root, address)
	if err != nil {
		return fmt.Errorf("the authority's own certificate: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), root, 0o644); err != nil {
		return err
	}
	l, err := tls.Listen("tcp", net.JoinHostPort(address, "0"), &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		return err
	}
	fmt.Printf("https://%s%s\n", l.Addr(), wfe.DirectoryPath)
	judge := va.New(logger, 80, 443, false, net.JoinHostPort(address, "53"), store)
	front := wfe.New(logger, store, judge, authority, []string{"ca.example.org"}, false, false, 1, 1)
	server := &http.Server{Handler: front.Handler(), ReadHeaderTimeout: time.Minute, ErrorLog: logger}
	go func() { stopped <- server.Serve(l) }()
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		stopped <- errors.Join(err, io.EOF)
	}()
	if err := <-stopped; !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// own is the certificate of the authority's own address.
func own(authority *ca.CAImpl, root []byte, address string) (tls.Certificate, error) {
	block, _ := pem.Decode(root)
	issuer, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "directory"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
		IPAddresses: []net.IP{net.ParseIP(address)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, issuer, key.Public(), authority.GetRootKey(0))
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, bytes.Clone(block.Bytes)}, PrivateKey: key}, nil
}
