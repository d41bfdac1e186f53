package provision_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// join boots one more agent host and puts it into the inventory.
func (s *site) join(name string) *remotetest.Host {
	s.t.Helper()
	h, err := s.fleet.Host(name, remotetest.HostOptions{})
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.hosts = append(s.hosts, h)
	s.write(filepath.Join(filepath.Dir(s.inventory), "known_hosts"), s.fleet.KnownHosts())
	text, err := os.ReadFile(s.inventory)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.write(s.inventory, string(text)+"\n[hosts."+name+"]\naddress = \"127.0.0.1\"\nport = "+strings.TrimPrefix(h.Addr(), "127.0.0.1:")+"\nuser = \"root\"\nroles = [\"agent\"]\n")
	return h
}

// TestRegisteringHostChanges has another agent host become the first by name, which registers the
// deployments: with the former one still there, and in its place.
func TestRegisteringHostChanges(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]bool{"the former stays": false, "the former is out": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, layout{agents: 3})
			s.converge()
			ids := map[string]string{}
			for _, h := range s.hosts {
				for _, c := range h.Containers() {
					ids[h.Name()+c.Name] = c.ID
				}
			}
			if gone {
				first := s.cut("worker-1")
				rest := first[strings.Index(first, "\n[hosts.worker-2]"):]
				text, err := os.ReadFile(s.inventory)
				if err != nil {
					t.Fatal(err)
				}
				s.write(s.inventory, string(text)+rest)
			}
			s.join("alpha")
			plan, err := s.attempt().plan()
			if err != nil {
				t.Fatal(explain(err))
			}
			got := announced(plan)
			want := []string{"alpha change deployments: another set of deployments is registered"}
			if gone {
				want = append(want, "queues of hosts that are gone: host-worker-1", "prefect remove tokens of worker-1")
			}
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("the plan does not name %q:\n%s", w, got)
				}
			}
			for _, c := range plan.Changes {
				if c.Host == "worker-2" || c.Host == "worker-3" {
					t.Errorf("a change of %s: %s %s", c.Host, c.Act, c.Step)
				}
			}
			result, err := s.attempt().apply()
			if err != nil {
				t.Fatal(explain(err))
			}
			for _, o := range result.Outcomes {
				if o.State != report.Done {
					t.Errorf("%+v", o)
				}
			}
			s.unchanged()
			for _, h := range s.hosts {
				for _, c := range h.Containers() {
					if id := ids[h.Name()+c.Name]; id != "" && id != c.ID {
						t.Errorf("%s on %s was replaced", c.Name, h.Name())
					}
				}
			}
			names := ""
			for _, d := range s.server.Prefect().Deployments {
				names += d.Flow + "/" + d.Name + " "
			}
			if still := strings.Contains(names, "/worker-1 "); still == gone || !strings.HasPrefix(names, "hello/default provision-smoke/alpha ") {
				t.Errorf("registered are %s", names)
			}
			v := s.attempt()
			defer v.end()
			if err := v.Verify(v.ctx, []string{"alpha", "worker-2"}); err != nil {
				t.Error(explain(err))
			}
		})
	}
}
