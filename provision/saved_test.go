package provision_test

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"provision/provision/plan"
	"provision/provision/report"
	"provision/remote/remotetest"
)

// keep makes a plan and writes it to a file, and reads it back.
func (s *site) keep() (path string) {
	s.t.Helper()
	a := s.attempt()
	defer a.end()
	plan, facts, err := a.Plan(a.ctx)
	if err != nil {
		s.t.Fatalf("plan: %s", explain(err))
	}
	path = filepath.Join(filepath.Dir(s.inventory), "change.plan")
	if err := a.Keep(plan, facts).Write(path); err != nil {
		s.t.Fatalf("%v", err)
	}
	return path
}

// carryOut applies a plan that was kept.
func (s *site) carryOut(path string) (*report.Report, error) {
	s.t.Helper()
	saved, err := plan.ReadSaved(path)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	a := s.attempt()
	a.Saved, a.Limit, a.Options = saved, saved.Limit, saved.Options
	a.Confirm = nil
	return a.apply()
}

const caddyfile = "/var/lib/provision/prefect/server/caddy/Caddyfile"

// TestKeptPlan carries out a plan of a first installation from its file, and one that does nothing.
func TestKeptPlan(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	path := s.keep()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v %v", info, err)
	}
	if _, err := s.carryOut(path); err != nil {
		t.Fatal(explain(err))
	}
	s.unchanged()
	if _, err := s.carryOut(path); report.ExitCode(err) != report.ExitStale {
		t.Errorf("carried out twice: %s", explain(err))
	}
	if result, err := s.carryOut(s.keep()); err != nil || len(result.Outcomes) > 0 {
		t.Errorf("an empty plan: %+v %s", result, explain(err))
	}
	for _, h := range s.hosts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range h.Files("/var/lib/provision/prefect") {
			if value, err := h.ReadFile(f.Path); err == nil && strings.Contains(f.Path, "/secrets/") && len(value) > 20 && strings.Contains(string(text), string(value)) {
				t.Errorf("the plan holds the content of %s", f.Path)
			}
		}
	}
}

// TestStalePlan changes a byte somewhere between plan and apply: refused, named, and nothing done.
func TestStalePlan(t *testing.T) {
	t.Parallel()
	stack := "[agent]\nconcurrency = 3\n"
	s := arrange(t, layout{agents: 1, stack: "[agent]\nconcurrency = 4\n"})
	s.converge()
	file := filepath.Join(filepath.Dir(s.inventory), "stack.toml")
	for _, tt := range []struct {
		name   string
		change func()
		want   string
	}{
		{"a byte of a file that the plan leaves alone", func() {
			text, err := s.server.ReadFile(caddyfile)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.server.WriteFile(caddyfile, string(text)+"#", 0o644); err != nil {
				t.Fatal(err)
			}
		}, "file " + caddyfile},
		{"a byte of a file that the plan changes", func() {
			if err := s.hosts[1].WriteFile("/var/lib/provision/prefect/agent/compose.yaml", "x", 0o644); err != nil {
				t.Fatal(err)
			}
		}, "file /var/lib/provision/prefect/agent/compose.yaml"},
		{"a secret", func() {
			if err := s.hosts[1].WriteFile("/var/lib/provision/prefect/agent/secrets/agent/poll_token", "another", 0o400); err != nil {
				t.Fatal(err)
			}
		}, "poll_token"},
		{"a deployment", func() { s.server.DeleteDeployment("hello/default") }, "prefect state"},
		{"the stack", func() { s.write(file, "[agent]\nconcurrency = 5\n") }, "the stack"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.write(file, stack)
			path := s.keep()
			tt.change()
			result, err := s.carryOut(path)
			if report.ExitCode(err) != report.ExitStale || len(result.Outcomes) > 0 || !strings.Contains(explain(err), tt.want) {
				t.Errorf("exit %d, %d changes made, want %q in:\n%s", report.ExitCode(err), len(result.Outcomes), tt.want, explain(err))
			}
			s.write(file, "[agent]\nconcurrency = 4\n")
			s.converge()
		})
	}
}

// TestKeptPlanOutlivesBackups: what a stack does by itself, at night or while the plan is made, changes nothing that a plan was made for.
func TestKeptPlanOutlivesBackups(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1})
	s.converge()
	for _, before := range []string{"the first backup", "another backup"} {
		path := s.keep()
		s.backup()
		if _, err := s.carryOut(path); err != nil {
			t.Errorf("%s: %s", before, explain(err))
		}
	}
	// Each step of a backup is a container of the stack while it lasts.
	var during string
	s.fleet.InContainer(func(c remotetest.Call) (int, bool) {
		if path.Base(c.Argv[0]) == "backup-dump" && during == "" {
			during = s.keep()
		}
		return 0, false
	})
	s.backup()
	if during == "" {
		t.Fatal("no plan was made while the backup was")
	}
	if _, err := s.carryOut(during); err != nil {
		t.Errorf("made during a backup: %s", explain(err))
	}
}

// TestReadPlan refuses what is no plan.
func TestReadPlan(t *testing.T) {
	dir := t.TempDir()
	newer, err := json.Marshal(map[string]any{"version": 2, "desired": "x", "facts": nil, "changes": nil})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"empty": "", "text": "hello", "newer": string(newer), "other": `{"version": 1, "desired": "x", "program": "rm"}`} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := plan.ReadSaved(path); report.ExitCode(err) != report.ExitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "nowhere"), dir} {
		if _, err := plan.ReadSaved(path); report.ExitCode(err) != report.ExitUsage {
			t.Errorf("%s: %v", path, err)
		}
	}
}
