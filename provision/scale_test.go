package provision_test

import (
	"slices"
	"strings"
	"testing"
)

// TestScale: several servers bring what they talk through, and leave nothing when there is one again.
func TestScale(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, stack: prefect3})
	s.converge()
	server := s.hosts[0]
	containers := func() []string { return running(server) }
	one := []string{"prefect-caddy", "prefect-postgres", "prefect-server"}
	if got := containers(); !slices.Equal(got, one) {
		t.Fatalf("%q", got)
	}
	s.stack(prefect3 + "[scale]\nservers = 3\n")
	s.converge()
	if got, want := containers(), []string{"prefect-caddy", "prefect-postgres", "prefect-server", "prefect-server-2", "prefect-server-3", "prefect-services", "prefect-valkey"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	caddyfile, _ := server.ReadFile("/var/lib/provision/prefect/server/caddy/Caddyfile")
	if !strings.Contains(string(caddyfile), "reverse_proxy server:4200 server-2:4200 server-3:4200 {") {
		t.Error("Caddy does not lead to all servers")
	}
	s.stack(prefect3 + "[scale]\nservers = 2\n")
	s.converge()
	if got := containers(); slices.Contains(got, "prefect-server-3") || !slices.Contains(got, "prefect-server-2") {
		t.Errorf("%q", got)
	}
	s.stack(prefect3)
	s.converge()
	if got := containers(); !slices.Equal(got, one) {
		t.Errorf("%q, want %q", got, one)
	}
	if _, err := server.ReadFile("/var/lib/provision/prefect/server/secrets/valkey/redis_password"); err == nil {
		t.Error("the password of Valkey is left")
	}
	v := s.attempt()
	defer v.end()
	if err := v.Verify(v.ctx, nil); err != nil {
		t.Error(explain(err))
	}
}
