package provision_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// files are a valid inventory and a valid stack, as people might write them, and what they name in dir.
func files(t *rapid.T, dir string) layout {
	oneOf := func(label string, list ...string) string { return rapid.SampledFrom(list).Draw(t, label) }
	maybe := func(label, text string) string {
		if rapid.Bool().Draw(t, label) {
			return text
		}
		return ""
	}
	number := func(label string, least, most int) int { return rapid.IntRange(least, most).Draw(t, label) }
	some := func(label string) []string {
		return rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z0-9]{0,8}`), 1, 3, rapid.ID).Draw(t, label)
	}
	l := layout{agents: number("agents", 0, 2), both: rapid.Bool().Draw(t, "server is an agent host, too")}
	host := oneOf("url's host", "prefect.demo.test", "a.b.c.example.org", "10.9.8.7", "xn--bcher-kva.example")
	var b strings.Builder
	switch oneOf("tls", "internal", "internal", "off", "acme", "files") {
	case "off":
		fmt.Fprintf(&b, "url = \"http://%s:4200\"\n[tls]\nmode = \"off\"\nallow_plaintext = true\n", host)
	case "acme":
		b.WriteString("url = \"https://prefect.example.org\"\n[tls]\nmode = \"acme\"\n" + maybe("email", "email = \"ops@example.org\"\n"))
	case "files":
		certificate(t, dir, host)
		fmt.Fprintf(&b, "url = \"https://%s\"\n[tls]\nmode = \"files\"\ncertificate = \"site.crt\"\nkey = \"site.key\"\n", host)
	default:
		fmt.Fprintf(&b, "url = \"https://%s\"\n", host)
	}
	site := maybe("site", "[site]\npip_index = \"https://mirror.example.org/simple\"\n"+maybe("image mirror", "image_mirror = \"registry.example.org/hub\"\n")+
		maybe("proxy", "proxy = \"http://proxy.example.org:3128\"\nno_proxy = [\"10.0.0.0/8\", \".example.org\"]\n"))
	if strings.Contains(b.String(), "site.crt") { // nobody else vouches for it
		site = "[site]\nca_certificates = [\"site.crt\"]\n" + strings.TrimPrefix(site, "[site]\n")
	}
	l.top = b.String() + site

	b.Reset()
	name := rapid.StringMatching(`[a-z][a-z0-9]{0,10}(-[a-z0-9]{1,5})?`).Draw(t, "name")
	fmt.Fprintf(&b, "name = %q\n", name)
	three := rapid.Bool().Draw(t, "Prefect 3")
	databases := []string{"postgres:13.3", "postgres:16", "registry.example.org/postgres:14.2-alpine"}
	if three {
		b.WriteString(prefect3 + maybe("settings", "settings = { PREFECT_LOGGING_LEVEL = \"DEBUG\" }\n") + maybe("servers", fmt.Sprintf("[scale]\nservers = %d\n", number("number of servers", 1, 3))))
		databases = databases[1:2]
	} else {
		b.WriteString(maybe("settings", "[prefect]\nsettings = { PREFECT_LOGGING_LEVEL = \"DEBUG\", PREFECT_API_DEFAULT_LIMIT = \""+fmt.Sprint(number("limit", 1, 200))+"\" }\n"))
	}
	b.WriteString(maybe("images", "[postgres]\nimage = \""+oneOf("database", databases...)+"\"\n[caddy]\nimage = \"caddy:2.8\"\n"))
	b.WriteString(maybe("ui", "[ui]\nuser = \""+rapid.StringMatching(`[a-z][a-z0-9._-]{0,12}`).Draw(t, "user")+"\"\n"+
		maybe("password", "password = { command = [\"printf\", \"a long password, 'quoted' $(x)\"] }\n")))
	queues := []string{"default"}
	if rapid.Bool().Draw(t, "queues") {
		queues = some("queue names")
	}
	fmt.Fprintf(&b, "[agent]\nconcurrency = %d\nqueues = [\"%s\"]\n", number("concurrency", 1, 50), strings.Join(queues, `", "`))

	// Deployments may wait only where somebody asks.
	polled := []string{}
	tables := map[string]string{}
	for n := range l.agents + 1 {
		host, agent := fmt.Sprintf("worker-%d", n), true
		if n == 0 {
			host, agent = "prefect", l.agents == 0 || l.both
			tables[host] = maybe("internal address", "internal_address = \"192.168.7.11\"\n")
		}
		if !agent {
			continue
		}
		own := queues
		switch oneOf("queues of "+host, "the stack's", "its own", "none") {
		case "its own":
			own = some("names of the queues of " + host)
			tables[host] += fmt.Sprintf("queues = [\"%s\"]\n", strings.Join(own, `", "`))
		case "none":
			own = nil
			tables[host] += "queues = []\n"
		}
		polled = append(append(polled, own...), "host-"+host)
		tables[host] += maybe("concurrency of "+host, fmt.Sprintf("concurrency = %d\n", number("concurrency there", 1, 50)))
	}
	l.table = func(name string) string { return tables[name] }

	fmt.Fprintf(&b, "[business_logic]\nexecution = %q\napi = %q\nstop_grace = \"%ds\"\n", oneOf("execution", "bridge", "serve"), oneOf("api", "flows", "all"), number("grace", 1, 600))
	if three {
		b.WriteString(maybe("retries", "cut_runs = \"retry\"\n"))
	} else { // the lock of the project in flows is of Prefect 2
		b.WriteString(maybe("path", "path = \"flows\"\n"))
	}
	for i := range number("deployments", 0, 3) {
		fmt.Fprintf(&b, "[[deployments]]\nflow = \"hello.py:hello\"\nname = \"d%d\"\nqueue = %q\n", i, oneOf("queue", polled...))
		b.WriteString(oneOf("schedule", "", "schedule = { cron = \"0 6 * * *\", timezone = \"Europe/Berlin\" }\n", "schedule = { interval = \"15m\" }\n"))
		b.WriteString(maybe("parameters", "parameters = { name = \"it's \\\"quoted\\\" $(x) ${y} ü\" }\n"))
		b.WriteString(maybe("tags", "tags = [\"nightly\", \"a b\"]\n"))
	}
	n := number("subnet", 1, 250)
	// "official" is not there: the simulation has no repository of Docker's own.
	source := oneOf("source of Docker", "auto", "distro", "present")
	fmt.Fprintf(&b, "[docker]\nsource = %q\n", source)
	b.WriteString(maybe("subnets", fmt.Sprintf("subnets = { server = \"10.220.%d.0/24\", database = \"10.221.%[1]d.0/24\", agent = \"10.222.%[1]d.0/24\" }\n", n)))
	l.stack = b.String()

	there := []string{"", "", "running", "stopped"}
	if source == "present" {
		there = there[2:]
	}
	l.host = func(_ string, o *remotetest.HostOptions) {
		o.User = rapid.SampledFrom([]string{"root", "root", "ops"}).Draw(t, "login")
		o.Docker = rapid.SampledFrom(there).Draw(t, "Docker")
		o.Distro = rapid.SampledFrom([]string{"debian 13", "ubuntu 24.04"}).Draw(t, "system")
	}
	return l
}

// certificate writes one for some hosts, as site.crt and site.key.
func certificate(t reporter, dir string, hosts ...string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("%v", err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatalf("%v", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for name, block := range map[string]*pem.Block{"site.crt": {Type: "CERTIFICATE", Bytes: der}, "site.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatalf("%v", err)
		}
	}
}

// TestPerpetualDifferences brings up what random valid files say. After it nothing differs: a plan
// that always finds something to do would restart people's services for ever.
func TestPerpetualDifferences(t *testing.T) {
	t.Parallel()
	checks := often(t, 300, 8)
	dir := t.TempDir()
	var tried, most atomic.Int64
	each(workers, func(n int) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			failed := false
			count := 0
			rapid.Check(t, func(r *rapid.T) {
				// What failed once is looked at as often as rapid likes, to find its smallest form.
				if count++; count > max(1, checks/workers) && !failed {
					return
				}
				defer func() { failed = failed || r.Failed() }()
				tried.Add(1)
				if rounds := int64(settles(r, filepath.Join(dir, fmt.Sprint(n)))); rounds > most.Load() {
					most.Store(rounds)
				}
			})
		})
	})
	t.Logf("%d sites, at most %d rounds", tried.Load(), most.Load())
}

func settles(t *rapid.T, dir string) (rounds int) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	l := files(t, dir)
	s := arrangeIn(t, dir, l)
	s.project("")
	defer s.fleet.Close()
	result, err := s.attempt().apply()
	if err != nil {
		t.Fatalf("apply: %s\n%s\n%s", explain(err), s.text(), l.stack)
	}
	plan, err := s.attempt().plan()
	if err != nil || !plan.Empty() {
		t.Fatalf("the plan after it: %s %s\n%s\n%s", explain(err), announced(orEmpty(plan)), s.text(), l.stack)
	}
	if unknown := s.fleet.Unknown(); len(unknown) > 0 {
		t.Fatalf("the simulation does not know: %q", unknown)
	}
	// What is asked for and what waits is in queues that are there: an agent's token makes none.
	p := s.server.Prefect()
	for _, d := range p.Deployments {
		if !slices.Contains(p.Queues, d.Queue) {
			t.Fatalf("%s waits in %s, and there are %q\n%s\n%s", d.Name, d.Queue, p.Queues, s.text(), l.stack)
		}
	}
	for _, h := range s.hosts {
		for _, c := range h.Containers() {
			for i, w := range c.Config.Cmd {
				if w == "--work-queue" && !slices.Contains(p.Queues, c.Config.Cmd[i+1]) {
					t.Fatalf("%s on %s asks for %s, and there are %q\n%s\n%s", c.Name, h.Name(), c.Config.Cmd[i+1], p.Queues, s.text(), l.stack)
				}
			}
		}
	}
	return result.Rounds - 1
}

// text is the inventory.
func (s *site) text() string {
	b, _ := os.ReadFile(s.inventory)
	return string(b)
}

func orEmpty(p *report.Plan) *report.Plan {
	if p == nil {
		return &report.Plan{}
	}
	return p
}
