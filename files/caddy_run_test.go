package files

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"provision/files/generation"
	"provision/files/pki"
)

// caddyBinary finds the real Caddy, or skips the test.
func caddyBinary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("PROVISION_CADDY"); path != "" {
		return path
	}
	path, err := exec.LookPath("caddy")
	if err != nil {
		t.Skip("no caddy in PATH or PROVISION_CADDY: make caddy")
	}
	return path
}

const (
	uiPassword = "a good password"
	flowRun    = "0b6f5d3e-1c2d-4e5f-8a9b-0c1d2e3f4a5b"
)

// token is the one that newCaddy writes for a host and kind.
func token(host, kind string) string {
	return strings.Repeat("0", 64-len(host+kind)) + strings.ReplaceAll(host+kind, "-", "a")
}

// liveCaddy is a real Caddy on loopback with a rendered configuration. Only paths, ports and the upstream's address differ from what a host gets.
type liveCaddy struct {
	t       *testing.T
	binary  string
	dir     string
	host    string // of the url
	plain   bool   // tls off
	moved   *strings.Replacer
	ports   map[string]int
	roots   *x509.CertPool
	secrets string

	mu       sync.Mutex
	upstream []*http.Request
	log      *syncBuffer
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newCaddy prepares files and the upstream, but starts nothing.
func newCaddy(t *testing.T, c Caddyfile) *liveCaddy {
	t.Helper()
	// The admin socket's path must stay short.
	dir, err := os.MkdirTemp("", "caddy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &liveCaddy{t: t, binary: caddyBinary(t), dir: dir, secrets: dir + "/secrets", log: &syncBuffer{}, ports: map[string]int{}}
	site, err := generation.ParseSite(c.TLS, c.PublicURL)
	if err != nil {
		t.Fatal(err)
	}
	l.host, l.plain = site.Host, c.TLS == generation.TLSOff

	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.upstream = append(l.upstream, r)
		l.mu.Unlock()
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		w.Header().Set("Server", "uvicorn")
		fmt.Fprintf(w, "upstream %s %s", r.Method, r.URL.Path)
	}))
	t.Cleanup(back.Close)

	for _, name := range []string{"80", "443", "2020", "4200"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.ports[name] = listener.Addr().(*net.TCPAddr).Port
		listener.Close()
	}
	port := func(name string) string { return fmt.Sprint(l.ports[name]) }
	l.moved = strings.NewReplacer(
		"server:4200", back.Listener.Addr().String(),
		"/run/secrets/", l.secrets+"/",
		"/etc/caddy/", dir+"/etc/",
		"unix//run/caddy/admin.sock", "unix/"+dir+"/admin.sock",
		fmt.Sprintf("\thttps_port %d\n", site.Port), fmt.Sprintf("\thttp_port %s\n\thttps_port %s\n", port("80"), port("443")),
		":4200 {", ":"+port("4200")+" {",
		":2020", ":"+port("2020"),
		"\tmetrics\n", "\tmetrics\n\tdefault_bind 127.0.0.1\n",
	)

	hash, err := bcrypt.GenerateFromPassword([]byte(uiPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.NewCA(l.host, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.NewCA(l.host, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l.authority(ca, "0123456789abcdef")
	for name, content := range map[string][]byte{
		"ui_password_hash": append(hash, '\n'),
		"site.crt":         other.Intermediate, "site.key": other.Key, "acme_root.crt": other.Root,
	} {
		l.write("secrets/"+name, content)
	}
	for _, host := range c.Agents {
		for _, kind := range []string{"poll", "run", "register"} {
			l.write("secrets/tokens/"+host+"."+kind, []byte(token(host, kind)))
		}
	}
	l.configure(c)
	return l
}

// authority gives it an authority under a name, and has the test trust that alone.
func (l *liveCaddy) authority(ca pki.CA, name string) {
	l.t.Helper()
	l.roots = x509.NewCertPool()
	l.roots.AppendCertsFromPEM(ca.Root)
	l.write("secrets/root.crt", ca.Root)
	l.write("secrets/intermediate.crt", ca.Intermediate)
	l.write("secrets/intermediate.key", ca.Key)
	l.write("etc/authority", []byte(l.moved.Replace(string(CaddyAuthority(name)))))
}

func (l *liveCaddy) write(name string, content []byte) {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		l.t.Fatal(err)
	}
}

// configure writes the Caddyfile and returns its digest.
func (l *liveCaddy) configure(c Caddyfile) string {
	l.t.Helper()
	text, digest, err := c.Render()
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("etc/Caddyfile", []byte(l.moved.Replace(string(text))))
	return digest
}

func (l *liveCaddy) command(args ...string) *exec.Cmd {
	args = append(args, "--adapter", "caddyfile", "--config", l.dir+"/etc/Caddyfile")
	cmd := exec.Command(l.binary, args...)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+l.dir+"/data", "XDG_CONFIG_HOME="+l.dir+"/config", "HOME="+l.dir)
	return cmd
}

// start runs Caddy until the test ends, and waits for its answer on :2020 and, with TLS, for its certificate, which it makes after that.
func (l *liveCaddy) start() {
	l.t.Helper()
	cmd := l.command("run")
	cmd.Stdout, cmd.Stderr = l.log, l.log
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	l.t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		if _, err := l.loaded(); err == nil && l.certified() {
			return
		}
		select {
		case err := <-exited:
			exited <- err
			l.t.Fatalf("caddy ended: %v\n%s", err, l.log)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("caddy does not answer\n%s", l.log)
		}
	}
}

