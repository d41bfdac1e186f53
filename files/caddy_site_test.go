package files

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"provision/files/generation"
	"provision/files/pki"
)

// TestCaddyValidates has the real Caddy provision every variant, modules and certificates included.
func TestCaddyValidates(t *testing.T) {
	t.Parallel()
	for name, c := range caddyVariants() {
		t.Run(name, func(t *testing.T) {
			l := newCaddy(t, c)
			l.write("etc/mounts", CaddyMounts("0a"))
			out, err := l.command("validate").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if strings.Contains(string(out), "not formatted") && name != "odd-user" { // Caddy's formatter does not know its own backticks
				t.Error("not as caddy fmt would write it")
			}
		})
	}
}

func TestCaddyWithoutPasswordDoesNotStart(t *testing.T) {
	t.Parallel()
	l := newCaddy(t, caddyVariants()["internal"])
	for _, content := range []string{"", "\n"} {
		l.write("secrets/ui_password_hash", []byte(content))
		if out, err := l.command("validate").CombinedOutput(); err == nil {
			t.Errorf("a password hash of %q is accepted\n%s", content, out)
		}
	}
}

func TestCaddyLimits(t *testing.T) {
	t.Parallel()
	l := newCaddy(t, caddyVariants()["internal"])
	l.start()
	login := basic("admin", uiPassword)
	l.passed()
	if got := l.must(request{method: "POST", target: "/api/x", header: []string{login}, body: strings.Repeat("x", 9<<20)}); got.status != 200 {
		t.Errorf("9 MiB: status %d", got.status)
	}
	if got, err := l.do(request{method: "POST", target: "/api/x", header: []string{login}, length: 11 << 20}); err != nil || got.status != 413 {
		t.Errorf("11 MiB: status %d, %v, want 413", got.status, err)
	}
	if got, err := l.do(request{method: "GET", target: "/api/health", header: []string{"X-Long: " + strings.Repeat("x", 80<<10)}}); err != nil || got.status != 431 {
		t.Errorf("80 KiB of headers: status %d, %v, want 431", got.status, err)
	}
}

func TestCaddySites(t *testing.T) {
	t.Parallel()
	l := newCaddy(t, caddyVariants()["internal"])
	l.start()
	for _, host := range []string{"other.example.org", "127.0.0.1", "localhost", "prefect.example.org.evil.org", "sub.prefect.example.org"} {
		if got, err := l.do(request{method: "GET", target: "/api/health", host: host}); err == nil {
			t.Errorf("https, Host %s: status %d, want no answer", host, got.status)
		}
		if got, err := l.do(request{method: "GET", target: "/api/health", host: host, plain: true, port: "80"}); err == nil {
			t.Errorf("http, Host %s: status %d, want no answer", host, got.status)
		}
	}
	for _, host := range []string{"prefect.example.org:443", "PREFECT.example.org"} {
		if got := l.must(request{method: "GET", target: "/api/health", host: host}); got.status != 200 {
			t.Errorf("Host %s: status %d", host, got.status)
		}
	}
	got := l.must(request{method: "POST", target: "/api/x?y=z", plain: true, port: "80", header: []string{basic("admin", uiPassword)}})
	if got.status != 308 || got.header.Get("Location") != "https://prefect.example.org/api/x?y=z" {
		t.Errorf("http: status %d, Location %q", got.status, got.header.Get("Location"))
	}
	if got := l.must(request{method: "GET", target: "/.provision/health"}); got.status != 200 || got.body != "caddy" {
		t.Errorf("health: %d %q", got.status, got.body)
	}
	for _, target := range []string{"/", "/config/", "/load", "/metrics", "/api/health"} {
		if got := l.must(request{method: "GET", target: target, host: "x", plain: true, port: "2020"}); !strings.HasSuffix(got.body, " ") || len(got.body) != 65 {
			t.Errorf(":2020 %s: %q", target, got.body)
		}
	}
}

// TestCaddyAddress covers an url that is an address, with another port than 443: clients send no server name, the redirect must name the port.
func TestCaddyAddress(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"address", "address6"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := caddyVariants()[name]
			l := newCaddy(t, c)
			l.start()
			if got := l.must(request{method: "GET", target: "/api/work_pools/provision", header: []string{bearer(token("worker-1", "poll"))}}); got.status != 200 {
				t.Errorf("status %d", got.status)
			}
			got := l.must(request{method: "GET", target: "/x", plain: true, port: "80"})
			if want := c.PublicURL + "/x"; got.header.Get("Location") != want {
				t.Errorf("Location %q, want %q", got.header.Get("Location"), want)
			}
			u, _ := url.Parse(c.PublicURL)
			if got := l.must(request{method: "POST", target: "/api/x", host: u.Host, header: []string{basic("admin", uiPassword), "Origin: " + c.PublicURL}}); got.status != 200 {
				t.Errorf("own origin: status %d", got.status)
			}
		})
	}
}

func TestCaddyOff(t *testing.T) {
	t.Parallel()
	l := newCaddy(t, caddyVariants()["off"])
	l.start()
	ask := func(r request) (answer, error) {
		r.plain, r.port = true, "4200"
		return l.do(r)
	}
	for want, header := range map[int][]string{
		200: {bearer(token("worker-1", "poll"))},
		401: {"X-None: 1"},
		403: {bearer(token("worker-1", "poll")), "Origin: http://evil.org"},
	} {
		got, err := ask(request{method: "GET", target: "/api/work_pools/provision", header: header, host: "192.0.2.7:4200"})
		if err != nil || got.status != want || got.header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%d %v, want %d", got.status, err, want)
		}
	}
	if got, err := ask(request{method: "GET", target: "/api/health", host: "other"}); err == nil {
		t.Errorf("unknown Host: status %d, want no answer", got.status)
	}
}

