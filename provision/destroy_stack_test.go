package provision_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"provision/provision"
	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/report"
	"provision/remote/remotetest"
)

// destroying is an attempt to take the stack off its hosts.
func (s *site) destroying(volumes bool) *attempt {
	s.t.Helper()
	a := s.attempt()
	sys, err := a.System.Destroying(volumes)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	a.System = sys
	return a
}

func (a *attempt) destroy() (*provision.Remains, error) {
	defer a.end()
	return a.DestroyStack(a.ctx, a.ctx)
}

// plant puts things of others on a host that runs Docker, and gives what they look like.
func plant(t *testing.T, s *site, host int) {
	t.Helper()
	sh(t, s, host, "docker network create neighbour; docker volume create neighbour; docker pull -q python:3.8-slim; "+
		"docker run -d --name neighbour --network neighbour -v neighbour:/data python:3.8-slim sleep 100000; "+
		"mkdir -p /srv/neighbour /etc/systemd/system; echo theirs >/srv/neighbour/file; echo theirs >/var/lib/provision/theirs; printf '[Timer]\\n' >/etc/systemd/system/neighbour.timer")
}

// planted is what of others is on a host.
func planted(t *testing.T, s *site, host int) string {
	t.Helper()
	sh(t, s, host, "{ docker inspect --format '{{.Id}} {{.State.Status}} {{.State.StartedAt}}' neighbour; docker network inspect --format '{{.Id}}' neighbour; docker volume ls -q | grep -x neighbour; "+
		"cat /srv/neighbour/file /var/lib/provision/theirs /etc/systemd/system/neighbour.timer; } >/root/planted")
	return content(t, s.hosts[host], "/root/planted")
}

// ours is what of the stack is on a host: containers, networks, volumes, rules, files.
func ours(h *remotetest.Host) (out []string) {
	for _, c := range h.Containers() {
		if name := strings.TrimPrefix(c.Name, "/"); strings.HasPrefix(name, "prefect-") {
			out = append(out, "container "+name)
		}
	}
	for _, n := range h.Networks() {
		if strings.HasPrefix(n.Name, "prefect-") {
			out = append(out, "network "+n.Name)
		}
	}
	for _, v := range h.Volumes() {
		if strings.HasPrefix(v, "prefect-") {
			out = append(out, "volume "+v)
		}
	}
	if rules := strings.Join(h.Rules(), "\n"); strings.Contains(rules, "PROVISION-") {
		out = append(out, "rules")
	}
	for p := range strings.Lines(paths(h, base)) {
		out = append(out, strings.TrimPrefix(strings.TrimSpace(p), base+"/"))
	}
	slices.Sort(out)
	return out
}

// kept is what the server keeps where the volumes stay.
var kept = []string{
	"born", "id", "salt", "server/secrets/server/encryption_key", "volume prefect-artifacts", "volume prefect-caddy", "volume prefect-postgres",
	"volume.prefect-artifacts", "volume.prefect-caddy", "volume.prefect-postgres",
}

const inVolume = "/var/lib/docker/volumes/prefect-postgres/_data/of-the-user"

