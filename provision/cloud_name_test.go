package provision_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/report"
)

// public is the file's end for a public name, asked for at a name server.
func public(resolver string) string {
	return "resolver = \"" + resolver + "\"\n\n[tls]\nmode = \"acme\"\n" + small
}

func (p *production) names() string {
	p.t.Helper()
	address, err := p.cloud.Names()
	if err != nil {
		p.t.Fatalf("%v", err)
	}
	return address
}

// Caddy asks for a certificate when the domain's own name servers lead to the server, not before.
func TestCaddyWaitsForItsName(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{UnservedLooks: 3}, small)
	p.declare(public(p.names()))
	a := p.attempt()
	if _, err := a.apply(); err != nil {
		t.Fatal(explain(err))
	}
	waited, name, caddy := "", -1, -1
	for n, e := range a.seen() {
		switch {
		case e.Type == "progress" && strings.HasPrefix(e.Step, "public name"):
			waited += e.Text + "\n"
		case e.Type == "change" && e.State == "done" && strings.HasPrefix(e.Step, "public name"):
			name = n
		case e.Type == "change" && e.State == "start" && e.Step == "container prefect-caddy":
			caddy = n
		}
	}
	if want := "waiting until it leads to " + p.cloud.ReservedIPs()[0].IP + ": ns1.digitalocean.com says nowhere"; !strings.Contains(waited, want) {
		t.Errorf("it does not say %q: %s", want, waited)
	}
	if name < 0 || caddy < name {
		t.Errorf("the name was there at %d, Caddy began at %d", name, caddy)
	}
	p.settled("prefect", "worker")
}

// A Caddy that has been there with the stack's own authority, or without TLS, waits for the name just as a
// new one does, and once it has a certificate of a public authority nothing waits any more.
func TestCaddyWaitsForItsNameLater(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"mode = \"internal\"\n", "mode = \"off\"\nallow_plaintext = true\n"} {
		p := arrangeCloud(t, digitaloceantest.Options{UnservedLooks: 3}, small)
		p.declare("resolver = \"" + p.names() + "\"\n\n[tls]\n" + before + small)
		if strings.Contains(before, "off") {
			p.edit("https://prefect.example.org", "http://prefect.example.org:4200")
		}
		if _, err := p.attempt().apply(); err != nil {
			t.Fatal(explain(err))
		}
		p.declare(public(p.names()))
		a := p.attempt()
		if _, err := a.apply(); err != nil {
			t.Fatal(explain(err))
		}
		waited, name, caddy := "", -1, -1
		for n, e := range a.seen() {
			switch {
			case e.Type == "progress" && strings.HasPrefix(e.Step, "public name"):
				waited += e.Text + "\n"
			case e.Type == "change" && e.State == "done" && strings.HasPrefix(e.Step, "public name"):
				name = n
			case e.Type == "change" && e.State == "start" && (e.Step == "caddy configuration" || e.Step == "container prefect-caddy"):
				caddy = n
			}
		}
		if !strings.Contains(waited, "says nowhere") || name < 0 || caddy < name {
			t.Errorf("%s: the name was there at %d, Caddy asked at %d: %s", before, name, caddy, waited)
		}
		p.settled("prefect", "worker")
	}
}

// A domain that is managed elsewhere: what is to be done by hand is said, the wait ends, and the next
// apply continues; what is in front of the server is not the server's address.
func TestANameThatIsMadeByHand(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	elsewhere := func(resolver string) {
		p.declare(public(resolver))
		text, err := os.ReadFile(p.inventory)
		if err != nil {
			t.Fatal(err)
		}
		p.write(p.inventory, strings.Replace(string(text), "domain = \"example.org\"\n", "", 1))
	}
	elsewhere(p.names())
	a := p.attempt()
	a.Pace.Deadline = 45 * time.Second // a thirtieth of it is what a host has to show its key
	_, err := a.apply()
	ip := p.cloud.ReservedIPs()[0].IP
	if text := explain(err); report.ExitCode(err) != report.ExitCloud || !strings.Contains(text, "make the record where the domain is managed: prefect.example.org A "+ip) {
		t.Fatalf("exit code %d: %s", report.ExitCode(err), text)
	}
	for _, c := range p.host("prefect").Containers() {
		if c.Name == "/prefect-caddy" {
			t.Error("Caddy was started")
		}
	}
	p.call("POST", "/v2/domains/example.org/records", `{"type": "A", "name": "prefect", "data": "198.51.100.7", "ttl": 300}`)
	a = p.attempt()
	if _, err := a.apply(); err != nil {
		t.Fatal(explain(err))
	}
	if said := strings.Join(a.told(nil), "\n"); !strings.Contains(said, "assuming a proxy in front of the server") {
		t.Errorf("the other address is not named: %s", said)
	}
	elsewhere("none")
	if result, err := p.attempt().apply(); err != nil || len(result.Outcomes) > 0 {
		t.Errorf("%v %+v", err, result)
	}
}
