package provision_test

import (
	"slices"
	"strings"
	"testing"
)

// TestRetention: Prefect 2 gets a container that deletes old runs if the stack says how long they are kept, and the server stays as it is. When
// nothing is said any more, the container goes with its secret.
func TestRetention(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, stack: "# nothing is said\n"})
	s.converge()
	server := s.hosts[0]
	const secret = "/var/lib/provision/prefect/server/secrets/retention/password"
	there := func() bool {
		for _, c := range server.Containers() {
			if c.Name == "/prefect-retention" {
				return slices.Contains(c.Config.Cmd, "7776000")
			}
		}
		return false
	}
	planned := func(want ...string) {
		t.Helper()
		plan, err := s.attempt().plan()
		if err != nil {
			t.Fatal(explain(err))
		}
		got := announced(plan)
		for _, line := range want {
			if !strings.Contains(got, line) {
				t.Errorf("the plan does not name %q:\n%s", line, got)
			}
		}
		if strings.Contains(got, "prefect-server:") || strings.Contains(got, "prefect-server\n") {
			t.Errorf("the server is touched:\n%s", got)
		}
	}
	if there() {
		t.Fatal("runs are deleted though nothing is said")
	}
	s.stack("[retention]\nruns = \"90d\"\n")
	planned("prefect add secret "+secret, "prefect add container prefect-retention")
	s.converge()
	if _, err := server.ReadFile(secret); !there() || err != nil {
		t.Errorf("no container, or no password: %v", err)
	}
	v := s.attempt()
	if err := v.Verify(v.ctx, nil); err != nil {
		t.Error(explain(err))
	}
	v.end()
	s.stack("[retention]\nruns = \"forever\"\n")
	planned("prefect remove container prefect-retention")
	s.converge()
	if _, err := server.ReadFile(secret); there() || err == nil {
		t.Error("the container or its password is left")
	}
}
