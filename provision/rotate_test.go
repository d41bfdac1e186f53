package provision_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"provision/provision"
	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/report"
	"provision/remote/remotetest"
)

// rotating is an attempt to replace secrets.
func (s *site) rotating(names ...string) *attempt {
	s.t.Helper()
	a := s.attempt()
	sys, err := a.System.Rotating(names)
	if err != nil {
		s.t.Fatalf("rotate %q: %s", names, explain(err))
	}
	a.System = sys
	return a
}

func (a *attempt) rotate() (*provision.Rotated, *report.Report, error) {
	defer a.end()
	return a.Rotate(a.ctx, a.ctx)
}

const secretsOf = base + "/server/secrets/"

// owned are the files that own a secret, by the name that replaces it.
var owned = map[string]func(host string) string{
	"database": func(string) string { return secretsOf + "postgres/password" },
	"valkey":   func(string) string { return secretsOf + "valkey/redis_password" },
	"ui":       func(string) string { return secretsOf + "login/ui_password" },
	"poll":     func(host string) string { return secretsOf + "caddy/tokens/" + host + ".poll" },
	"run":      func(host string) string { return secretsOf + "caddy/tokens/" + host + ".run" },
	"ca":       func(string) string { return secretsOf + "caddy/root.crt" },
}

func content(t *testing.T, h *remotetest.Host, file string) string {
	t.Helper()
	text, err := h.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// started are the ids of all containers, by host and name: a replaced one has another id.
func started(s *site) map[string]string {
	ids := map[string]string{}
	for _, h := range s.hosts {
		for _, c := range h.Containers() {
			ids[h.Name()+" "+strings.TrimPrefix(c.Name, "/")] = c.ID
		}
	}
	return ids
}

// refusesOld wants that nothing takes the old value of a secret any more.
func refusesOld(t *testing.T, s *site, name, old string) {
	t.Helper()
	kind, host, _ := strings.Cut(name, ":")
	switch kind {
	case "database":
		s.server.WriteFile("/root/old", old, 0o600)
		login := "{ cat; echo 'select 1'; } </dev/null >/dev/null; pw=$(cat /root/old); docker exec -e PGPASSWORD=\"$pw\" prefect-postgres psql -h 127.0.0.1 -U prefect -d prefect -Atqc 'select 1'"
		sh(t, s, 0, "if ( "+login+" ) 2>/root/said; then exit 9; fi; grep -q 'password authentication failed' /root/said")
	case "valkey":
		s.server.WriteFile("/root/old", old, 0o600)
		sh(t, s, 0, "if docker exec -e REDISCLI_AUTH=\"$(cat /root/old)\" prefect-valkey valkey-cli ping 2>/dev/null | grep -q PONG; then exit 9; fi")
	case "ui":
		hash := content(t, s.server, secretsOf+"caddy/ui_password_hash")
		if bcrypt.CompareHashAndPassword([]byte(hash), []byte(old)) == nil {
			t.Error("the UI takes the old password")
		}
		if err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(content(t, s.server, owned["ui"]("")))); err != nil {
			t.Errorf("the UI refuses the new password: %v", err)
		}
	case "poll", "run":
		n := slices.IndexFunc(s.hosts, func(h *remotetest.Host) bool { return h.Name() == host })
		file, container := base+"/agent/secrets/agent/poll_token", "prefect-agent"
		if kind == "run" {
			file, container = base+"/agent/secrets/business-logic/run_token", "prefect-business-logic"
		}
		// The container with the old token in its file is refused, and with the new one it is not.
		check := "docker exec " + container + " /opt/provision/entrypoint python -m provision_glue.check host-" + host
		now := content(t, s.hosts[n], file)
		s.hosts[n].WriteFile("/root/old", old, 0o600)
		sh(t, s, n, fmt.Sprintf("cp -p %[1]s /root/now; cat /root/old >%[1]s; if %[2]s >/root/said; then exit 9; fi; cp -p /root/now %[1]s; grep -q '\"status\":401' /root/said || { cat /root/said >&2; exit 8; }", file, check))
		if now == old {
			t.Error("the agent host has the old token")
		}
		sh(t, s, n, "if "+check+" >/root/said || grep -q '\"status\":403' /root/said; then exit 0; fi; cat /root/said >&2; exit 7") // a run token may not poll
	case "ca":
		if roots := content(t, s.hosts[len(s.hosts)-1], rootsOnAgent); strings.Contains(roots, strings.TrimSpace(old)) {
			t.Error("agents trust the old authority still")
		}
	}
}

