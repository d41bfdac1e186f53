package provision_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// edit replaces text in the inventory.
func (s *site) edit(old, new string) {
	s.t.Helper()
	text, err := os.ReadFile(s.inventory)
	if err != nil || !strings.Contains(string(text), old) {
		s.t.Fatalf("the inventory has no %q (%v)", old, err)
	}
	s.write(s.inventory, strings.Replace(string(text), old, new, 1))
}

// cut takes a host's table out of the inventory, the last one.
func (s *site) cut(host string) (table string) {
	s.t.Helper()
	text, err := os.ReadFile(s.inventory)
	at := strings.Index(string(text), "\n[hosts."+host+"]")
	if err != nil || at < 0 {
		s.t.Fatalf("the inventory has no %s (%v)", host, err)
	}
	table = string(text[at:])
	s.write(s.inventory, string(text[:at]))
	return table
}

func lines(p *report.Plan) (out []string) {
	for _, c := range p.Changes {
		out = append(out, c.Host+" "+c.Act+" "+c.Step)
	}
	return out
}

// refused wants exit code 40 with these words, and nothing done.
func (s *site) refused(words ...string) {
	s.t.Helper()
	s.refusedWith(report.ExitData, words...)
}

// refusedWith wants this exit code.
func (s *site) refusedWith(code int, words ...string) {
	s.t.Helper()
	result, err := s.attempt().apply()
	if report.ExitCode(err) != code || len(result.Outcomes) > 0 {
		s.t.Fatalf("exit %d with %d changes made:\n%s", report.ExitCode(err), len(result.Outcomes), explain(err))
	}
	for _, w := range words {
		if !strings.Contains(explain(err), w) {
			s.t.Fatalf("not said: %q in\n%s", w, explain(err))
		}
	}
}

func paths(h *remotetest.Host, dir string) string {
	var out []string
	for _, f := range h.Files(dir) {
		if !f.IsDir() {
			out = append(out, f.Path)
		}
	}
	return strings.Join(out, "\n")
}

// TestRemovedAgentHost takes an agent host out of the inventory: its tokens are gone from the
// server, and the plan says that what is on the host stays. Put back with no roles, it is cleaned.
func TestRemovedAgentHost(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 2})
	worker := s.hosts[2]
	blank := paths(worker, "/")
	s.converge()
	neighbour(t, worker)
	table := s.cut("worker-2")

	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	all := announced(p)
	for _, c := range p.Changes {
		if c.Host != "prefect" && c.Host != "worker-1" {
			t.Errorf("a change on %s", c.Host)
		}
	}
	if !strings.Contains(all, "prefect remove tokens of worker-2: it is no agent host") || !strings.Contains(all, "prefect change file /var/lib/provision/prefect/server/caddy/Caddyfile") {
		t.Errorf("the plan is:\n%s", all)
	}
	for _, c := range p.Changes {
		if c.Step == "tokens of worker-2" && !strings.Contains(c.Note, "roles = []") {
			t.Errorf("the note is %q", c.Note)
		}
	}
	s.converge()
	if got := paths(s.server, "/var/lib/provision"); strings.Contains(got, "worker-2") {
		t.Errorf("left on the server:\n%s", got)
	}
	if got := paths(worker, "/var/lib/provision"); !strings.Contains(got, "agent/compose.yaml") {
		t.Errorf("the host that is no longer named was changed:\n%s", got)
	}

	text, err := os.ReadFile(s.inventory)
	if err != nil {
		t.Fatal(err)
	}
	s.write(s.inventory, string(text)+strings.Replace(table, `roles = ["agent"]`, "roles = []", 1))
	if p, err = s.attempt().plan(); err != nil {
		t.Fatal(explain(err))
	}
	want := "worker-2 remove container prefect-agent\nworker-2 remove container prefect-business-logic\nworker-2 remove network prefect-agent-network"
	if got := strings.Join(lines(p), "\n"); !strings.HasPrefix(got, want) {
		t.Errorf("the plan to clean it is:\n%s", got)
	}
	s.converge()
	if got := paths(worker, "/var/lib/provision"); strings.Contains(got, "/var/lib/provision/prefect") {
		t.Errorf("left behind:\n%s", got)
	}
	untouched(t, worker)
	// Whatever is on it now and was not there before is known: what a kind of resource makes, it has removed by Leftovers, or it is named here.
	for path := range strings.Lines(paths(worker, "/")) {
		path = strings.TrimSpace(path)
		if !strings.Contains(blank+"\n", path+"\n") && !slices.ContainsFunc(staysClean, func(r *regexp.Regexp) bool { return r.MatchString(path) }) {
			t.Errorf("left behind: %s", path)
		}
	}
}

// staysClean are the files that may stay on a host without the stack: Docker, its packages and its data, and locks, which belong to no stack.
var staysClean = []*regexp.Regexp{
	regexp.MustCompile(`^/etc/docker/daemon\.json$|^/run/docker\.sock$|^/usr/s?bin/(containerd|docker|dockerd)$|^/var/lib/docker/`),
	regexp.MustCompile(`^/var/lib/provision/(engine|lock)$`),
	regexp.MustCompile(`^/var/lib/provision\.conf$`), // the neighbour's
}

// neighbour plants foreign things on a host, and untouched wants them as they were.
func neighbour(t *testing.T, h *remotetest.Host) {
	t.Helper()
	if err := h.WriteFile("/var/lib/provision.conf", "somebody's\n", 0o600); err != nil {
		t.Fatal(err)
	}
}

