//go:build linux && e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"provision/e2e/lab"
)

var statistics = regexp.MustCompile(`(?m)^connect-src https://[a-z0-9-]+\.amplitude\.com/.*$`)

// browsing is a real browser that is logged in at the UI through Caddy's HTTPS. It trusts this one key and nothing else beyond its own store; that the
// key is certified by the stack's root is checked before.
type browsing struct {
	*site
	ctx  context.Context
	page url.URL // without a path
}

// watching has every page keep what the Content-Security-Policy refuses of the UI, and count the websockets that it opens by itself.
const watching = `window.refused = []; document.addEventListener("securitypolicyviolation", e => window.refused.push(e.violatedDirective + " " + e.blockedURI));
window.sockets = 0; window.WebSocket = new Proxy(WebSocket, {construct(target, given) { window.sockets++; return new target(...given) }})`

// browse begins one, which has this long. The function ends it.
func (s *site) browse(server *lab.Host, limit time.Duration) (*browsing, func()) {
	s.Helper()
	root := x509.NewCertPool()
	if !root.AppendCertsFromPEM([]byte(s.on(server, "cat /var/lib/provision/prefect/server/secrets/caddy/root.crt"))) {
		s.Fatal("no root certificate on the server")
	}
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &tls.Config{RootCAs: root}}
	conn, err := dialer.DialContext(s.Context(), "tcp", net.JoinHostPort(server.Address, "443"))
	if err != nil {
		s.Fatalf("TLS with the stack's root: %v", err)
	}
	leaf := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	conn.Close()
	spki := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)

	out, _ := s.provision(0, "credentials", "--json")
	var login struct{ URL, User, Password string }
	if err := json.Unmarshal([]byte(out), &login); err != nil {
		s.Fatal(err)
	}
	page, err := url.Parse(login.URL)
	if err != nil {
		s.Fatal(err)
	}
	// The login is given once, at a place without scripts: those of Prefect 3 cannot ask anything from a page whose address holds a password.
	page.User, page.Path = url.UserPassword(login.User, login.Password), "/ui-settings"

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-quic", true), chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(spki[:])),
		chromedp.UserDataDir(s.TempDir()))
	alloc, stop := chromedp.NewExecAllocator(s.Context(), options...)
	tab, stopTab := chromedp.NewContext(alloc)
	ctx, cancel := context.WithTimeout(tab, limit)
	end := func() { cancel(); stopTab(); stop() }
	if _, err := chromedp.Call(ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: watching}); err != nil {
		end()
		s.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(page.String())); err != nil {
		end()
		s.Fatalf("log in: %v", err)
	}
	page.User, page.Path = nil, ""
	return &browsing{s, ctx, *page}, end
}

// open goes to a path of the UI.
func (b *browsing) open(path string) {
	b.Helper()
	page := b.page
	page.Path, page.RawQuery, _ = strings.Cut(path, "?")
	if err := chromedp.Do(b.ctx, chromedp.Navigate(page.String())); err != nil {
		b.Fatalf("open %s: %v", path, err)
	}
}

// ask has a page evaluate an expression until it says what is waited for: a page fills itself from the API and may load another one.
func (b *browsing) ask(what, expression, words string) (said string) {
	b.Helper()
	for ; ; time.Sleep(500 * time.Millisecond) {
		var err error
		said, err = chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
		if err == nil && regexp.MustCompile(words).MatchString(said) {
			return said
		}
		if b.ctx.Err() != nil {
			b.Fatalf("%s: %v, last seen: %q", what, err, said)
		}
	}
}

// unrefused wants the Content-Security-Policy to have refused nothing of the page that is open.
func (b *browsing) unrefused(where string) {
	b.Helper()
	list, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`window.refused.join("\n")`))
	// The second UI of Prefect 3 asks for the settings of its usage statistics, whatever the server's own settings say. It may not.
	if rest := strings.TrimSpace(statistics.ReplaceAllString(list, "")); err != nil || rest != "" {
		b.Errorf("%s: the browser refused %q: %v", where, rest, err)
	}
}

// browser sees the smoke run that has ended, and its graph.
func (s *site) browser(server *lab.Host) {
	s.Helper()
	b, end := s.browse(server, 40*time.Second)
	defer end()
	var shot []byte
	for _, path := range s.of.ui {
		b.open(path)
		b.ask(path, "document.body.innerText", "(?s)provision-smoke.*Completed|Completed.*provision-smoke")
		b.unrefused(path)
		var err error
		if shot, err = chromedp.Run(b.ctx, chromedp.CaptureScreenshot()); err != nil {
			s.Fatalf("screenshot: %v", err)
		}
		// The graph of a run needs the most: it compiles functions and draws on a canvas.
		run, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.querySelector('a[href*="/flow-run/"]').href`))
		if err != nil {
			s.Fatalf("%s: a link to a run: %v", path, err)
		}
		if err := chromedp.Do(b.ctx, chromedp.Navigate(run)); err != nil {
			s.Fatalf("%s: open a run: %v", path, err)
		}
		b.ask(path+": the graph of the run", `String(document.querySelector("canvas") !== null)`, "^true$")
		b.unrefused(path + ": the page of a run")
	}
	dir := os.Getenv("PROVISION_E2E_ARTIFACTS")
	if dir == "" {
		dir = s.TempDir()
	}
	if err := os.WriteFile(filepath.Join(dir, "ui.png"), shot, 0o644); err != nil {
		s.Fatal(err)
	}
	s.Logf("the browser saw the completed run; screenshot of %d bytes in %s", len(shot), dir)
}