func (l *liveCaddy) certified() bool {
	if l.plain {
		return true
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	conn, err := tls.DialWithDialer(dialer, "tcp", fmt.Sprintf("127.0.0.1:%d", l.ports["443"]), &tls.Config{RootCAs: l.roots, ServerName: l.host})
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// loaded is what :2020 answers.
func (l *liveCaddy) loaded() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", l.ports["2020"]), nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

func (l *liveCaddy) reload() error {
	out, err := l.command("reload", "--address", "unix/"+l.dir+"/admin.sock").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// passed forgets and returns what reached the upstream.
func (l *liveCaddy) passed() []*http.Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := l.upstream
	l.upstream = nil
	return got
}

// request is one written byte for byte over HTTP/1.1.
type request struct {
	method, target string
	host           string // default: the url's
	header         []string
	body           string
	length         int // Content-Length if it is not that of body
	plain          bool
	port           string // default 443
}

type answer struct {
	status int
	header http.Header
	body   string
}

// do returns an error where Caddy closes the connection without an answer.
func (l *liveCaddy) do(r request) (answer, error) {
	l.t.Helper()
	if r.port == "" {
		r.port = "443"
	}
	if r.host == "" {
		r.host = l.host
		if strings.Contains(r.host, ":") {
			r.host = "[" + r.host + "]"
		}
	}
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", l.ports[r.port]), 5*time.Second)
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if !r.plain {
		secure := tls.Client(conn, &tls.Config{RootCAs: l.roots, ServerName: l.host, NextProtos: []string{"http/1.1"}})
		if err := secure.Handshake(); err != nil {
			l.t.Fatalf("handshake: %v\n%s", err, l.log)
		}
		conn = secure
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", r.method, r.target, r.host)
	for _, h := range r.header {
		text.WriteString(h + "\r\n")
	}
	if r.length == 0 {
		r.length = len(r.body)
	}
	if r.length > 0 {
		fmt.Fprintf(&text, "Content-Length: %d\r\n", r.length)
	}
	text.WriteString("\r\n" + r.body)
	io.WriteString(conn, text.String()) // an early answer to a long body may break it
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.method})
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(body)}, nil
}

func (l *liveCaddy) must(r request) answer {
	l.t.Helper()
	a, err := l.do(r)
	if err != nil {
		l.t.Fatalf("%s %s: %v", r.method, r.target, err)
	}
	return a
}
