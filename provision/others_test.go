package provision_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// TestNamesOfOthers has foreign things under names of ours on a host. Each is named before anything is changed, in one
// line, with another name for the stack as a way out; that way works, and what is of others stays as it was.
func TestNamesOfOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make, look string
		code       int
		want       []string
	}{
		"a container": {
			"docker run -d --name prefect-server python:3.8-slim sleep 100000", "docker inspect --format '{{.Id}} {{.State.Status}}' prefect-server", report.ExitPreflight,
			[]string{"container prefect-server: a container of this name is there and is not of this stack"},
		},
		"a stopped container": {
			"docker run -d --name prefect-caddy python:3.8-slim sleep 100000; docker stop prefect-caddy", "docker inspect --format '{{.Id}} {{.State.Status}}' prefect-caddy", report.ExitPreflight,
			[]string{"container prefect-caddy: a container of this name is there and is not of this stack"},
		},
		"the database's volume": {
			"docker volume create prefect-postgres", "docker volume ls --format '{{.Name}} {{.Label \"provision.stack\"}}'", report.ExitData,
			[]string{"volume prefect-postgres: a volume of this name is there and was not made for this stack", "docker volume inspect prefect-postgres", "--new-data"},
		},
		"another volume": {
			"docker volume create --label of=others prefect-caddy", "docker volume ls --format '{{.Name}} {{.Label \"provision.stack\"}}'", report.ExitData,
			[]string{"volume prefect-caddy: a volume of this name is there and was not made for this stack"},
		},
		"a network": {
			"docker network create prefect-agent-network", "docker network ls --no-trunc --format '{{.ID}} {{.Name}}'", report.ExitPreflight,
			[]string{"network prefect-agent-network: a network of this name exists and is not ours"},
		},
		"a compose project": {
			"docker run -d --name own --label com.docker.compose.project=prefect-server --label com.docker.compose.service=server python:3.8-slim sleep 100000",
			"docker inspect --format '{{.Id}} {{.State.Status}}' own", report.ExitPreflight,
			[]string{"the compose project prefect-server is somebody else's here (own)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, layout{stack: "[prefect]\n", host: func(_ string, o *remotetest.HostOptions) { o.Docker = "running" }})
			sh(t, s, 0, "docker pull -q python:3.8-slim; "+c.make)
			before := looked(t, s, c.look)
			result, err := s.attempt().apply()
			if !isCode(err, c.code) || len(result.Outcomes) != 0 || len(report.Errors(err)) != 1 {
				t.Errorf("%d changes: %s", len(result.Outcomes), explain(err))
			}
			for _, w := range append(c.want, `name = "prefect-2" in stack.toml`) {
				if !strings.Contains(explain(err), w) {
					t.Errorf("%q is not said: %s", w, explain(err))
				}
			}
			s.stack("name = \"prefect-2\"\n")
			s.converge()
			after := looked(t, s, c.look)
			for line := range strings.Lines(before) {
				if !strings.Contains(after, line) {
					t.Errorf("of others there was\n%s, and is\n%s", line, after)
				}
			}
		})
	}
}

// looked is what a command on the server prints.
func looked(t *testing.T, s *site, script string) string {
	t.Helper()
	sh(t, s, 0, script+" >/root/looked")
	text, err := s.server.ReadFile("/root/looked")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestKeyLostBesideOurVolume: here the volume is the stack's own.
func TestKeyLostBesideOurVolume(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	s.converge()
	s.server.Remove(base + "/server/secrets/server/encryption_key")
	s.refused("encryption_key", "put the file back from a backup", "docker volume rm prefect-postgres")
}

// TestVolumePutBackByHand: one that somebody made again, without our label, on the host that has its mark.
func TestVolumePutBackByHand(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	s.converge()
	sh(t, s, 0, "docker rm -f $(docker ps -aq); docker volume rm prefect-postgres; docker volume create prefect-postgres")
	if _, err := s.attempt().apply(); err != nil {
		t.Error(explain(err))
	}
}

// TestComposeFailsAndNothingIsWaitedFor: compose's own words are the cause, and a container that it left as it was is not waited for.
func TestComposeFailsAndNothingIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{stack: "[prefect]\n"})
	s.converge()
	sh(t, s, 0, "docker stop prefect-server")
	s.server.Fail(remotetest.Failure{Match: "^docker compose .*up .*server$", Nth: -1, Code: 1, Stderr: "Error response from daemon: driver failed programming external connectivity\n\n"})
	waited := len(s.server.Ran("sleep"))
	_, err := s.attempt().apply()
	errs := report.Errors(err)
	if len(errs) == 0 || errs[0].Code != report.ExitStep || errs[0].Cause != "docker compose failed with exit code 1: Error response from daemon: driver failed programming external connectivity" {
		t.Errorf("%s", explain(err))
	}
	if ran := s.server.Ran("sleep"); len(ran) != waited {
		t.Errorf("it waited: %q", ran[waited:])
	}
}

