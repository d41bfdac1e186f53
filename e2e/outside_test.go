//go:build linux && e2e

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"time"

	"provision/e2e/lab"
)

// outside asks a server as anybody on the network can, over HTTP/1.1.
type outside struct {
	*site
	base   string
	client *http.Client
}

// outside trusts the stack's own root and nothing else.
func (s *site) outside(server *lab.Host) outside {
	s.Helper()
	root := x509.NewCertPool()
	if !root.AppendCertsFromPEM([]byte(s.on(server, "cat /var/lib/provision/prefect/server/secrets/caddy/root.crt"))) {
		s.Fatal("no root certificate on the server")
	}
	return s.trusting(root, "https://"+server.Address)
}

func (s *site) trusting(root *x509.CertPool, base string) outside {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: root}, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}, DisableKeepAlives: true}
	return outside{s, base, &http.Client{Transport: transport, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// ask sends one request, with headers as "Name: value". The path is sent as it is written.
func (o outside) ask(method, path, body string, headers ...string) (int, string) {
	o.Helper()
	r, err := http.NewRequestWithContext(o.Context(), method, o.base, strings.NewReader(body))
	if err != nil {
		o.Fatal(err)
	}
	r.URL.Opaque = path
	r.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := o.client.Do(r)
	if err != nil {
		o.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		o.Fatalf("%s %s: %v", method, path, err)
	}
	return answer.StatusCode, string(text)
}

func (o outside) status(method, path string, headers ...string) int {
	o.Helper()
	code, _ := o.ask(method, path, "", headers...)
	return code
}

func login(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func bearer(token string) string { return "Authorization: Bearer " + token }