// TestRotate replaces each secret: exactly who reads it is replaced, the old value is refused, the next apply has nothing to do.
func TestRotate(t *testing.T) {
	t.Parallel()
	both := func(host string) []string { return []string{host + " prefect-agent", host + " prefect-business-logic"} }
	for name, c := range map[string]struct {
		stack    string
		replaced []string // two generations have the same containers
	}{
		"database":        {"", []string{"prefect prefect-server"}},
		"database scale":  {"[scale]\nservers = 2\n", []string{"prefect prefect-server", "prefect prefect-server-2", "prefect prefect-services"}},
		"valkey scale":    {"[scale]\nservers = 2\n", []string{"prefect prefect-server", "prefect prefect-server-2", "prefect prefect-services", "prefect prefect-valkey"}},
		"ui":              {"", nil},
		"poll:worker-2":   {"", []string{"worker-2 prefect-agent"}},
		"run:worker-2":    {"", both("worker-2")},
		"tokens":          {"", append(both("worker-1"), both("worker-2")...)},
		"bridge:worker-1": {"", both("worker-1")},
		"ca":              {"", append(both("worker-1"), both("worker-2")...)},
		"ui and database": {"", []string{"prefect prefect-server"}},
	} {
		for gen, version := range map[string]string{"2": "[prefect]\n", "3": prefect3} {
			if gen == "2" && c.stack != "" {
				continue
			}
			t.Run(name+" with Prefect "+gen, func(t *testing.T) {
				t.Parallel()
				s := arrange(t, layout{agents: 2, stack: version + c.stack})
				s.converge()
				before, old := started(s), map[string]string{}
				word, _, _ := strings.Cut(name, " ")
				names := []string{word}
				if name == "ui and database" {
					names = []string{"ui", "database"}
				}
				ones := names
				if name == "tokens" {
					ones = []string{"poll:worker-1", "run:worker-1", "poll:worker-2", "run:worker-2"}
				}
				for _, one := range ones {
					kind, host, _ := strings.Cut(one, ":")
					if owned[kind] != nil {
						old[one] = content(t, s.server, owned[kind](host))
					}
				}
				a := s.rotating(names...)
				done, result, err := a.rotate()
				if err != nil {
					t.Fatalf("%s\n%s", explain(err), a.story())
				}
				if len(done.Secrets) < len(ones) {
					t.Errorf("replaced, it says, are %v", done.Secrets)
				}
				var replaced []string
				for place, id := range started(s) {
					if id != before[place] {
						replaced = append(replaced, place)
					}
				}
				slices.Sort(replaced)
				if !slices.Equal(replaced, c.replaced) && !(name == "run:worker-2" && slices.Equal(replaced, c.replaced[1:])) {
					t.Errorf("replaced are %q, want %q\n%s", replaced, c.replaced, a.story())
				}
				for one, value := range old {
					kind, host, _ := strings.Cut(one, ":")
					if now := content(t, s.server, owned[kind](host)); now == value || now == "" {
						t.Errorf("%s has the old value", one)
					}
					refusesOld(t, s, one, value)
				}
				for _, text := range a.told(err, done, result) {
					for _, value := range old {
						if name != "ca" && strings.Contains(text, value) {
							t.Errorf("an old value is told: %s", text)
						}
					}
				}
				s.unchanged()
				v := s.attempt()
				defer v.end()
				if err := v.Verify(v.ctx, nil); err != nil {
					t.Error(explain(err))
				}
			})
		}
	}
}

// TestRotateRefused: what provision did not make is not replaced, and the message says what to change where.
func TestRotateRefused(t *testing.T) {
	t.Parallel()
	const tls = "url = \"https://prefect.example.org\"\n[tls]\nmode = \"%s\"\n"
	for name, c := range map[string]struct {
		top, stack string
		code       int
		want       []string
	}{
		"ui":             {"", "[ui]\npassword = { file = \"own\" }\n", report.ExitUsage, []string{"ui.password", "provision apply"}},
		"ca":             {fmt.Sprintf(tls, "acme") + "email = \"ops@demo.test\"\n", "", report.ExitUsage, []string{"not the stack's", "tls.mode"}},
		"valkey":         {"", "", report.ExitUsage, []string{"no Valkey"}},
		"poll":           {"", "[business_logic]\nexecution = \"serve\"\n", report.ExitUsage, []string{"provision rotate run"}},
		"bridge":         {"", "[business_logic]\nexecution = \"serve\"\n", report.ExitUsage, []string{"there is no bridge"}},
		"tokens:nobody":  {"", "", report.ExitUsage, []string{"no agent host nobody", "worker-1"}},
		"ui:worker-1":    {"", "", report.ExitUsage, []string{"no secret of this name"}},
		"databse":        {"", "", report.ExitUsage, []string{"did you mean: provision rotate database"}},
		"encryption-key": {"", "", report.ExitData, []string{"could never be read again"}},
		"encryption_key": {"", "", report.ExitData, []string{"could never be read again"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := arrangeIn(t, dir, layout{agents: 1, top: c.top, stack: prefect3 + c.stack})
			t.Cleanup(s.fleet.Close)
			s.write(filepath.Join(dir, "own"), "a password of one's own")
			a := s.attempt()
			defer a.end()
			_, err := a.System.Rotating([]string{name})
			if report.ExitCode(err) != c.code {
				t.Fatalf("exit %d: %s", report.ExitCode(err), explain(err))
			}
			for _, w := range c.want {
				if !strings.Contains(explain(err), w) {
					t.Errorf("%q is not said: %s", w, explain(err))
				}
			}
		})
	}
}