func untouched(t *testing.T, h *remotetest.Host) {
	t.Helper()
	if text, err := h.ReadFile("/var/lib/provision.conf"); err != nil || string(text) != "somebody's\n" {
		t.Errorf("the neighbour's file: %q %v", text, err)
	}
}

// TestCleanedServerKeepsItsData moves the server role: refused as long as the data is elsewhere;
// with new data by name the old host is cleaned, but for the volumes and the key that reads them.
func TestCleanedServerKeepsItsData(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	s.edit(`roles = ["server"]`, `roles = []`)
	s.edit(`roles = ["agent"]`, `roles = ["server", "agent"]`)
	s.refused("worker-1", "prefect has it (volume prefect-postgres)", "--new-data")

	s.edit("[hosts.prefect]", "[hosts.elsewhere]")
	s.edit(`roles = []`, `roles = ["agent"]`)
	s.refused("worker-1", "a moved server, or a wrong address")
	s.edit("[hosts.elsewhere]", "[hosts.prefect]")
	s.edit(`roles = ["agent"]`, `roles = []`)

	a := s.attempt()
	a.Options["new-data"] = true
	if _, err := a.apply(); err != nil {
		t.Fatal(explain(err))
	}
	s.unchanged()
	if got := paths(s.server, "/var/lib/provision/prefect"); !strings.Contains(got, "/server/secrets/server/encryption_key") || strings.Contains(got, "tokens") {
		t.Errorf("on the old server are left:\n%s", got)
	}
	if v := s.server.Volumes(); !slices.Contains(v, "prefect-postgres") {
		t.Errorf("volumes on the old server: %s", v)
	}
}

// TestCleanedServerWithoutItsEngine cleans a host whose Docker was removed: its volumes, and so the key, stay.
func TestCleanedServerWithoutItsEngine(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	key := base + "/server/secrets/server/encryption_key"
	before, err := s.server.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	s.edit(`roles = ["server"]`, `roles = []`)
	s.edit(`roles = ["agent"]`, `roles = ["server", "agent"]`)
	sh(t, s, 0, "systemctl stop docker; rm -f $(command -v docker) /usr/bin/docker /var/run/docker.sock /run/docker.sock; ! command -v docker")
	a := s.attempt()
	a.Options["new-data"] = true
	if _, err := a.apply(); err != nil {
		t.Fatal(explain(err))
	}
	if after, err := s.server.ReadFile(key); err != nil || string(after) != string(before) {
		t.Errorf("the key is %q: %v", after, err)
	}
	if got := paths(s.server, base); strings.Contains(got, "tokens") {
		t.Errorf("left on the old server:\n%s", got)
	}
}

// TestServerThatWasAnAgent is an inventory whose server host got its id from another server.
func TestServerThatWasAnAgent(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	text, err := os.ReadFile(s.inventory)
	if err != nil {
		t.Fatal(err)
	}
	from, to := strings.Index(string(text), "\n[hosts.prefect]"), strings.Index(string(text), "\n[hosts.worker-1]")
	s.write(s.inventory, strings.Replace(string(text[:from])+string(text[to:]), `["agent"]`, `["server", "agent"]`, 1))
	s.refused("worker-1", "was an agent of the stack")

	a := s.attempt()
	a.Options["new-data"] = true
	if _, err := a.apply(); err != nil {
		t.Fatal(explain(err))
	}
	s.unchanged()
}

// TestWrongServer is an inventory whose server's address is that of another host. Docker that is
// stopped there says nothing about its data.
func TestWrongServer(t *testing.T) {
	t.Parallel()
	s := arrange(t, split)
	s.converge()
	dir := filepath.Dir(s.inventory)
	right, err := os.ReadFile(s.inventory)
	if err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile(filepath.Join(dir, "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, docker := range []string{"", "stopped", "running"} {
		other, err := s.fleet.Host("other"+docker, remotetest.HostOptions{Docker: docker})
		if err != nil {
			t.Fatal(err)
		}
		s.write(filepath.Join(dir, "known_hosts"), fmt.Sprintf("%s[127.0.0.1]:%d %s\n", known, other.Port(), other.HostKey()))
		s.write(s.inventory, string(right))
		s.edit(fmt.Sprintf("port = %d", s.server.Port()), fmt.Sprintf("port = %d", other.Port()))
		for _, limit := range [][]string{nil, {"prefect"}} {
			a := s.attempt()
			a.Limit = limit
			result, err := a.apply()
			if report.ExitCode(err) != report.ExitData || len(result.Outcomes) > 0 {
				t.Errorf("Docker %q, limit %q: %d changes made\n%s", docker, limit, len(result.Outcomes), explain(err))
			}
			if docker == "stopped" && !strings.Contains(explain(err), "hint: start Docker there first") {
				t.Errorf("limit %q:\n%s", limit, explain(err))
			}
			if got := paths(other, "/var/lib/provision"); got != "" {
				t.Errorf("Docker %q, limit %q: on the host are\n%s", docker, limit, got)
			}
		}
	}
}

// TestRoleTakenFromASingleHost leaves the server alone on a host that was both.
func TestRoleTakenFromASingleHost(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, top: "url = \"https://prefect.demo.test\"\n"})
	s.edit(`roles = ["server"]`, `roles = ["server", "agent"]`)
	s.converge()
	s.edit(`roles = ["server", "agent"]`, `roles = ["server"]`)
	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	if all := announced(p); !strings.Contains(all, "prefect remove container prefect-agent:") || !strings.Contains(all, "prefect remove network prefect-agent-network") {
		t.Errorf("the plan is:\n%s", all)
	}
	s.converge()
	if got := paths(s.server, "/var/lib/provision/prefect/agent"); got != "" {
		t.Errorf("left behind:\n%s", got)
	}
}
