//go:build linux && e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"provision/e2e/lab"
)

// testSplit takes two blank hosts to a verified stack, sees that a second apply changes nothing,
// replaces the hello project by flows of the user's own, and looks at the result in a browser.
func testSplit(t *testing.T) {
	s, hosts := newSite(t, "e2e-split", gen2, gen2.split.hosts...)
	server, worker := hosts[0], hosts[1]
	for _, h := range hosts {
		s.want(h, "command -v docker python3 || echo blank", "blank")
	}

	first := s.apply()
	if len(first.Report.Outcomes) < 30 {
		t.Errorf("a first apply of %d changes", len(first.Report.Outcomes))
	}
	s.fetched(first.events)
	s.hardened(server, 3)
	s.hardened(worker, 2)
	s.want(server, "docker network ls --format '{{.Name}}' --filter label=provision.stack | sort | xargs", "prefect-database-network prefect-server-network")
	s.want(worker, "docker network ls --format '{{.Name}}' --filter label=provision.stack", "prefect-agent-network")
	s.want(server, "docker exec prefect-server sh -c 'touch /var/lib/prefect/x && rm /var/lib/prefect/x && echo writable'", "writable")
	s.want(server, "find /var/lib/provision -path '*/secrets/*' -type f -perm /077", "")
	s.want(server, "ls -A /var/tmp | grep provision || true", "")

	_, progress := s.provision(0, "verify", "--smoke")
	s.contains(progress, "Completed in container business-logic-worker-1")
	if got := s.query(server, "select count(*) from flow_run where state_type = 'COMPLETED'"); got == "0" {
		t.Error("no completed run in the database")
	}
	s.again(2)

	status, _ := s.provision(0, "status")
	for _, c := range []string{"prefect-postgres", "prefect-server", "prefect-caddy", "prefect-agent", "prefect-business-logic"} {
		s.contains(status, c)
	}

	s.backedUp(server, 2)
	s.browser(server)
	s.registers(worker)

	// The user's own flows: the server is left alone.
	flows, err := filepath.Abs("testdata/flows")
	if err != nil {
		t.Fatal(err)
	}
	before := s.on(server, "docker ps -q | sort | xargs")
	stack := filepath.Join(filepath.Dir(s.inventory), "stack.toml")
	text, err := os.ReadFile(stack)
	if err != nil {
		t.Fatal(err)
	}
	own := `
[business_logic]
path = "` + flows + `"

[[deployments]]
flow = "desk/report.py:report"
name = "nightly"
schedule = { cron = "0 6 * * *", timezone = "Europe/Berlin" }
parameters = { rows = 3 }

[[deployments]]
flow = "desk/ping.py:ping"
name = "default"
`
	if err := os.WriteFile(stack, append(text, own...), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, _ := s.provision(2, "plan", "--detailed-exitcode")
	if strings.Contains(plan, "prefect-server") || strings.Contains(plan, "prefect-caddy") {
		t.Errorf("other flows change the server:\n%s", plan)
	}
	s.apply()
	s.want(server, "docker ps -q | sort | xargs", before)
	if got := s.query(server, "select string_agg(f.name || '/' || d.name, ' ' order by f.name) from deployment d join flow f on f.id = d.flow_id"); got != "ping/default provision-smoke/worker-1 report/nightly" {
		t.Errorf("registered: %s", got)
	}
	s.scheduled(server)
	s.run(server, "report", "nightly")
	s.run(server, "ping", "default")
	if got := s.query(server, "select message from log where message like 'table of%'"); got != "table of 3 rows by tabulate on business-logic-worker-1" {
		t.Errorf("the flow logged %q", got)
	}
	s.again(2)

	// A flow that cannot be imported: the registration says which and why, and prunes nothing.
	broken := t.TempDir()
	if err := os.CopyFS(broken, os.DirFS(flows)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "desk", "ping.py"), []byte("import nothing_of_this_name\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.edit("stack.toml", flows, broken)
	_, said := s.provision(20, "apply", "--yes")
	s.contains(said, "nothing_of_this_name")
	s.contains(said, "desk/ping.py:ping")
	if got := s.query(server, "select count(*) from deployment"); got != "3" {
		t.Errorf("%s deployments are left", got)
	}
	s.edit("stack.toml", broken, flows)
	s.apply()
	s.scheduled(server)
	s.provision(0, "verify")
	s.stage("retention", func(s *site) { s.retained2(server) })

	s.exposed(server, 22, 80, 443)
	s.exposed(worker, 22)
}

// retained2 makes a run old, and wants it deleted with all that belongs to it, and nothing younger, by a container that is there for that alone.
func (s *site) retained2(server *lab.Host) {
	const of = "flow_id = (select id from flow where name = 'report') and state_type = 'COMPLETED'"
	old := s.query(server, "update flow_run set end_time = end_time - interval '91 days', start_time = start_time - interval '91 days' where id = (select id from flow_run where "+of+" limit 1) returning id")
	if got := s.query(server, "select count(*) > 0 from log where flow_run_id = '"+old+"'"); got != "t" {
		s.Fatalf("the run %q has said nothing", old)
	}
	young := "select string_agg(id::text, ' ' order by id) from flow_run where end_time > now() - interval '90 days'"
	before := s.query(server, young)
	onServer := s.containers(server)
	s.add("stack.toml", "\n[retention]\nruns = \"90d\"\n")
	s.apply()
	s.onlyReplaced(server, onServer, "prefect-retention")
	s.hardened(server, 4)
	for _, table := range []string{"flow_run where id", "flow_run_state where flow_run_id", "task_run where flow_run_id", "log where flow_run_id", "artifact where flow_run_id"} {
		s.until("none is left: "+table, 2*time.Minute, func() bool {
			return s.query(server, "select count(*) from "+table+" = '"+old+"'") == "0"
		})
	}
	s.want(server, "docker logs prefect-retention 2>&1 | grep -c 'deleted 1 flow runs'", "1")
	if got := s.query(server, young); got != before {
		s.Errorf("younger runs are %q, were %q", got, before)
	}
	s.again(2)
	s.edit("stack.toml", "\n[retention]\nruns = \"90d\"\n", "")
	s.apply()
	s.running(server, "prefect-caddy", "prefect-postgres", "prefect-server")
	s.again(2)
}

// scheduled wants the one schedule of the stack file, once and as it is there, and runs planned by it.
func (s *site) scheduled(server *lab.Host) {
	s.Helper()
	const schedules = `select f.name || '/' || d.name, c.schedule->>'cron', c.schedule->>'timezone', c.active, d.paused from deployment_schedule c join deployment d on d.id = c.deployment_id join flow f on f.id = d.flow_id`
	if got, want := s.query(server, schedules), "report/nightly|0 6 * * *|Europe/Berlin|t|f"; got != want {
		s.Errorf("schedules: %q, want %q", got, want)
	}
	const planned = `select f.name, to_char(r.next_scheduled_start_time at time zone 'Europe/Berlin', 'HH24:MI') from flow_run r join flow f on f.id = r.flow_id where r.auto_scheduled group by 1, 2`
	s.until("runs are planned by the schedule alone, all for 06:00 in Berlin", 5*time.Minute, func() bool { return s.query(server, planned) == "report|06:00" })
}

// fetched wants it told while images come how many bytes of how many are there, and how many a build
// has fetched: on each host a pull of more than 100 MB (Python's or PostgreSQL's image), and a build
// that installs Prefect.
func (s *site) fetched(events []string) {
	s.Helper()
	pulled, built := map[string]int64{}, map[string]int64{}
	for _, line := range events {
		var e struct {
			Host, Step string
			Progress   *struct {
				What, Unit         string
				Done, Total, Bytes int64
			}
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.Fatalf("%v: %s", err, line)
		}
		switch p := e.Progress; {
		case p == nil:
		case p.What == "pull" && p.Unit == "bytes" && p.Done == p.Total:
			pulled[e.Host] = max(pulled[e.Host], p.Total)
		case p.What == "build":
			built[e.Host] = max(built[e.Host], p.Bytes)
		}
	}
	for _, h := range []string{"prefect", "worker-1"} {
		s.Logf("%s: %d bytes of an image pulled, %d fetched by a build", h, pulled[h], built[h])
		if pulled[h] < 100e6 || built[h] < 50e6 {
			s.Errorf("%s: %d bytes of an image pulled, %d fetched by a build", h, pulled[h], built[h])
		}
	}
}