// TestRotateElsewhere: the password of a database elsewhere is not provision's; the rest is.
func TestRotateElsewhere(t *testing.T) {
	t.Parallel()
	s, _ := elsewhere(t, split)
	s.converge()
	a := s.attempt()
	defer a.end()
	if _, err := a.System.Rotating([]string{"database"}); !isCode(err, report.ExitUsage) || !strings.Contains(explain(err), "postgres.url") {
		t.Error(explain(err))
	}
	old := content(t, s.server, owned["run"]("worker-1"))
	if _, _, err := s.rotating("tokens", "ui").rotate(); err != nil {
		t.Fatal(explain(err))
	}
	refusesOld(t, s, "run:worker-1", old)
	s.unchanged()
}

// TestRotateOnDroplets: what is kept beside the data for a new droplet is the new value, too.
func TestRotateOnDroplets(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.converge("prefect", "worker")
	h := p.host("prefect")
	files := []string{"server/secrets/postgres/password", "server/secrets/login/ui_password"}
	old := map[string]string{}
	for _, f := range files {
		old[f] = content(t, h, base+"/"+f)
	}
	if _, _, err := p.rotating("database", "ui").rotate(); err != nil {
		t.Fatal(explain(err))
	}
	for _, f := range files {
		if now := content(t, h, base+"/"+f); now == old[f] || content(t, h, "/mnt/prefect-data/keep/"+f) != now {
			t.Errorf("%s: replaced %t, and beside the data is another one", f, now != old[f])
		}
	}
	p.converge("prefect", "worker")
}

// TestRotateBeforeApply: on blank hosts there is nothing to replace, and nothing is done.
func TestRotateBeforeApply(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"database", "ca", "tokens"} {
		s := arrange(t, split)
		_, result, err := s.rotating(name).rotate()
		if !isCode(err, report.ExitPreflight) || len(result.Outcomes) != 0 || !strings.Contains(explain(err), "provision apply makes one") {
			t.Errorf("%s: %d changes, %s", name, len(result.Outcomes), explain(err))
		}
		if got := paths(s.server, "/var/lib/provision"); got != "" {
			t.Errorf("%s: on the host are\n%s", name, got)
		}
	}
}

// TestRotateDeclined: nothing stops and nothing is replaced where the answer is no.
func TestRotateDeclined(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	old, before := content(t, s.server, owned["database"]("")), started(s)
	a := s.rotating("database")
	var shown string
	a.Confirm = func(_ context.Context, p *report.Plan, _ bool) (bool, error) { shown = announced(p); return false, nil }
	if _, _, err := a.rotate(); !isCode(err, report.ExitFailed) {
		t.Error(explain(err))
	}
	for _, w := range []string{"prefect replace secret " + owned["database"]("") + ": a new value was asked for", "prefect change stop prefect-server: it reads password", "prefect replace container prefect-server: "} {
		if !strings.Contains(shown, w) {
			t.Errorf("the plan does not say %q:\n%s", w, shown)
		}
	}
	if content(t, s.server, owned["database"]("")) != old || len(cmp.Diff(before, started(s))) != 0 {
		t.Error("something was changed")
	}
	s.unchanged()
}

