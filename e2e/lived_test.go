//go:build linux && e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"provision/e2e/lab"
)

// testLived gives a split stack that runs flows of its own and then lives with it: small changes, damage, an agent replaced
// under a running flow, a power cycle.
func testLived(t *testing.T) {
	s, hosts := keptSite(t, "e2e-lived", gen3)
	server, worker := hosts[0], hosts[1]
	flows := s.project()
	s.add("stack.toml", `
[ui]
user = "admin"

[agent]
concurrency = 10

[business_logic]
path = "`+flows+`"
stop_grace = "1m"

[[deployments]]
flow = "desk/ping.py:ping"
name = "default"

[[deployments]]
flow = "desk/patient.py:patient"
name = "default"
`)
	s.apply()
	s.healthy(server, "prefect-postgres", "prefect-server", "prefect-caddy")
	s.healthy(worker, "prefect-agent", "prefect-business-logic")

	s.stage("a flow is edited", func(s *site) { s.flowEdited(server, worker, flows) })
	s.stage("a setting of Caddy is changed", func(s *site) { s.caddySetting(server, worker) })
	s.stage("the agent is replaced under a running flow", func(s *site) { s.agentReplaced(server, worker) })
	s.stage("damage is named and healed", func(s *site) { s.damage(server, worker) })
	s.stage("the networks are closed from outside", func(s *site) { s.closedFromOutside(server, worker, 2) })
	s.stage("the hosts are rebooted", func(s *site) { s.rebooted(server, worker) })

	second, err := s.lab.Host(t.Context(), lab.HostOptions{Name: "worker-2", Docker: true, Images: true})
	if err != nil {
		t.Fatal(err)
	}
	s.on(second, neighbours(s.of.python))
	s.stage("mistakes that cost data are refused", func(s *site) { s.mistaken(server, worker, second) })
	s.stage("an agent host is added", func(s *site) { s.grown(server, worker, second) })
	s.stage("an agent host is taken out", func(s *site) { s.shrunk(server, worker, second) })
	s.stage("a host is cleaned", func(s *site) { s.cleaned(server, worker, second) })
}

func (s *site) flowEdited(server, worker *lab.Host, flows string) {
	ping := filepath.Join(flows, "desk", "ping.py")
	if err := os.WriteFile(ping, []byte("from prefect import flow, get_run_logger\n\n\n@flow\ndef ping():\n    get_run_logger().info(\"the second edition\")\n"), 0o644); err != nil {
		s.Fatal(err)
	}
	// One flow is in its middle: it is named, and waited for.
	run := s.begin(server, "patient", "default", "begun", "{}")
	text := s.plans(
		"worker-1: add image prefect-business-logic",
		"worker-1: change file /var/lib/provision/prefect/agent/compose.yaml",
		"worker-1: replace container prefect-business-logic",
		"worker-1: change container prefect-agent", // stopped meanwhile
		"worker-1: change deployments",
		"worker-1: remove image prefect-business-logic", // of the site that was kept: that of the last apply stays
	)
	s.contains(text, "; 1 runs now")
	onServer, onWorker := s.containers(server), s.containers(worker)
	p := s.start("apply", "--yes")
	s.until("business logic waits for its run", 8*time.Minute, func() bool {
		return s.on(worker, "docker logs prefect-business-logic 2>&1 | grep -c 'draining: 1 running, at most 60 s' || true") == "1"
	})
	time.Sleep(5 * time.Second) // of the minute that the run is given
	s.want(worker, "docker inspect --format '{{.Id}} {{.State.Running}}' prefect-business-logic", onWorker["prefect-business-logic"]+" true")
	s.outcome(server, run, "RUNNING", 1)
	s.api(server, "POST", "/variables/", `{"name":"enough","value":"yes"}`)
	if code, said := p.wait(10 * time.Minute); code != 0 {
		s.Fatalf("the apply that waited for a run ended with %d\n%s", code, said)
	}
	s.outcome(server, run, "COMPLETED", 1)
	s.api(server, "DELETE", "/variables/name/enough", "")
	s.onlyReplaced(server, onServer)
	s.onlyReplaced(worker, onWorker, "prefect-business-logic")
	s.run(server, "ping", "default")
	s.until("the new code has spoken", time.Minute, func() bool { // what a run says is sent now and then
		return s.query(server, "select count(*) from log where message = 'the second edition'") == "1"
	})
	s.again(2)
}

// outcome wants a flow run in this state, after it was started so often.
func (s *site) outcome(server *lab.Host, run, state string, starts int) {
	s.Helper()
	if got, want := s.query(server, "select state_type, run_count from flow_run where id = '"+run+"'"), fmt.Sprintf("%s|%d", state, starts); got != want {
		s.Errorf("the run is %q, want %q", got, want)
	}
}