// TestCaddyReload holds what the answer on :2020 means: it follows what was loaded, not what is on the disk.
func TestCaddyReload(t *testing.T) {
	t.Parallel()
	c := caddyVariants()["internal"]
	l := newCaddy(t, c)
	first := l.configure(c)
	l.write("etc/mounts", CaddyMounts("1e5"))
	l.start()
	expect := func(digest, mounts string) {
		t.Helper()
		if got, err := l.loaded(); err != nil || got != CaddyAnswer(digest, mounts) {
			t.Errorf("loaded %q, %v, want %q", got, err, CaddyAnswer(digest, mounts))
		}
	}
	expect(first, "1e5")

	l.write("etc/mounts", CaddyMounts("77"))
	expect(first, "1e5")
	if err := l.reload(); err != nil {
		t.Fatal(err)
	}
	expect(first, "77")

	c.Agents = append(c.Agents, "worker-3")
	second := l.configure(c)
	expect(first, "77")
	if err := l.reload(); err != nil {
		t.Fatal(err)
	}
	expect(second, "77")

	l.write("etc/Caddyfile", []byte("{\n\tnonsense\n}\n"))
	if err := l.reload(); err == nil {
		t.Error("a broken file was loaded")
	}
	expect(second, "77")

	l.configure(c)
	l.write("secrets/ui_password_hash", nil)
	l.write("etc/mounts", CaddyMounts("88"))
	if err := l.reload(); err == nil {
		t.Error("an empty password hash was loaded")
	}
	expect(second, "77")
	if got := l.must(request{method: "GET", target: "/", header: []string{basic("admin", uiPassword)}}); got.status != 200 {
		t.Errorf("login after refused reloads: %d", got.status)
	}
}

// TestCaddyQuoting has Caddy's own parser read back what quoteCaddy wrote.
func TestCaddyQuoting(t *testing.T) {
	t.Parallel()
	l := newCaddy(t, caddyVariants()["internal"])
	pieces := []string{`"`, `\`, "'", " ", "#", "a", "<<X", "$", "%", "é", "*", "@m", "import", "//", "}x", "`", "{$HOME}", "\n", "\t", "&", "|", "<", "\\\"", "[0]", "~", "日本"}
	var users []string
	for i, a := range pieces {
		users = append(users, a)
		for j, b := range pieces {
			users = append(users, a+b, fmt.Sprintf("x%s%s%s", a, b, pieces[(i*7+j*3)%len(pieces)]))
		}
	}
	var text strings.Builder
	var want []string
	for _, user := range users {
		q, err := quoteCaddy(user)
		if err != nil {
			if !strings.ContainsAny(user, "{}`\n\t") {
				t.Errorf("%q is refused: %v", user, err)
			}
			continue
		}
		if strings.ContainsAny(user, "{}`\n\t") {
			t.Errorf("%q is not refused", user)
		}
		want = append(want, user)
		fmt.Fprintf(&text, "\trespond /%d %s\n", len(want), q)
	}
	l.write("etc/Caddyfile", []byte("http://:8080 {\n"+text.String()+"}\n"))
	out, err := l.command("adapt").Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	var config struct {
		Apps struct {
			HTTP struct {
				Servers map[string]struct {
					Routes []struct {
						Match  []struct{ Path []string }
						Handle []struct{ Body string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(out, &config); err != nil {
		t.Fatal(err)
	}
	got := make([]string, len(want))
	for _, server := range config.Apps.HTTP.Servers {
		for _, r := range server.Routes {
			var n int
			if len(r.Match) == 1 && len(r.Handle) == 1 {
				fmt.Sscanf(r.Match[0].Path[0], "/%d", &n)
				got[n-1] = r.Handle[0].Body
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-written +read\n%s", diff)
	}
}

// TestCaddyAuthority holds why an authority has a name of its own: under the old one Caddy goes on with the
// certificate that it has. Under another one a reload is enough, and so it is on the way back from another mode.
func TestCaddyAuthority(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"internal", "address", "address6"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newAuthorities(t, caddyVariants()[name])
		})
	}
}

func newAuthorities(t *testing.T, c Caddyfile) {
	t.Helper()
	l := newCaddy(t, c)
	l.configure(c)
	l.start()
	newAuthority := func(name string) {
		t.Helper()
		ca, err := pki.NewCA(l.host, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		l.authority(ca, name)
		if err := l.reload(); err != nil {
			t.Fatal(err)
		}
	}
	certified := func() bool {
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if l.certified() {
				return true
			}
		}
		return false
	}
	newAuthority("fedcba9876543210")
	if !certified() {
		t.Errorf("after a reload the certificate is not of the new authority\n%s", l.log)
	}
	newAuthority("fedcba9876543210")
	if l.certified() {
		t.Error("under the same name the certificate is another one: then the name is not needed")
	}
	newAuthority("00000000000000aa")
	files := c
	files.TLS = generation.TLSFiles
	l.configure(files)
	if err := l.reload(); err != nil {
		t.Fatal(err)
	}
	l.configure(c)
	newAuthority("00000000000000bb")
	if !certified() {
		t.Errorf("back from another mode the certificate is not of the new authority\n%s", l.log)
	}
}
