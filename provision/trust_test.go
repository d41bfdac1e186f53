package provision_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// way is how browsers and agents reach the stack: a mode of TLS and the host of the url.
type way struct{ mode, host string }

func (w way) String() string { return w.mode + " " + w.host }

// goes rewrites the inventory's first lines.
func (s *site) goes(w way) {
	s.t.Helper()
	text, err := os.ReadFile(s.inventory)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	_, rest, ok := strings.Cut(string(text), "\n[ssh]\n")
	if !ok {
		s.t.Fatalf("the inventory has no [ssh]")
	}
	stack := ""
	if strings.HasPrefix(string(text), "stack = ") {
		stack = "stack = \"stack.toml\"\n"
	}
	dir := filepath.Dir(s.inventory)
	if _, err := os.Stat(filepath.Join(dir, "site.crt")); err != nil {
		certificate(s.t, dir, here, there)
	}
	top := fmt.Sprintf("url = \"https://%s\"\n[tls]\nmode = %q\n", w.host, w.mode)
	switch w.mode {
	case "off":
		top = fmt.Sprintf("url = \"http://%s:4200\"\n[tls]\nmode = \"off\"\nallow_plaintext = true\n", w.host)
	case "files":
		top += "certificate = \"site.crt\"\nkey = \"site.key\"\n"
	case "acme":
		top += "acme_ca = \"https://acme.test/directory\"\n"
	}
	// What vouches for the certificate is trusted in every mode: it is part of the images.
	s.write(s.inventory, stack+top+"[site]\nca_certificates = [\"site.crt\"]\n\n[ssh]\n"+rest)
}

const (
	here, there = "prefect.demo.test", "flows.demo.test"
	caddySecret = base + "/server/secrets/caddy/"
)

// TestTrust changes the mode of TLS, the url and the authority in the orders that made Caddy show a
// certificate of an authority that was gone: it keeps what it was issued in its volume.
func TestTrust(t *testing.T) {
	t.Parallel()
	internal := way{"internal", here}
	for name, ways := range raced(map[string][]any{
		"off and back":                 {internal, way{"off", here}, internal},
		"files and back":               {internal, way{"files", here}, internal},
		"acme and back":                {internal, way{"acme", here}, internal},
		"all":                          {way{"off", here}, internal, way{"files", here}, internal, way{"off", here}, internal},
		"url changed and changed back": {internal, way{"internal", there}, internal},
		"root deleted":                 {internal, "rm " + caddySecret + "root.crt"},
		"all deleted":                  {internal, "rm " + caddySecret + "root.crt " + caddySecret + "intermediate.crt " + caddySecret + "intermediate.key"},
		"its note deleted":             {internal, "rm " + base + "/server/secrets/login/authority"},
		"key readable":                 {internal, "chmod 0444 " + caddySecret + "intermediate.key"},
		"replaced by another of ours":  {internal, "mkdir -p /root/kept; cp -p " + caddySecret + "*.crt " + caddySecret + "*.key /root/kept/", way{"off", here}, internal, "cp -p /root/kept/* " + caddySecret},
		"put back with its note": {
			internal, "mkdir -p /root/kept; cp -p " + caddySecret + "*.crt " + caddySecret + "*.key " + base + "/server/secrets/login/authority /root/kept/",
			way{"off", here},
			internal, "cp -p /root/kept/*.* " + caddySecret + "; cp -p /root/kept/authority " + base + "/server/secrets/login/authority",
		},
		"followed":                 {internal, 3650*24*time.Hour - 60*24*time.Hour},
		"ended":                    {internal, 3651 * 24 * time.Hour},
		"Caddy's volume emptied":   {internal, "rm -rf /var/lib/docker/volumes/prefect-caddy/_data/*; docker restart prefect-caddy"},
		"its own name lost":        {internal, "rm " + base + "/server/caddy/authority"},
		"its own name overwritten": {internal, "sed 's/ca [0-9a-f]*/ca 0123456789abcdef/' " + base + "/server/caddy/authority >/root/a; cat /root/a >" + base + "/server/caddy/authority; docker restart prefect-caddy"},
	}, 5) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, split)
			for _, step := range ways {
				switch step := step.(type) {
				case way:
					s.goes(step)
				case time.Duration:
					for _, h := range s.hosts {
						h.AdvanceClock(step)
					}
				case string:
					sh(t, s, 0, step)
				}
				if _, err := s.attempt().apply(); err != nil {
					t.Fatalf("%v: %s", step, explain(err))
				}
				s.unchanged()
			}
		})
	}
}

