//go:build linux && e2e

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"provision/e2e/lab"
)

// testRotated gives every secret of a stack a new value while runs begin every few seconds, then takes the stack off its hosts, brings
// it back with its data, and takes it off for good.
func testRotated(t *testing.T) {
	s, hosts := keptSite(t, "e2e-rotated", gen3)
	server, worker := hosts[0], hosts[1]
	flows := s.project()
	s.add("stack.toml", `
[business_logic]
path = "`+flows+`"
stop_grace = "2m"

[[deployments]]
flow = "desk/ping.py:ping"
name = "default"

[deployments.schedule]
interval = "20s"

[[deployments]]
flow = "desk/patient.py:patient"
name = "default"
`)
	s.apply()
	s.until("scheduled runs complete", 8*time.Minute, func() bool { return s.query(server, complete) != "0" })
	s.stage("the database's password is replaced", func(s *site) { s.databaseRotated(server, worker) })
	s.stage("the UI's password is replaced", func(s *site) { s.uiRotated(server, worker) })
	s.stage("tokens are replaced under a run", func(s *site) { s.tokensRotated(server, worker) })
	s.stage("the certificate authority is replaced", func(s *site) { s.authorityRotated(server, worker) })
	s.stage("no run was lost", func(s *site) { s.lostNone(server) })
	s.stage("what is not provision's is not replaced", func(s *site) {
		s.provision(40, "rotate", "encryption-key", "--yes")
		s.provision(3, "rotate", "valkey", "--yes")
		s.again(2)
	})
	for _, h := range hosts {
		s.on(h, neighbours(s.of.python)+"\nprintf '[Timer]\\nOnCalendar=yearly\\n' >/etc/systemd/system/neighbour.timer\nprintf '[Service]\\nExecStart=/bin/true\\n' >/etc/systemd/system/neighbour.service\nsystemctl daemon-reload; systemctl start neighbour.timer")
	}
	s.stage("the stack is destroyed and comes back", func(s *site) { s.destroyedAndBack(server, worker) })
	s.stage("the stack is destroyed with its data", func(s *site) { s.destroyedForGood(server, worker) })
}

const complete = "select count(*) from flow_run where state_type = 'COMPLETED'"

const keyFile = "/var/lib/provision/prefect/server/secrets/server/encryption_key"

// away measures how long the API gave no good answer, until it is told to stop.
func (s *site) away(server *lab.Host, header string) (stop func() time.Duration) {
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	end, out := make(chan bool), make(chan time.Duration)
	go func() {
		var gone time.Duration
		last := time.Now()
		for {
			select {
			case <-end:
				out <- gone
				return
			case <-time.After(200 * time.Millisecond):
			}
			good := false
			if r, err := http.NewRequestWithContext(s.Context(), "GET", "https://"+server.Address+"/api/admin/version", nil); err == nil {
				name, value, _ := strings.Cut(header, ": ")
				r.Header.Set(name, value)
				if answer, err := client.Do(r); err == nil {
					answer.Body.Close()
					good = answer.StatusCode == 200
				}
			}
			if now := time.Now(); !good {
				gone += now.Sub(last)
				last = now
			} else {
				last = now
			}
		}
	}()
	return func() time.Duration { close(end); return <-out }
}

func (s *site) password(server *lab.Host) string {
	s.Helper()
	return s.on(server, "cat /var/lib/provision/prefect/server/secrets/login/ui_password")
}

func (s *site) databaseRotated(server, worker *lab.Host) {
	const file = "/var/lib/provision/prefect/server/secrets/postgres/password"
	const try = `docker exec -e PGPASSWORD=%s prefect-postgres psql -h 127.0.0.1 -U prefect -d prefect -Atqc 'select 1' 2>&1 || true`
	old := s.on(server, "cat "+file)
	s.want(server, fmt.Sprintf(try, old), "1")
	onServer, onWorker := s.containers(server), s.containers(worker)
	stop := s.away(server, login("admin", s.password(server)))
	out, _ := s.provision(0, "rotate", "database", "--yes")
	s.Logf("the API was away for %s", stop().Round(100*time.Millisecond))
	s.contains(out, "replaced: secret "+file+" on prefect")
	s.onlyReplaced(server, onServer, "prefect-server")
	s.onlyReplaced(worker, onWorker)
	s.contains(s.on(server, fmt.Sprintf(try, old)), "password authentication failed")
	s.want(server, fmt.Sprintf(try, s.on(server, "cat "+file)), "1")
	if said := s.on(server, "docker logs prefect-postgres 2>&1 | grep -c "+s.on(server, "cat "+file)+" || true"); said != "0" {
		s.Error("the new password is in the database's log")
	}
	s.again(2)
}

