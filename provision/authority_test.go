package provision_test

import (
	"strings"
	"testing"
	"time"

	"provision/files/pki"
	"provision/provision/report"
)

const (
	rootOnServer = "/var/lib/provision/prefect/server/secrets/caddy/root.crt"
	rootsOnAgent = "/var/lib/provision/prefect/agent/ca/ca.pem"
)

// TestAuthorityFollowed lets nearly ten years pass: the next authority is made, its root reaches the
// agents beside the old one, and Caddy changes over only then.
func TestAuthorityFollowed(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	server, agent := s.hosts[0], s.hosts[1]
	read := func(path string) string {
		h := server
		if path == rootsOnAgent {
			h = agent
		}
		text, err := h.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	old := read(rootOnServer)
	for _, h := range s.hosts {
		h.AdvanceClock(3650*24*time.Hour - 60*24*time.Hour)
	}
	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	if all := announced(p); !strings.Contains(all, "add authority next: the present one ends on") || !strings.Contains(all, "worker-1 change secret "+rootsOnAgent) || strings.Contains(all, "reload") {
		t.Errorf("the plan is:\n%s", all)
	}
	a := s.attempt()
	a.on = func(e report.Event) {
		if e.Type == "change" && e.State == "start" && e.Act == "reload" {
			if now := read(rootsOnAgent); !strings.HasPrefix(now, old) || !strings.Contains(now, read(rootOnServer)) || read(rootOnServer) == old {
				t.Errorf("Caddy changes over while the agent trusts\n%s", now)
			}
		}
	}
	if _, err := a.apply(); err != nil {
		t.Fatal(explain(err))
	}
	s.unchanged()
	if now := read(rootOnServer); now == old || read(rootsOnAgent) != now {
		t.Errorf("the root is the old one (%t), the agent trusts\n%s", now == old, read(rootsOnAgent))
	}
	if c, err := pki.Parse([]byte(read(rootOnServer))); err != nil || time.Until(c.NotAfter) < 18*365*24*time.Hour {
		t.Errorf("it ends on %s (%v)", c.NotAfter, err)
	}
	if got := paths(server, "/var/lib/provision/prefect/server/secrets/login/authority.next"); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

// TestAuthorityOfAnotherName changes the url: the old authority cannot certify it.
func TestAuthorityOfAnotherName(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	s.edit("prefect.demo.test", "flows.demo.test")
	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	if all := announced(p); !strings.Contains(all, "prefect replace authority: it cannot certify flows.demo.test") {
		t.Errorf("the plan is:\n%s", all)
	}
	s.converge()
}