// TestTrustOfAnother puts a certificate of another authority where Caddy keeps those of the present one, as a
// restored volume could: the plan names it, and any run heals it.
func TestTrustOfAnother(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.goes(way{"internal", here})
	s.converge()
	kept := "/var/lib/docker/volumes/prefect-caddy/_data/caddy/certificates"
	sh(t, s, 0, "cp -p "+kept+"/*/*/*.crt /root/old.crt")
	s.goes(way{"off", here})
	s.converge()
	s.goes(way{"internal", here})
	s.converge()
	if restarts := s.server.Ran("docker restart"); len(restarts) > 0 {
		t.Errorf("a change of the mode restarts Caddy: %q", restarts)
	}
	sh(t, s, 0, `name=$(sed -n 's/^	ca \([0-9a-f]*\)$/\1/p' `+base+`/server/caddy/authority); [ -n "$name" ]
cat /root/old.crt >`+kept+`/$name/`+here+`/`+here+`.crt; docker restart prefect-caddy`)
	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	if all := announced(p); !strings.Contains(all, "prefect replace caddy configuration: the certificate that Caddy shows is of another authority\n") {
		t.Errorf("the plan is\n%s", all)
	}
	s.converge()
}

// TestTrustUnknown has Caddy show no certificate at all: that is never taken for a wrong one.
func TestTrustUnknown(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	loaded := s.server.LoadedCaddyfile("prefect-caddy")
	s.fleet.InContainer(func(c remotetest.Call) (int, bool) {
		if len(c.Argv) < 5 || c.Argv[0] != "python3" {
			return 0, false
		}
		fmt.Fprintf(c.Stdout, "%s\n!timed out", loaded)
		return 0, true
	})
	_, err := s.attempt().plan()
	if !isCode(err, report.ExitUnknown) || !strings.Contains(explain(err), "no certificate is shown by Caddy: timed out") {
		t.Errorf("%s", explain(err))
	}
}

// TestTrustKilled changes the way at random, and the authority by hand, while the controller is killed at
// random changes. Whatever was left, the next apply ends with agents that trust what Caddy shows.
func TestTrustKilled(t *testing.T) {
	t.Parallel()
	runs := often(t, 40, 6)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	byHand := []string{
		"rm -f " + caddySecret + "root.crt", "rm -f " + caddySecret + "intermediate.key", "rm -f " + base + "/server/secrets/login/authority",
		"rm -f " + base + "/server/caddy/authority", "rm -f " + base + "/server/caddy/mounts", "docker restart prefect-caddy >/dev/null 2>&1 || true",
	}
	each(runs, func(n int) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, uint64(n)))
			s := arrange(t, alternately(n/2, []layout{single, split}[n%2]))
			var story []string
			for range 4 {
				w := way{[]string{"internal", "internal", "off", "files", "acme"}[random.IntN(5)], []string{here, there}[random.IntN(2)]}
				s.goes(w)
				story = append(story, w.String())
				if random.IntN(3) == 0 {
					hand := byHand[random.IntN(len(byHand))]
					story = append(story, hand)
					sh(t, s, 0, hand)
				}
				if random.IntN(3) > 0 {
					a, at := s.attempt(), int64(1+random.IntN(40))
					var seen atomic.Int64
					a.on = func(e report.Event) {
						if e.Type == "change" && seen.Add(1) == at {
							a.kill(s)
						}
					}
					_, err := a.apply()
					story = append(story, fmt.Sprintf("killed at event %d: %t", at, err != nil))
					if random.IntN(2) == 0 {
						continue // and goes another way
					}
				}
				if _, err := s.attempt().apply(); err != nil {
					t.Fatalf("%s:\n%s", strings.Join(story, ", then "), explain(err))
				}
				s.unchanged()
			}
			if _, err := s.attempt().apply(); err != nil {
				t.Fatalf("%s:\n%s", strings.Join(story, ", then "), explain(err))
			}
			s.unchanged()
		})
	})
}