// TestDestroy takes the stack away: what is of others stays as it was, and so do the data, with which the next apply continues.
func TestDestroy(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]layout{
		"one host, Prefect 2":      {stack: "[prefect]\n"},
		"one host, Prefect 3":      {stack: prefect3},
		"agents, Prefect 2":        {agents: 2, stack: "[prefect]\n"},
		"agents, Prefect 3":        {agents: 2, stack: prefect3},
		"several servers":          {agents: 1, stack: prefect3 + "[scale]\nservers = 2\n"},
		"an agent beside a server": {agents: 1, both: true, stack: prefect3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, l)
			s.converge()
			var before []string
			for n := range s.hosts {
				plant(t, s, n)
				before = append(before, planted(t, s, n))
			}
			if err := s.server.WriteFile(inVolume, "rows", 0o600); err != nil {
				t.Fatal(err)
			}
			id, key := content(t, s.server, base+"/id"), content(t, s.server, base+"/server/secrets/server/encryption_key")

			a := s.destroying(false)
			var busy atomic.Int64 // agent hosts with changes to make
			var order []string
			a.on = func(e report.Event) {
				switch {
				case e.Type == "plan":
					hosts := map[string]bool{}
					for _, c := range e.Plan.Changes {
						if c.Host != "prefect" {
							hosts[c.Host] = true
						}
					}
					busy.Store(int64(len(hosts)))
				case e.Type == "change" && e.State == "start" && e.Host == "prefect" && l.agents > 0:
					for n, h := range s.hosts[1:] {
						if left := ours(h); len(left) > 0 {
							order = append(order, fmt.Sprintf("%s begins while host %d has %q", e.Step, n+1, left))
						}
					}
				}
			}
			remains, err := a.destroy()
			if err != nil {
				t.Fatalf("%s\n%s", explain(err), a.story())
			}
			if len(order) > 0 {
				t.Errorf("the server is not the last: %q", order[0])
			}
			if l.agents > 0 && busy.Load() != int64(l.agents) {
				t.Errorf("the plan has changes on %d agent hosts", busy.Load())
			}
			for n, h := range s.hosts {
				want := kept
				if n > 0 {
					want = nil
				}
				if got := ours(h); !slices.Equal(got, want) {
					t.Errorf("on %s is left, more or less:\n%s", h.Name(), cmp.Diff(want, got))
				}
				if now := planted(t, s, n); now != before[n] {
					t.Errorf("of others was\n%s, and is\n%s", before[n], now)
				}
			}
			if !remains.Removed || len(remains.Left) != 4 || !strings.Contains(strings.Join(remains.Left, "\n"), "volume prefect-postgres on prefect, with its data") || !strings.Contains(remains.Left[3], "encryption_key") {
				t.Errorf("it says that these stay: %q", remains.Left)
			}

			again := s.destroying(false)
			if remains, err = again.destroy(); err != nil || remains.Removed || len(remains.Left) != 4 {
				t.Errorf("the second destroy: %+v %s", remains, explain(err))
			}

			s.converge()
			if content(t, s.server, base+"/id") != id || content(t, s.server, base+"/server/secrets/server/encryption_key") != key || content(t, s.server, inVolume) != "rows" {
				t.Error("it is not the same stack that came back")
			}
			v := s.attempt()
			defer v.end()
			if err := v.Verify(v.ctx, nil); err != nil {
				t.Error(explain(err))
			}
		})
	}
}

// TestDestroyVolumes: with the data goes what they were read with, and only after them.
func TestDestroyVolumes(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{true, false} { // whether a destroy without volumes comes before
		s := arrange(t, layout{agents: 1, stack: prefect3})
		s.converge()
		plant(t, s, 0)
		before := planted(t, s, 0)
		if first {
			if _, err := s.destroying(false).destroy(); err != nil {
				t.Fatal(explain(err))
			}
		}
		a := s.destroying(true)
		var doomed []string
		a.Confirm = func(_ context.Context, p *report.Plan, _ bool) (bool, error) {
			doomed = provision.DoomedVolumes(p)
			return true, nil
		}
		remains, err := a.destroy()
		if err != nil {
			t.Fatal(explain(err))
		}
		if want := []string{"prefect-artifacts", "prefect-caddy", "prefect-postgres"}; !slices.Equal(doomed, want) {
			t.Errorf("confirmed are %q", doomed)
		}
		for _, h := range s.hosts {
			if got := ours(h); len(got) > 0 {
				t.Errorf("on %s is left: %q", h.Name(), got)
			}
		}
		if len(remains.Left) > 0 || planted(t, s, 0) != before {
			t.Errorf("left: %q; of others was %s", remains.Left, before)
		}
		if remains, err := s.destroying(true).destroy(); err != nil || remains.Removed || len(remains.Left) > 0 {
			t.Errorf("the second destroy: %+v %s", remains, explain(err))
		}
		s.converge() // another stack, with nothing of the former one
	}
}

// TestDestroyVolumeInUse: the key stays as long as the data that it reads.
func TestDestroyVolumeInUse(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{stack: prefect3})
	s.converge()
	sh(t, s, 0, "docker run -d --name copies -v prefect-postgres:/data:ro python:3.13-slim sleep 100000")
	_, err := s.destroying(true).destroy()
	if !isCode(err, report.ExitStep) || !strings.Contains(explain(err), "volume prefect-postgres") {
		t.Errorf("%s", explain(err))
	}
	if got := ours(s.server); !slices.Contains(got, "server/secrets/server/encryption_key") || !slices.Contains(got, "volume prefect-postgres") {
		t.Errorf("left are %q", got)
	}
	sh(t, s, 0, "docker rm -f copies")
	if _, err := s.destroying(true).destroy(); err != nil {
		t.Error(explain(err))
	}
	if got := ours(s.server); len(got) > 0 {
		t.Errorf("left are %q", got)
	}
}