func (s *site) uiRotated(server, worker *lab.Host) {
	old := s.password(server)
	if got := s.outside(server).status("GET", "/api/admin/version", login("admin", old)); got != 200 {
		s.Fatalf("the login before: %d", got)
	}
	onServer, onWorker := s.containers(server), s.containers(worker)
	s.provision(0, "rotate", "ui", "--yes")
	s.onlyReplaced(server, onServer)
	s.onlyReplaced(worker, onWorker)
	if got := s.outside(server).status("GET", "/api/admin/version", login("admin", old)); got != 401 {
		s.Errorf("the old password: %d", got)
	}
	if got := s.outside(server).status("GET", "/api/admin/version", login("admin", s.password(server))); got != 200 {
		s.Errorf("the new password: %d", got)
	}
	s.again(2)
}

// tokensRotated replaces the tokens while a run is in its middle: it ends as it would have, with the token that it has.
func (s *site) tokensRotated(server, worker *lab.Host) {
	const dir = "/var/lib/provision/prefect/server/secrets/caddy/tokens/worker-1."
	old := map[string]string{"poll": s.on(server, "cat "+dir+"poll"), "run": s.on(server, "cat "+dir+"run")}
	defer func() {
		if s.Failed() {
			s.Logf("%s\n%s", s.query(server, "select state_name, count(*) from flow_run group by 1"), s.on(worker, "docker logs --tail 80 prefect-agent 2>&1; docker logs --tail 80 prefect-business-logic 2>&1"))
		}
	}()
	run := s.begin(server, "patient", "default", "begun", "{}")
	onServer, onWorker := s.containers(server), s.containers(worker)
	p := s.start("rotate", "tokens:worker-1", "bridge", "--yes")
	s.until("business logic waits for its runs", 5*time.Minute, func() bool {
		return s.on(worker, "docker logs prefect-business-logic 2>&1 | grep -c 'draining: ' || true") != "0"
	})
	if got := s.outside(server).status("GET", "/api/work_pools/provision", bearer(old["run"])); got != 200 {
		s.Errorf("the token of the flows while one of them ends: %d", got)
	}
	s.api(server, "POST", "/variables/", `{"name":"enough","value":"yes"}`)
	if code, said := p.wait(10 * time.Minute); code != 0 {
		s.Fatalf("rotate ended with %d\n%s", code, said)
	}
	s.outcome(server, run, "COMPLETED", 1)
	s.api(server, "DELETE", "/variables/name/enough", "")
	s.onlyReplaced(server, onServer)
	s.onlyReplaced(worker, onWorker, "prefect-agent", "prefect-business-logic")
	for kind, token := range old {
		for _, path := range []string{"/api/work_pools/provision", "/api/admin/version", "/api/csrf-token"} {
			if got := s.outside(server).status("GET", path, bearer(token)); got != 401 {
				s.Errorf("GET %s with the old %s token: %d", path, kind, got)
			}
		}
		if got := s.outside(server).status("GET", "/api/work_pools/provision", bearer(s.on(server, "cat "+dir+kind))); got != 200 {
			s.Errorf("the new %s token: %d", kind, got)
		}
	}
	s.provision(0, "verify", "--smoke")
	s.again(2)
}

func (s *site) authorityRotated(server, worker *lab.Host) {
	const root = "/var/lib/provision/prefect/server/secrets/caddy/root.crt"
	old := x509.NewCertPool()
	before := s.on(server, "cat "+root)
	old.AppendCertsFromPEM([]byte(before))
	onServer := s.containers(server)
	stop := s.away(server, login("admin", s.password(server)))
	out, said := s.provision(0, "rotate", "ca", "--yes")
	s.Logf("the API was away for %s", stop().Round(100*time.Millisecond))
	if strings.Contains(out+said, "Caddy restarts") {
		s.Errorf("a reload was not enough\n%s%s", out, said)
	}
	s.onlyReplaced(server, onServer)
	after := s.on(server, "cat "+root)
	if after == before {
		s.Error("the authority is the old one")
	}
	s.want(worker, "cat /var/lib/provision/prefect/agent/ca/ca.pem", after)
	if got := s.outside(server).status("GET", "/api/admin/version", login("admin", s.password(server))); got != 200 {
		s.Errorf("who trusts the new root: %d", got)
	}
	r, err := http.NewRequestWithContext(s.Context(), "GET", "https://"+server.Address+"/", nil)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := s.trusting(old, "https://"+server.Address).client.Do(r); err == nil || !strings.Contains(err.Error(), "certificate") { //nolint:bodyclose // there is none
		s.Errorf("who trusts the old root alone: %v", err)
	}
	s.provision(0, "verify", "--smoke")
	s.again(2)
}

