package provision_test

import (
	"strings"
	"testing"

	"provision/provision/report"
	"provision/remote/remotetest"
)

const caddyfilePath = base + "/server/caddy/Caddyfile"

// loadedCaddyfile is the file, with the moment of its last change, and the reloads that were asked for.
func loadedCaddyfile(t *testing.T, s *site) (text, at string, reloads int) {
	t.Helper()
	content, err := s.server.ReadFile(caddyfilePath)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.server.Stat(caddyfilePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(content), info.Time.String(), len(s.server.Ran("caddy reload"))
}

// TestCaddyRefuses has the image that runs Caddy refuse the new Caddyfile: the old one stays, and
// nothing is reloaded.
func TestCaddyRefuses(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, stack: "[ui]\nuser = \"ann\"\n"})
	s.converge()
	text, at, reloads := loadedCaddyfile(t, s)
	s.stack("[ui]\nuser = \"bob\"\n")
	s.server.Fail(remotetest.Failure{Match: "^docker run .* caddy validate ", Nth: -1, Code: 1, Stderr: "Error: adapting config using caddyfile: Caddyfile:7: unrecognized directive: no\x1bsuch\n"})
	a := s.attempt()
	_, err := a.apply()
	errs := report.Errors(err)
	if len(errs) != 1 || errs[0].Code != report.ExitStep || errs[0].Host != "prefect" || errs[0].Step != "file "+caddyfilePath ||
		errs[0].Cause != "Caddy refuses the new Caddyfile; the old one stays" || !strings.Contains(errs[0].Evidence, "Caddyfile:7: unrecognized directive") {
		t.Errorf("%s", explain(err))
	}
	harmless(t, a, err)
	if now, when, n := loadedCaddyfile(t, s); now != text || when != at || n != reloads {
		t.Errorf("%d reloads; the file of %s was written at %s:\n%s", n-reloads, at, when, now)
	}
	for _, f := range s.server.Files(base + "/server/caddy") {
		if strings.Contains(f.Path, ".provision.out") {
			t.Errorf("%s is left", f.Path)
		}
	}
	s.stack("[ui]\nuser = \"ann\"\n")
	s.unchanged()
}

// TestCaddyKeepsTheOld has a reload say success while the old configuration stays loaded.
func TestCaddyKeepsTheOld(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, stack: "[ui]\nuser = \"ann\"\n"})
	s.converge()
	s.stack("[ui]\nuser = \"bob\"\n")
	s.server.Fail(remotetest.Failure{Match: "^docker exec prefect-caddy caddy reload ", Stderr: "reloaded\n"})
	_, err := s.attempt().apply()
	errs := report.Errors(err)
	if len(errs) != 1 || errs[0].Code != report.ExitStep || errs[0].Host != "prefect" || errs[0].Step != "caddy configuration" ||
		!strings.HasPrefix(errs[0].Cause, "Caddy answers with another configuration after its reload: ") {
		t.Errorf("%s", explain(err))
	}
	plan, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	if got, want := announced(plan), "prefect reload caddy configuration: Caddy runs with another configuration than the file has\n"; got != want {
		t.Errorf("the plan after it is\n%s", got)
	}
	s.converge()
}