// TestDestroyRefused: nothing is done where something stands against it.
func TestDestroyRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(*testing.T, *site)
		code int
		want []string
	}{
		"a foreign container on a network": {func(t *testing.T, s *site) {
			sh(t, s, 1, "docker pull -q python:3.8-slim; docker run -d --name guest --network prefect-agent-network python:3.8-slim sleep 100000")
		}, report.ExitPreflight, []string{"guest", "docker network disconnect prefect-agent-network guest"}},
		"Docker is stopped":     {func(_ *testing.T, s *site) { s.server.StopUnit("docker") }, report.ExitUnknown, []string{"prefect: docker: cannot be observed"}},
		"a host is away":        {func(_ *testing.T, s *site) { s.connectTimeout("1s"); s.hosts[2].Unplug() }, report.ExitUnreachable, []string{"worker-2"}},
		"nobody typed the name": {func(*testing.T, *site) {}, report.ExitFailed, []string{"nothing was changed"}},
		"another instance": {func(t *testing.T, s *site) {
			sh(t, s, 1, "echo 'prefect 00000000-0000-4000-8000-000000000000' >"+base+"/id")
		}, report.ExitData, []string{"worker-1", "another instance"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, layout{agents: 2})
			s.converge()
			c.make(t, s)
			before := []any{started(s), ours(s.hosts[0]), ours(s.hosts[1]), ours(s.hosts[2])}
			a := s.destroying(true)
			a.Confirm = func(context.Context, *report.Plan, bool) (bool, error) { return false, nil }
			_, err := a.destroy()
			if !isCode(err, c.code) {
				t.Errorf("exit %d: %s", report.ExitCode(err), explain(err))
			}
			for _, w := range c.want {
				if !strings.Contains(explain(err), w) {
					t.Errorf("%q is not said: %s", w, explain(err))
				}
			}
			if d := cmp.Diff(before, []any{started(s), ours(s.hosts[0]), ours(s.hosts[1]), ours(s.hosts[2])}); d != "" {
				t.Errorf("changed: %s", d)
			}
		})
	}
}

// TestDestroyWithoutAHost: the server stays as long as a host that it serves may have something to say.
func TestDestroyWithoutAHost(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 2})
	s.converge()
	s.connectTimeout("1s")
	s.hosts[2].Unplug()
	before := ours(s.server)
	a := s.destroying(false)
	a.SkipUnreachable = true
	if _, err := a.destroy(); !isCode(err, report.ExitUnreachable) {
		t.Error(explain(err))
	}
	if got := ours(s.hosts[1]); len(got) > 0 {
		t.Errorf("on worker-1 is left: %q", got)
	}
	if d := cmp.Diff(before, ours(s.server)); d != "" {
		t.Errorf("the server: %s", d)
	}
	s.cut("worker-2") // it is gone for ever
	if _, err := s.destroying(false).destroy(); err != nil {
		t.Error(explain(err))
	}
	if got := ours(s.server); !slices.Equal(got, kept) {
		t.Errorf("on the server is left: %q", got)
	}
}

// TestDestroyAnotherStack: the stack on the hosts has another name, and loses nothing, not even the rules of its networks.
func TestDestroyAnotherStack(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, stack: prefect3})
	s.converge()
	before := []any{started(s), ours(s.hosts[0]), ours(s.hosts[1])}
	s.stack("name = \"other\"\n" + prefect3)
	if remains, err := s.destroying(true).destroy(); err != nil || remains.Removed {
		t.Errorf("%+v %s", remains, explain(err))
	}
	if d := cmp.Diff(before, []any{started(s), ours(s.hosts[0]), ours(s.hosts[1])}); d != "" {
		t.Errorf("changed: %s", d)
	}
	s.stack(prefect3)
	s.unchanged()
}

// TestDestroyElsewhere: the data are in a database elsewhere, so the key stays, whatever happens to the volumes.
func TestDestroyElsewhere(t *testing.T) {
	t.Parallel()
	s, db := elsewhere(t, split)
	s.converge()
	key := content(t, s.server, base+"/server/secrets/server/encryption_key")
	remains, err := s.destroying(true).destroy()
	if err != nil {
		t.Fatal(explain(err))
	}
	if !strings.Contains(strings.Join(remains.Left, "\n"), "the data in the database elsewhere") || !db.Migrated() {
		t.Errorf("%q", remains.Left)
	}
	got := ours(s.server)
	for _, file := range []string{"born", "database", "id", "server/secrets/server/encryption_key"} {
		if !slices.Contains(got, file) {
			t.Errorf("%s is gone; left are %q", file, got)
		}
	}
	s.converge()
	if content(t, s.server, base+"/server/secrets/server/encryption_key") != key {
		t.Error("there is another key")
	}
}

