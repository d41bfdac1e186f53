package provision_test

import (
	"slices"
	"testing"
	"time"

	"provision/remote/remotetest"
)

// TestIllBelow stops Caddy until the containers that ask through it are unhealthy: Caddy is started
// again, and they are waited for and not replaced, because they are not what is ill.
func TestIllBelow(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	agent := s.hosts[agentHost]
	ids := func() (out []string) {
		for _, c := range agent.Containers() {
			out = append(out, c.Name+" "+c.ID)
		}
		return out
	}
	before := ids()
	ran(serverHost, "docker stop prefect-caddy")(t, s)
	deadline := time.Now().Add(time.Minute)
	ill := func() bool {
		return !slices.ContainsFunc(agent.Containers(), func(c remotetest.Container) bool {
			return c.State.Health == nil || c.State.Health.Status != "unhealthy"
		})
	}
	for !ill() {
		if time.Now().After(deadline) {
			t.Fatal("they stay healthy")
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.converge()
	if after := ids(); !slices.Equal(before, after) {
		t.Errorf("containers were replaced: %v, then %v", before, after)
	}
}
