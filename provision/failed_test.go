package provision_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// Compose fails before it replaces a container: the old one is well, and that is no success.
func TestComposeFails(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{stack: "[prefect]\nsettings = { PREFECT_LOGGING_LEVEL = \"INFO\" }\n"})
	s.converge()
	s.write(strings.TrimSuffix(s.inventory, "onprem.toml")+"stack.toml", "[prefect]\nsettings = { PREFECT_LOGGING_LEVEL = \"DEBUG\" }\n")
	s.server.Fail(remotetest.Failure{Match: "^docker compose .*up .*server$", Nth: -1, Code: 1, Stderr: "Error response from daemon: no space left on device\n"})
	_, err := s.attempt().apply()
	errs := report.Errors(err)
	if len(errs) == 0 || errs[0].Code != report.ExitStep || errs[0].Step != "container prefect-server" || errs[0].Cause != "docker compose failed with exit code 1: Error response from daemon: no space left on device" {
		t.Errorf("%s", explain(err))
	}
	tried := 0
	for _, c := range s.server.Ran("docker compose") {
		if strings.HasSuffix(c, " server") {
			tried++
		}
	}
	if tried != 2 { // the first apply, and this one
		t.Errorf("compose was called %d times", tried)
	}
}

// What --limit leaves out can also be what others cannot be judged without.
func TestLimitWithoutTheEngineElsewhere(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	s.server.StopUnit("docker")
	sh(t, s, agentHost, "docker rm -f prefect-agent")
	a := s.attempt()
	a.Limit = []string{s.hosts[agentHost].Name()}
	_, err := a.apply()
	if errs := report.Errors(err); len(errs) != 1 || errs[0].Code != report.ExitUsage || !strings.Contains(errs[0].Cause, "on prefect first, which --limit leaves out") {
		t.Errorf("%s", explain(err))
	}
}

// A foreign engine that does not answer is started and judged; nothing is installed over it.
func TestAStoppedEngineOfOthers(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{host: func(_ string, o *remotetest.HostOptions) { o.Docker = "old" }})
	s.server.StopUnit("docker")
	_, err := s.attempt().apply()
	if code := report.ExitCode(err); code != report.ExitPreflight || !strings.Contains(explain(err), "is too old") {
		t.Errorf("%s", explain(err))
	}
	if ran := slices.DeleteFunc(s.server.Ran("apt"), func(c string) bool { return !strings.Contains(c, "install") }); len(ran) > 0 {
		t.Errorf("%q", ran)
	}
}

// Docker 23 has no start_interval, and Compose refuses it there: the checks are less often at the start, and that is all.
func TestStartIntervalOfAnOldEngine(t *testing.T) {
	t.Parallel()
	for engine, want := range map[string]time.Duration{"23": 0, "running": time.Second} {
		s := arrange(t, layout{host: func(_ string, o *remotetest.HostOptions) { o.Docker = engine }})
		s.converge()
		for _, c := range s.server.Containers() {
			if got := c.Config.Healthcheck.StartInterval; c.Name == "/prefect-postgres" && got != want {
				t.Errorf("Docker %s: %s", engine, got)
			}
		}
		s.unchanged()
	}
}

// A host that cannot be locked is not one that somebody works on.
func TestNoPlaceForTheLock(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	s.server.Fail(remotetest.Failure{Match: "^mkdir -p /var/lib/provision$", Nth: -1, Code: 1, Stderr: "mkdir: cannot create directory '/var/lib/provision': Read-only file system\n"})
	_, err := s.attempt().apply()
	if !isCode(err, report.ExitStep) || !strings.Contains(explain(err), "Read-only file system") {
		t.Errorf("%s", explain(err))
	}
}

// Host keys that cannot be read are no question of the network.
func TestUnreadableKnownHosts(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	file := strings.TrimSuffix(s.inventory, "onprem.toml") + "known_hosts"
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := s.attempt().plan()
	if !isCode(err, report.ExitHostKey) || !strings.Contains(explain(err), file) {
		t.Errorf("%s", explain(err))
	}
}
