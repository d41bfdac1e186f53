package provision_test

import (
	"path/filepath"
	"strings"
	"testing"
)

func (s *site) stack(text string) {
	s.t.Helper()
	s.write(filepath.Join(filepath.Dir(s.inventory), "stack.toml"), text)
}

// TestServe has business logic fetch its runs itself, changes over from the bridge to it and back.
func TestServe(t *testing.T) {
	t.Parallel()
	const serve, bridge = "[business_logic]\nexecution = \"serve\"\n", "[business_logic]\nexecution = \"bridge\"\n"
	s := arrange(t, layout{agents: 2, stack: serve})
	s.converge()
	running := func() (names string) {
		for _, c := range s.hosts[1].Containers() {
			names += strings.TrimPrefix(c.Name, "/") + " "
		}
		return names
	}
	if got := running(); got != "prefect-business-logic " {
		t.Errorf("running: %s", got)
	}
	if got := paths(s.hosts[1], "/var/lib/provision/prefect/agent/secrets"); strings.Contains(got, "poll_token") {
		t.Errorf("a token that nobody reads: %s", got)
	}
	s.stack(bridge)
	s.converge()
	if got := running(); got != "prefect-agent prefect-business-logic " {
		t.Errorf("running: %s", got)
	}
	s.stack(serve)
	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	if got := announced(p); !strings.Contains(got, "worker-1 remove container prefect-agent:") {
		t.Errorf("the plan is\n%s", got)
	}
	s.converge()
	if got := running(); got != "prefect-business-logic " {
		t.Errorf("running: %s", got)
	}
}