func (s *site) caddySetting(server, worker *lab.Host) {
	password := s.on(server, "cat /var/lib/provision/prefect/server/secrets/login/ui_password")
	if got := s.outside(server).status("GET", "/api/admin/version", login("admin", password)); got != 200 {
		s.Fatalf("the login before: %d", got)
	}
	s.edit("stack.toml", `user = "admin"`, `user = "boss"`)
	s.plans(
		"prefect: change file /var/lib/provision/prefect/server/caddy/Caddyfile",
		"prefect: reload caddy configuration",
	)
	onServer, onWorker := s.containers(server), s.containers(worker)
	since := s.on(server, "docker inspect --format '{{.State.StartedAt}}' prefect-caddy")

	// Carried out from a kept plan, which holds for these facts and no others. What the stack does by itself is none of them: the night's
	// backup, here the first one that there is.
	kept := filepath.Join(filepath.Dir(s.inventory), "change.plan")
	s.provision(0, "plan", "--out", kept)
	s.on(server, "systemctl start provision-backup.service")
	file := "/var/lib/provision/prefect/agent/compose.yaml"
	still := s.untouched(server)
	s.on(worker, "sed -i '1s/^#/%/' "+file)
	_, said := s.provision(16, "apply", kept)
	s.contains(said, "worker-1")
	s.contains(said, file)
	still()
	s.want(worker, "head -c 1 "+file, "%")
	s.on(worker, "sed -i '1s/^%/#/' "+file)
	s.provision(0, "apply", kept)
	s.onlyReplaced(server, onServer)
	s.onlyReplaced(worker, onWorker)
	s.want(server, "docker inspect --format '{{.State.StartedAt}}' prefect-caddy", since)
	for user, want := range map[string]int{"admin": 401, "boss": 200} {
		if got := s.outside(server).status("GET", "/api/admin/version", login(user, password)); got != want {
			s.Errorf("the login of %s: %d, want %d", user, got, want)
		}
	}
}

func (s *site) agentReplaced(server, worker *lab.Host) {
	run := s.begin(server, "patient", "default", "begun", "{}")
	s.edit("stack.toml", "concurrency = 10", "concurrency = 3")
	s.plans(
		"worker-1: change file /var/lib/provision/prefect/agent/compose.yaml",
		"worker-1: replace container prefect-agent",
	)
	onServer, onWorker := s.containers(server), s.containers(worker)
	s.apply()
	s.onlyReplaced(server, onServer)
	s.onlyReplaced(worker, onWorker, "prefect-agent")
	s.contains(s.on(worker, "docker inspect --format '{{.Args}}' prefect-agent"), "--limit 3")
	s.outcome(server, run, "RUNNING", 1) // it was not told to end
	s.api(server, "POST", "/variables/", `{"name":"enough","value":"yes"}`)
	s.ended(server, run)
	s.outcome(server, run, "COMPLETED", 1)
	for _, line := range []string{"begun", "told"} {
		s.until("the run has said once: "+line, time.Minute, func() bool {
			return s.query(server, fmt.Sprintf("select count(*) from log where flow_run_id = '%s' and message = '%s'", run, line)) == "1"
		})
	}
	s.api(server, "DELETE", "/variables/name/enough", "")
}

func (s *site) damage(server, worker *lab.Host) {
	s.api(server, "DELETE", "/deployments/"+s.deployment(server, "ping", "default"), "")
	s.names("worker-1: change deployments: missing in Prefect: desk/ping.py:ping/default")
	// Stopped, Docker tells nothing of the containers: what depends on it is looked at afterwards.
	before := s.containers(worker)
	s.on(worker, "systemctl stop docker docker.socket")
	s.on(server, `docker stop prefect-caddy
docker image rm --force `+s.of.postgres+`
rm /var/lib/provision/prefect/server/secrets/postgres/password
echo '# somebody was here' >>/var/lib/provision/prefect/server/compose.yaml`)
	s.names(
		"worker-1: change docker: the engine does not answer",
		"prefect: add image "+s.of.postgres,
		"prefect: add secret /var/lib/provision/prefect/server/secrets/postgres/password",
		"prefect: change file /var/lib/provision/prefect/server/compose.yaml",
		"prefect: change container prefect-caddy: it is not running (state: exited)",
		"worker-1: deployments: checked after",
	)
	s.provision(2, "verify")
	s.apply()
	s.want(worker, "systemctl is-active docker", "active")
	s.onlyReplaced(worker, before)
	s.healthy(server, "prefect-postgres", "prefect-server", "prefect-caddy")
	s.healthy(worker, "prefect-agent", "prefect-business-logic")
	s.want(server, "docker image inspect --format ok "+s.of.postgres, "ok")
	s.want(server, "stat -c '%u %a %s' /var/lib/provision/prefect/server/secrets/postgres/password", "999 400 64")
	s.want(server, "grep -c 'somebody was here' /var/lib/provision/prefect/server/compose.yaml || true", "0")
	if s.deployment(server, "ping", "default") == "" {
		s.Error("the deployment is not back")
	}
	s.provision(0, "verify")
	s.again(2)
}

func (s *site) rebooted(server, worker *lab.Host) {
	// It asks nobody: one that asked the server while that went down would fail by itself, before its own host goes.
	run := s.begin(server, "patient", "default", "begun", `{"alone":true}`)
	s.together([]*lab.Host{server, worker}, func(ctx context.Context, h *lab.Host) error { return h.Reboot(ctx) })
	s.running(server, "prefect-postgres", "prefect-server", "prefect-caddy")
	s.running(worker, "prefect-agent", "prefect-business-logic")
	_, said := s.provision(0, "verify", "--smoke") // waits for health checks that have not answered yet
	s.Logf("%s", said)
	s.shut(server, worker)
	if got := s.ended(server, run); got != "CRASHED" {
		s.Errorf("the run that was in flight is %s", got)
	}
	s.again(2)
}