// TestDestroyOnDroplets: droplets and their block storage stay, and it is said what destroys them.
func TestDestroyOnDroplets(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.converge("prefect", "worker")
	a := p.attempt()
	sys, err := a.System.Destroying(true)
	if err != nil {
		t.Fatal(err)
	}
	a.System = sys
	remains, err := a.destroy()
	if err != nil {
		t.Fatal(explain(err))
	}
	said := strings.Join(remains.Left, "\n")
	for _, w := range []string{"volume prefect-postgres on prefect, whose data are on block storage", "droplet prefect; to destroy it: provision droplet destroy prefect"} {
		if !strings.Contains(said, w) {
			t.Errorf("%q is not said: %q", w, said)
		}
	}
	if got := ours(p.host("prefect")); !slices.Contains(got, "server/secrets/server/encryption_key") || !slices.Contains(got, "volume prefect-postgres") || slices.Contains(got, "volume prefect-caddy") {
		t.Errorf("left are %q", got)
	}
	if _, err := p.host("prefect").ReadFile("/mnt/prefect-data/keep/id"); err != nil {
		t.Error(err)
	}
	p.converge("prefect", "worker")
}

// TestDestroyKilled kills the controller before and after each change. The next destroy finishes it; or the next apply brings the stack
// back, with its data.
func TestDestroyKilled(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		layout  layout
		volumes bool
	}{
		{layout{stack: "[prefect]\n"}, false}, {layout{agents: 2, stack: prefect3}, false}, {layout{agents: 1, stack: prefect3}, true},
	}
	type killed struct{ kind, change int }
	var all []killed
	for n, k := range kinds {
		s := arrange(t, k.layout)
		s.converge()
		a, changes := s.destroying(k.volumes), 0
		a.on = func(e report.Event) {
			if e.Type == "change" && (e.State == "start" || e.State == report.Done) {
				changes++
			}
		}
		if _, err := a.destroy(); err != nil {
			t.Fatal(explain(err))
		}
		for c := range changes {
			all = append(all, killed{n, c + 1})
		}
	}
	for _, p := range sample(t, all, 12) {
		k := kinds[p.kind]
		t.Run(fmt.Sprintf("kind %d, event %d", p.kind, p.change), func(t *testing.T) {
			t.Parallel()
			s := arrange(t, k.layout)
			s.converge()
			key := content(t, s.server, base+"/server/secrets/server/encryption_key")
			if err := s.server.WriteFile(inVolume, "rows", 0o600); err != nil {
				t.Fatal(err)
			}
			first := s.destroying(k.volumes)
			var n atomic.Int64
			first.on = func(e report.Event) {
				if e.Type == "change" && (e.State == "start" || e.State == report.Done) && n.Add(1) == int64(p.change) {
					first.kill(s)
				}
			}
			if _, err := first.destroy(); err == nil || !first.dead.Load() {
				t.Fatalf("killed: %t, %v", first.dead.Load(), err)
			}
			// The data and their key are there both, or the data are gone first.
			files := ours(s.server)
			data, keyed := slices.Contains(files, "volume prefect-postgres"), slices.Contains(files, "server/secrets/server/encryption_key")
			if data && !keyed || !data && !k.volumes {
				t.Fatalf("killed, there are %q", files)
			}
			if p.change%2 == 0 && !k.volumes {
				if _, err := s.attempt().apply(); err != nil {
					t.Fatalf("apply: %s\nfirst: %s", explain(err), first.story())
				}
				s.unchanged()
				if content(t, s.server, inVolume) != "rows" || content(t, s.server, base+"/server/secrets/server/encryption_key") != key {
					t.Error("it came back without its data")
				}
				return
			}
			if _, err := s.destroying(k.volumes).destroy(); err != nil {
				t.Fatalf("destroy again: %s\nfirst: %s", explain(err), first.story())
			}
			for n, h := range s.hosts {
				want := kept
				if n > 0 || k.volumes {
					want = nil
				}
				if got := ours(h); !slices.Equal(got, want) {
					t.Errorf("on %s: %s", h.Name(), cmp.Diff(want, got))
				}
			}
		})
	}
}