// TestCleanedAndRevoked: the plan that cleans a host does not say that what runs there is left as it is.
func TestCleanedAndRevoked(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 2})
	s.converge()
	table := strings.Replace(s.cut("worker-2"), `roles = ["agent"]`, "roles = []", 1)
	rest, err := os.ReadFile(s.inventory)
	if err != nil {
		t.Fatal(err)
	}
	s.write(s.inventory, string(rest)+table)
	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	i := slices.IndexFunc(p.Changes, func(c report.Change) bool { return c.Step == "tokens of worker-2" })
	if i < 0 || strings.Contains(p.Changes[i].Note, "left as it is") {
		t.Errorf("%+v", p.Changes)
	}
}

// TestFirewalls: what a firewall of the host keeps containers from is named before anything is changed, and, where it came later, by
// verify; with the line of the message it is gone.
func TestFirewalls(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{top: "url = \"https://10.9.8.7\"\n"})
	named := func(words string) {
		t.Helper()
		result, err := s.attempt().apply()
		if !isCode(err, report.ExitPreflight) || len(result.Outcomes) != 0 || len(report.Errors(err)) != 1 || !strings.Contains(explain(err), words) {
			t.Errorf("%d changes, want %q: %s", len(result.Outcomes), words, explain(err))
		}
	}
	sh(t, s, 0, "iptables -P INPUT DROP; iptables -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT")
	named("a firewall of the host drops what containers send to its own ports")
	sh(t, s, 0, "iptables -I INPUT -i br-f042e56523ac -p tcp --dport 443 -j ACCEPT")
	s.converge()
	s.server.SetRuleset("table inet own {\n\tchain way {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n")
	named("a firewall of the host drops what it forwards (chain way of table inet own, policy drop)")
	s.server.SetRuleset("table inet own {\n\tchain way {\n\t\ttype filter hook forward priority filter; policy drop;\n\t\toifname \"br-*\" accept\n\t}\n}\n")
	s.converge()
}

// TestOffIsAnnounced: all that is done when TLS is switched off is in the plan, as a change or as something that is looked at again.
func TestOffIsAnnounced(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, top: "url = \"https://prefect.demo.test\"\n"})
	s.converge()
	s.edit("url = \"https://prefect.demo.test\"", "url = \"http://prefect.demo.test:4200\"\n[tls]\nmode = \"off\"\nallow_plaintext = true\n")
	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	said := map[string]int{}
	for _, c := range p.Changes {
		said[c.Host+" "+c.Step]++
		if strings.HasPrefix(c.Why, " ") || strings.Contains(c.Why, ":  ") {
			t.Errorf("%s: %q has no subject", c.Step, c.Why)
		}
	}
	looked := map[string]int{}
	for _, l := range p.Later {
		looked[l.Host+" "+l.Step]++
	}
	result := s.converge()
	for _, o := range result.Outcomes {
		step := o.Host + " " + o.Step
		if said[step] > 0 {
			said[step]--
		} else if looked[step]--; looked[step] < 0 {
			t.Errorf("%s was not announced", step)
		}
	}
	for step, left := range said {
		if left > 0 {
			t.Errorf("%s was announced and not done", step)
		}
	}
}
