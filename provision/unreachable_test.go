package provision_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/plan"
	"provision/provision/report"
	"provision/remote/remotetest"
)

const agentRoot = "/var/lib/provision/prefect/agent/ca/ca.pem"

// drifted has something to do on every host.
func (s *site) drifted() {
	for _, h := range s.hosts[1:] {
		h.Remove(agentRoot)
	}
	s.server.Remove("/var/lib/provision/prefect/server/caddy/Caddyfile")
}

// tokens are the server's files of tokens of a host, by path.
func tokens(t *testing.T, s *site, host string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, f := range s.server.Files("/var/lib/provision/prefect/server") {
		if f.FileMode.IsRegular() && strings.Contains(f.Path, host) {
			text, err := s.server.ReadFile(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			out[f.Path] = string(text)
		}
	}
	if len(out) == 0 {
		t.Fatal("the server has no tokens of " + host)
	}
	return out
}

// TestSkipUnreachable: a host may go away at any point of an apply. What needs nothing of it is done,
// and nothing of it is taken for absent.
func TestSkipUnreachable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		when  func(e report.Event) bool // the host goes away; nil: it is away from the beginning
		third bool                      // only the third of these counts
		ask   bool                      // it goes away at the question
		code  int
	}{
		"before":                    {code: report.ExitUnreachable},
		"at the question":           {ask: true, code: report.ExitUnreachable},
		"when all is locked":        {when: func(e report.Event) bool { return e.Type == "round" && e.Round == 1 }, code: report.ExitUnknown},
		"in a change":               {when: func(e report.Event) bool { return e.Type == "change" && e.Host == "worker-1" && e.State == "start" }, code: report.ExitUnknown},
		"when it is observed again": {when: func(e report.Event) bool { return e.Type == "observe" && e.Host == "worker-1" && e.State == "start" }, third: true, code: report.ExitUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, layout{agents: 2})
			s.converge()
			s.connectTimeout("8s")
			before := tokens(t, s, "worker-1")
			s.drifted()
			away := s.hosts[1]
			a := s.attempt()
			a.SkipUnreachable = true
			seen := 0
			gone := c.when == nil && !c.ask
			if gone {
				away.Unplug()
			}
			a.Confirm = func(context.Context, *report.Plan, bool) (bool, error) {
				if c.ask && !gone {
					gone = true
					away.Unplug()
				}
				return true, nil
			}
			a.on = func(e report.Event) {
				if c.when == nil || gone || !c.when(e) {
					return
				}
				if seen++; !c.third || seen == 3 {
					gone = true
					away.Unplug()
				}
			}
			result, err := a.apply()
			if !isCode(err, c.code) || len(report.Errors(err)) != 1 || report.Errors(err)[0].Host != "worker-1" {
				t.Fatalf("%s\n%s", explain(err), a.story())
			}
			if len(result.Unreachable) != 1 || result.Unreachable[0].Host != "worker-1" {
				t.Errorf("left out: %+v", result.Unreachable)
			}
			for _, h := range []*remotetest.Host{s.server, s.hosts[2]} {
				path := agentRoot
				if h == s.server {
					path = "/var/lib/provision/prefect/server/caddy/Caddyfile"
				}
				if _, err := h.Stat(path); err != nil {
					t.Errorf("%s is not healed: %v\n%s", h.Name(), err, a.story())
				}
			}
			for path, text := range before {
				if now, err := s.server.ReadFile(path); err != nil || string(now) != text {
					t.Errorf("%s is not what it was: %v", path, err)
				}
			}
			// It is back: the next apply does what is left, and nothing else.
			if err := away.Plug(); err != nil {
				t.Fatal(err)
			}
			s.converge()
		})
	}
}

// TestSkipUnreachableAtBirth: the stack is not born while a host cannot be asked whether it belongs to
// one: the server's address may be wrong.
func TestSkipUnreachableAtBirth(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1})
	s.hosts[1].Unplug()
	a := s.attempt()
	a.SkipUnreachable = true
	if _, err := a.apply(); !isCode(err, report.ExitData) || !strings.Contains(explain(err), "worker-1") || !strings.Contains(explain(err), "--new-data") {
		t.Fatalf("%s", explain(err))
	}
	if n := len(s.server.Containers()); n > 0 {
		t.Errorf("%d containers on the server", n)
	}
	a = s.attempt()
	a.SkipUnreachable, a.Options["new-data"] = true, true
	if _, err := a.apply(); !isCode(err, report.ExitUnreachable) {
		t.Fatalf("%s", explain(err))
	}
	if err := s.hosts[1].Plug(); err != nil {
		t.Fatal(err)
	}
	s.converge()
}

// TestSavedWithout: a plan that was kept without a host is carried out without it, and any other host
// that cannot be reached by then ends it before anything is changed.
func TestSavedWithout(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 2})
	s.converge()
	s.connectTimeout("8s")
	s.drifted()
	s.hosts[1].Unplug()
	a := s.attempt()
	a.SkipUnreachable = true
	shown, facts, err := a.Plan(a.ctx)
	if err != nil {
		t.Fatal(explain(err))
	}
	path := filepath.Join(t.TempDir(), "change.plan")
	if err := a.Keep(shown, facts).Write(path); err != nil {
		t.Fatal(err)
	}
	a.end()
	carry := func() error {
		saved, err := plan.ReadSaved(path)
		if err != nil {
			t.Fatal(err)
		}
		a := s.attempt()
		a.Saved, a.Options = saved, saved.Options
		_, err = a.apply()
		return err
	}
	s.hosts[2].Unplug()
	if err := carry(); !isCode(err, report.ExitUnreachable) {
		t.Fatal(explain(err))
	}
	if _, err := s.server.Stat("/var/lib/provision/prefect/server/caddy/Caddyfile"); err == nil {
		t.Error("something was changed although a host of the plan is away")
	}
	for _, h := range s.hosts[1:] {
		if err := h.Plug(); err != nil {
			t.Fatal(err)
		}
	}
	if err := carry(); !isCode(err, report.ExitUnreachable) || !strings.Contains(explain(err), "when the plan was made") {
		t.Fatal(explain(err))
	}
	if _, err := s.hosts[1].Stat(agentRoot); err == nil {
		t.Error("the host that was left out was changed")
	}
	if _, err := s.hosts[2].Stat(agentRoot); err != nil {
		t.Error(err)
	}
	s.converge()
}

// TestSkipUnreachableDroplet: nothing of the account that is there for an unreachable droplet is changed.
func TestSkipUnreachableDroplet(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, declared)
	p.converge("prefect", "worker-1", "worker-2")
	before := p.droplet("worker-1")
	p.host("worker-1").Unplug()
	p.host("worker-2").Remove(agentRoot)
	p.declare(strings.Replace(declared, "count = 2", "count = 2\nsize = \"s-4vcpu-8gb\"", 1))
	a := p.attempt()
	a.SkipUnreachable, a.Options["resize"] = true, true
	_, err := a.apply()
	if !isCode(err, report.ExitUnreachable) {
		t.Fatal(explain(err))
	}
	if now := p.droplet("worker-1"); now.ID != before.ID || now.Status != before.Status || now.Size != before.Size {
		t.Errorf("%+v, was %+v", now, before)
	}
	if _, err := p.host("worker-2").Stat(agentRoot); err != nil {
		t.Error(err)
	}
}
