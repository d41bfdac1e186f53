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

// browser opens the UI through Caddy's HTTPS in a real browser, logs in, and sees the smoke run that
// has ended. The browser trusts this one key and nothing else beyond its own store; that the key is
// certified by the stack's root was checked before.
func (s *site) browser(server *lab.Host) {
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
	defer stop()
	tab, stopTab := chromedp.NewContext(alloc)
	defer stopTab()
	ctx, cancel := context.WithTimeout(tab, 40*time.Second)
	defer cancel()
	// What the Content-Security-Policy refuses of the UI is collected on every page.
	if _, err := chromedp.Call(ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{
		Source: `window.refused = []; document.addEventListener("securitypolicyviolation", e => window.refused.push(e.violatedDirective + " " + e.blockedURI))`,
	}); err != nil {
		s.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(page.String())); err != nil {
		s.Fatalf("log in: %v", err)
	}
	page.User = nil
	// A page fills itself from the API and may load another one, so it is asked until it says what is waited for.
	ask := func(what, expression, words string) (said string) {
		s.Helper()
		for ; ; time.Sleep(500 * time.Millisecond) {
			var err error
			said, err = chromedp.Run(ctx, chromedp.Evaluate[string](expression))
			if err == nil && regexp.MustCompile(words).MatchString(said) {
				return said
			}
			if ctx.Err() != nil {
				s.Fatalf("%s: %v, last seen: %q", what, err, said)
			}
		}
	}
	refused := func(where string) {
		s.Helper()
		list, err := chromedp.Run(ctx, chromedp.Evaluate[string](`window.refused.join("\n")`))
		// The second UI of Prefect 3 asks for the settings of its usage statistics, whatever the server's own settings say. It may not.
		if rest := strings.TrimSpace(statistics.ReplaceAllString(list, "")); err != nil || rest != "" {
			s.Errorf("%s: the browser refused %q: %v", where, rest, err)
		}
	}
	var shot []byte
	for _, path := range s.of.ui {
		page.Path = path
		if err := chromedp.Do(ctx, chromedp.Navigate(page.String())); err != nil {
			s.Fatalf("open %s: %v", path, err)
		}
		ask(path, "document.body.innerText", "(?s)provision-smoke.*Completed|Completed.*provision-smoke")
		refused(path)
		if shot, err = chromedp.Run(ctx, chromedp.CaptureScreenshot()); err != nil {
			s.Fatalf("screenshot: %v", err)
		}
		// The graph of a run needs the most: it compiles functions and draws on a canvas.
		run, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector('a[href*="/flow-run/"]').href`))
		if err != nil {
			s.Fatalf("%s: a link to a run: %v", path, err)
		}
		if err := chromedp.Do(ctx, chromedp.Navigate(run)); err != nil {
			s.Fatalf("%s: open a run: %v", path, err)
		}
		ask(path+": the graph of the run", `String(document.querySelector("canvas") !== null)`, "^true$")
		refused(path + ": the page of a run")
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