// lostNone wants every run that has begun to have completed.
func (s *site) lostNone(server *lab.Host) {
	before := number(s, s.query(server, complete))
	s.until("runs go on", 5*time.Minute, func() bool { return number(s, s.query(server, complete)) > before+2 })
	if bad := s.query(server, "select concat_ws(' ', name, state_type, state_name, (select string_agg(concat_ws(' ', timestamp, state_name, state_message), '; ' order by timestamp) from (select timestamp, name state_name, message state_message from flow_run_state where flow_run_id = flow_run.id union all select timestamp, name, message from log where flow_run_id = flow_run.id) said)) from flow_run where state_type in ('FAILED', 'CRASHED', 'CANCELLED')"); bad != "" {
		s.Errorf("runs were lost:\n%s", bad)
	}
	s.Logf("%s runs have completed", s.query(server, complete))
}

func (s *site) destroyedAndBack(server, worker *lab.Host) {
	theirs := map[*lab.Host]string{server: s.on(server, seesNeighbours), worker: s.on(worker, seesNeighbours)}
	runs, key := number(s, s.query(server, complete)), s.on(server, "sha256sum "+keyFile)
	id := s.on(server, "cat /var/lib/provision/prefect/id")
	_, said := s.provision(3, "destroy", "--yes")
	s.contains(said, "--confirm prefect")
	s.healthy(server, "prefect-postgres", "prefect-server", "prefect-caddy")
	out, _ := s.provision(0, "destroy", "--confirm", "prefect")
	s.contains(out, "still there: volume prefect-postgres on prefect, with its data")
	for h, before := range theirs {
		s.want(h, "docker ps -a --format '{{.Names}}'", "neighbour")
		s.want(h, "docker network ls --format '{{.Name}}' | sort | xargs", "bridge host neighbours none")
		s.want(h, "docker image ls --format '{{.Repository}}' | grep -c '^prefect-' || true", "0")
		s.want(h, "ls /etc/systemd/system/provision-networks.service 2>/dev/null || true", "")
		s.want(h, "iptables -w -t mangle -S | grep -c PROVISION || true", "0")
		s.want(h, "ls /etc/systemd/system/provision-backup.* 2>/dev/null || true", "")
		s.want(h, "systemctl is-active neighbour.timer", "active")
		s.want(h, seesNeighbours, before)
	}
	s.want(worker, "ls -A /var/lib/provision | grep -v '^lock' | grep -v '^engine$' | xargs", "")
	s.want(server, "docker volume ls --format '{{.Name}}' | sort | xargs", "neighbours prefect-artifacts prefect-caddy prefect-postgres")
	out, _ = s.provision(0, "destroy", "--confirm", "prefect")
	s.contains(out, "nothing of the stack prefect is left to remove")
	s.apply()
	s.want(server, "sha256sum "+keyFile, key)
	s.want(server, "cat /var/lib/provision/prefect/id", id)
	if got := number(s, s.query(server, complete)); got < runs {
		s.Errorf("%d runs have completed, and before it was destroyed %d had", got, runs)
	}
	s.provision(0, "verify", "--smoke")
	s.again(2)
}

func (s *site) destroyedForGood(server, worker *lab.Host) {
	theirs := map[*lab.Host]string{server: s.on(server, seesNeighbours), worker: s.on(worker, seesNeighbours)}
	_, said := s.provision(3, "destroy", "--volumes", "--confirm", "prefect")
	s.contains(said, "--confirm prefect-")
	s.healthy(server, "prefect-postgres", "prefect-server", "prefect-caddy")
	s.provision(0, "destroy", "--volumes", "--confirm", "prefect,prefect-postgres,prefect-artifacts,prefect-caddy")
	for h, before := range theirs {
		s.want(h, "docker volume ls --format '{{.Name}}' | sort | xargs", "neighbours")
		s.want(h, "ls -A /var/lib/provision | grep -v '^lock' | grep -v '^engine$' | xargs", "")
		s.want(h, seesNeighbours, before)
	}
	s.provision(0, "destroy", "--volumes", "--confirm", "prefect")
}