// TestRotateWithoutAHost: the tokens of a host that cannot be reached stay, because it would be locked out; those of others are replaced.
func TestRotateWithoutAHost(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 2})
	s.converge()
	of := func(host string) string { return content(t, s.server, owned["run"](host)) }
	one, two := of("worker-1"), of("worker-2")
	s.connectTimeout("1s")
	s.hosts[2].Unplug()
	if _, result, err := s.rotating("tokens").rotate(); !isCode(err, report.ExitUnreachable) || len(result.Outcomes) != 0 {
		t.Errorf("%d changes, %s", len(result.Outcomes), explain(err))
	}
	a := s.rotating("tokens")
	a.SkipUnreachable = true
	if _, _, err := a.rotate(); !isCode(err, report.ExitUnreachable) {
		t.Error(explain(err))
	}
	if of("worker-1") == one || of("worker-2") != two {
		t.Error("not exactly the tokens of the host that answers were replaced")
	}
	if err := s.hosts[2].Plug(); err != nil {
		t.Fatal(err)
	}
	s.connectTimeoutFrom("1s", "30s")
	s.converge()
	refusesOld(t, s, "run:worker-1", one)
}

// connectTimeoutFrom changes it back.
func (s *site) connectTimeoutFrom(old, new string) {
	s.t.Helper()
	s.edit(fmt.Sprintf("connect_timeout = %q", old), fmt.Sprintf("connect_timeout = %q", new))
}

// TestRotateHealsDrift: what differs besides is shown in the same plan and put right by it.
func TestRotateHealsDrift(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	sh(t, s, 0, "docker stop prefect-caddy; : >"+base+"/server/caddy/Caddyfile")
	if _, _, err := s.rotating("tokens:worker-1").rotate(); err != nil {
		t.Fatal(explain(err))
	}
	s.unchanged()
}

// TestRotateKilled kills the controller before and after every change of a rotation. Either verb finishes what it left: nothing
// is left stopped, and who reads a secret has the value that opens something.
func TestRotateKilled(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		layout layout
		names  []string
	}{
		{layout{agents: 1, stack: "[prefect]\n"}, []string{"database", "ui"}},
		{layout{agents: 1, stack: prefect3 + "[scale]\nservers = 2\n"}, []string{"database", "valkey"}},
		{layout{agents: 2, stack: prefect3}, []string{"tokens", "bridge"}},
		{layout{agents: 1, stack: prefect3}, []string{"ca"}},
	}
	type killed struct {
		kind, change int
	}
	var all []killed
	for n, k := range kinds {
		s := arrange(t, k.layout)
		s.converge()
		a, changes := s.rotating(k.names...), 0
		a.on = func(e report.Event) {
			if e.Type == "change" && (e.State == "start" || e.State == report.Done) {
				changes++
			}
		}
		if _, _, err := a.rotate(); err != nil {
			t.Fatalf("%q: %s", k.names, explain(err))
		}
		if changes < 6 {
			t.Errorf("%q has only %d events of changes", k.names, changes)
		}
		for c := range changes {
			all = append(all, killed{n, c + 1})
		}
	}
	for _, p := range sample(t, all, 12) {
		k := kinds[p.kind]
		t.Run(fmt.Sprintf("%s, event %d", strings.Join(k.names, " and "), p.change), func(t *testing.T) {
			t.Parallel()
			s := arrange(t, k.layout)
			s.converge()
			want := outcome(t, s)
			var old []string
			for _, name := range k.names {
				if of := owned[name]; of != nil {
					old = append(old, content(t, s.server, of("")))
				}
			}
			first := s.rotating(k.names...)
			var n atomic.Int64
			first.on = func(e report.Event) {
				if e.Type == "change" && (e.State == "start" || e.State == report.Done) && n.Add(1) == int64(p.change) {
					first.kill(s)
				}
			}
			if _, _, err := first.rotate(); err == nil || !first.dead.Load() {
				t.Fatalf("killed: %t, %v", first.dead.Load(), err)
			}
			if p.change%2 == 0 {
				if _, err := s.attempt().apply(); err != nil {
					t.Fatalf("apply: %s\nfirst: %s", explain(err), first.story())
				}
			} else {
				next := s.rotating(k.names...)
				if _, _, err := next.rotate(); err != nil {
					t.Fatalf("rotate again: %s\nfirst: %s\nnext: %s", explain(err), first.story(), next.story())
				}
				for m, name := range k.names {
					if m < len(old) {
						refusesOld(t, s, name, old[m])
					}
				}
			}
			s.unchanged()
			if d := cmp.Diff(want, outcome(t, s)); d != "" {
				t.Errorf("not what it was before: %s", d)
			}
			v := s.attempt()
			defer v.end()
			if err := v.Verify(v.ctx, nil); err != nil {
				t.Error(explain(err))
			}
		})
	}
}
