//go:build linux && e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/e2e/lab"
)

// attacked is a stack on one host with flows of the user's own, and secrets that are known by sight.
func attacked(t *testing.T, name string, of *generation, flows ...string) (*site, *lab.Host, certified, *watched) {
	t.Helper()
	s, hosts := newSite(t, name, of, lab.HostOptions{
		Name: "all", Docker: true, Images: true,
		Users: []lab.User{{Name: "careful", Sudo: "password", Password: sudoCanary(name)}},
	})
	s.edit("inventory.toml", `user = "root"`, `user = "careful"`)
	s.edit("inventory.toml", "[ssh]", "[sudo]\npassword = { env = \"LAB_SUDO\" }\n\n[ssh]")
	s.add("stack.toml", "\n[ui]\npassword = { env = \"LAB_UI\" }\n\n[business_logic]\npath = \""+s.project()+"\"\n")
	for _, flow := range flows {
		s.add("stack.toml", fmt.Sprintf("\n[[deployments]]\nflow = \"desk/%s.py:%s\"\nname = \"default\"\n", flow, flow))
	}
	authority := s.ownCertificate(hosts[0])
	secrets := s.secretly(hosts[0])
	s.hardened(hosts[0], 5)
	return s, hosts[0], authority, secrets
}

// testAttacked holds a stack against those who have a part of it: a token, a container, the network,
// the hosts' process list, what the controller leaves behind. What a token may do at the API of Prefect 3 is in testSplit3, too.
func testAttacked(t *testing.T) {
	poetry := *gen3 // its flows come by the other kind of lock here
	poetry.others = []string{"uv.lock"}
	s, host, authority, secrets := attacked(t, "e2e-attacked", &poetry, "ping", "busy")
	s.stage("a flow may do what flows need", func(s *site) { s.busy3(host) })
	s.stage("job variables run nothing", func(s *site) { s.deaf3(host, host) })
	s.stage("containers hold nothing", func(s *site) { s.confined(host) })
	s.stage("the proxy lets nobody in", func(s *site) { s.proxied(host) })
	s.stage("the network sees three ports", func(s *site) { s.exposed(host, 22, 80, 443) })
	s.stage("firewalls of the host are named", func(s *site) { s.walled(host) })
	s.stage("a crash leaves no core", func(s *site) { s.crashed(host) })
	s.stage("tls by files", func(s *site) { secrets.watch(func() { s.tlsFiles(host, authority) }) })
	s.stage("secrets are where they belong", func(s *site) { s.leaks(host, secrets) })
	s.stage("tls off", func(s *site) { s.tlsOff(host) })
	s.stage("tls in any order", func(s *site) { s.tlsInAnyOrder(host, authority) })
}

// testAttacked2 tries what is another thing with Prefect 2: its routes, its pickles, where its secrets are.
func testAttacked2(t *testing.T) {
	s, host, authority, secrets := attacked(t, "e2e-attacked2", gen2, "ping", "privileged", "kept")
	_, progress := s.provision(0, "verify", "--smoke=all")
	s.contains(progress, "Completed in container business-logic-all")
	s.again(1)
	s.stage("a flow may do what flows need", func(s *site) { s.privileged(host) })
	s.stage("tokens may do nothing else", func(s *site) { s.narrow(host) })
	s.stage("a token for flows runs nothing in others", func(s *site) { s.forged(host) })
	s.stage("containers hold nothing", func(s *site) { s.confined(host) })
	s.stage("tls by files", func(s *site) { secrets.watch(func() { s.tlsFiles(host, authority) }) })
	s.stage("secrets are where they belong", func(s *site) { s.leaks(host, secrets) })
}

// privileged runs the flow that loads a variable and a secret, starts another deployment, takes a
// slot and makes an artifact, with what its container has: the run token.
func (s *site) privileged(host *lab.Host) {
	s.api(host, "POST", "/variables/", `{"name":"greeting","value":"good morning"}`)
	s.api(host, "POST", "/v2/concurrency_limits/", `{"name":"database","limit":1}`)
	s.on(host, `docker exec -e PREFECT_HOME=/tmp/vault -e PREFECT_API_URL=http://127.0.0.1:4200/api prefect-server python -c 'from prefect.blocks.system import Secret
Secret(value="`+vaultCanary(s.lab.Name)+`").save("vault")'`)
	s.run(host, "privileged", "default")
	if got, want := s.query(host, "select message from log where message like 'good morning%'"), fmt.Sprintf("good morning; %d letters; Completed", len(vaultCanary(s.lab.Name))); got != want {
		s.Errorf("the flow said %q, want %q", got, want)
	}
	if got := s.query(host, "select count(*) from artifact where key = 'proof'"); got != "1" {
		s.Errorf("%s artifacts of the flow", got)
	}
}

const tokens = "/var/lib/provision/prefect/server/secrets/caddy/tokens/all."

// kept counts what no token may change. What Prefect notes of each poll in a deployment changes by itself.
const kept = `select concat_ws(' ', (select count(*) from deployment), (select count(*) from deployment_schedule), (select count(*) from block_document), (select count(*) from block_type),
(select count(*) from block_schema), (select count(*) from work_pool), (select count(*) from work_queue), (select count(*) from variable), (select count(*) from flow), (select count(*) from flow_run),
(select count(*) from artifact), (select count(*) from concurrency_limit_v2), (select count(*) from automation), (select md5(string_agg((to_jsonb(deployment) - 'last_polled' - 'status' - 'updated')::text, ',' order by id)) from deployment))`

func (s *site) narrow(host *lab.Host) {
	web := s.outside(host)
	admin := login("admin", uiCanary(s.lab.Name))
	tokenOf := map[string]string{}
	for _, kind := range []string{"poll", "run"} {
		tokenOf[kind] = s.on(host, "cat "+tokens+kind)
	}
	id := map[string]string{
		"DEPLOYMENT": s.deployment(host, "ping", "default"),
		"FLOW":       s.query(host, "select id from flow where name = 'ping'"),
		"RUN":        s.query(host, "select id from flow_run where state_type = 'COMPLETED' limit 1"),
		"BLOCK":      s.query(host, "select id from block_document where name = 'vault'"),
		"PROCESS":    s.query(host, "select id from block_type where slug = 'process'"),
		"SCHEMA":     s.query(host, "select c.id from block_schema c join block_type t on t.id = c.block_type_id where t.slug = 'process' limit 1"),
		"ARTIFACT":   s.query(host, "select id from artifact where key = 'proof'"),
		"QUEUE":      s.query(host, "select id from work_queue where name = 'default' limit 1"),
		"VARIABLE":   s.query(host, "select id from variable where name = 'greeting'"),
		"LIMIT":      s.query(host, "select id from concurrency_limit_v2 where name = 'database'"),
	}
	fill := func(text string) string {
		for name, value := range id {
			if value == "" {
				s.Fatalf("there is no %s to try it on", name)
			}
			text = strings.ReplaceAll(text, name, value)
		}
		return text
	}

	// The three ways in which a token for the whole API ran code.
	process := `{"name":"shell","block_type_id":"PROCESS","block_schema_id":"SCHEMA","data":{"command":["sh","-c","touch /tmp/owned"]}}`
	steps := `{"name":"owned","flow_id":"FLOW","work_pool_name":"provision","work_queue_name":"default","entrypoint":"desk/ping.py:ping","pull_steps":[{"prefect.deployments.steps.run_shell_script":{"script":"touch /tmp/owned"}}]}`
	bare := `{"name":"owned","flow_id":"FLOW","work_queue_name":"default","path":"/tmp","entrypoint":"owned.py:flow"}`
	// The same words from the login are understood, so what refuses a token is not their form. What they made is taken away again.
	for path, body := range map[string]string{"/block_documents/": process, "/deployments/": steps} {
		code, answer := web.ask("POST", "/api"+path, fill(body), admin, "Origin: https://"+host.Address)
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(answer), &made); err != nil || code/100 != 2 {
			s.Fatalf("POST %s by the login: %d %s", path, code, answer)
		}
		if code, answer := web.ask("DELETE", "/api"+path+made.ID, "", admin, "Origin: https://"+host.Address); code != 204 {
			s.Fatalf("DELETE %s by the login: %d %s", path, code, answer)
		}
	}
	writes := []string{
		"POST /block_documents/ " + process,
		"POST /deployments/ " + steps,
		"POST /deployments/ " + bare,
		`PATCH /deployments/DEPLOYMENT {"entrypoint":"owned.py:flow"}`,
		`PATCH /deployments/DEPLOYMENT {"job_variables":{"command":["sh","-c","touch /tmp/owned"]}}`,
		"DELETE /deployments/DEPLOYMENT",
		`POST /deployments/DEPLOYMENT/schedules [{"active":true,"schedule":{"interval":60}}]`,
		"POST /deployments/DEPLOYMENT/set_schedule_active", "POST /deployments/DEPLOYMENT/set_schedule_inactive", "POST /deployments/DEPLOYMENT/schedule {}",
		`PATCH /block_documents/BLOCK {"data":{"value":"other"}}`, "DELETE /block_documents/BLOCK",
		`POST /block_types/ {"name":"owned","slug":"owned"}`, `PATCH /block_types/PROCESS {"description":"owned"}`, "DELETE /block_types/PROCESS",
		`POST /block_schemas/ {"block_type_id":"PROCESS","fields":{}}`, "DELETE /block_schemas/SCHEMA",
		`POST /work_pools/ {"name":"owned","type":"process"}`, `PATCH /work_pools/provision {"is_paused":true}`, "DELETE /work_pools/provision",
		`POST /work_pools/provision/queues {"name":"owned"}`, `PATCH /work_pools/provision/queues/default {"is_paused":true}`, "DELETE /work_pools/provision/queues/default",
		`POST /work_queues/ {"name":"owned"}`, `PATCH /work_queues/QUEUE {"is_paused":true}`, "DELETE /work_queues/QUEUE",
		"DELETE /flow_runs/RUN", "DELETE /flows/FLOW", `PATCH /flows/FLOW {"tags":["owned"]}`, "DELETE /artifacts/ARTIFACT", `PATCH /artifacts/ARTIFACT {"description":"owned"}`,
		`POST /variables/ {"name":"owned","value":"x"}`, `PATCH /variables/VARIABLE {"value":"x"}`, `PATCH /variables/name/greeting {"value":"x"}`, "DELETE /variables/VARIABLE", "DELETE /variables/name/greeting",
		`POST /concurrency_limits/ {"tag":"owned","concurrency_limit":1}`, "DELETE /concurrency_limits/tag/owned",
		`POST /v2/concurrency_limits/ {"name":"owned","limit":1}`, `PATCH /v2/concurrency_limits/LIMIT {"limit":9}`, "DELETE /v2/concurrency_limits/LIMIT",
		`POST /automations/ {"name":"owned","trigger":{},"actions":[]}`, `POST /flow_run_notification_policies/ {}`, `POST /saved_searches/ {"name":"owned"}`,
		"GET /admin/settings", `POST /admin/database/clear {"confirm":true}`, `POST /admin/database/drop {"confirm":true}`, `POST /admin/database/create {"confirm":true}`,
		"POST /block_documents/filter {}", "POST /work_pools/filter {}",
	}
	before := s.query(host, kept)
	for _, kind := range []string{"poll", "run"} {
		for _, w := range writes {
			method, rest, _ := strings.Cut(fill(w), " ")
			path, body, _ := strings.Cut(rest, " ")
			if code, answer := web.ask(method, "/api"+path, body, bearer(tokenOf[kind])); code != 403 {
				s.Errorf("with the %s token %s %s: %d %s", kind, method, path, code, answer)
			}
		}
		// The token is good: it is narrowed, not wrong.
		if code := web.status("GET", "/api/flow_runs/"+id["RUN"], bearer(tokenOf[kind])); code != 200 {
			s.Errorf("with the %s token its own reading: %d", kind, code)
		}
	}
	for _, way := range []string{"clear", "drop", "create"} {
		if code, _ := web.ask("POST", "/api/admin/database/"+way, `{"confirm":true}`, admin, "Origin: https://"+host.Address); code != 403 {
			s.Errorf("with the login POST /api/admin/database/%s: %d", way, code)
		}
	}
	if after := s.query(host, kept); after != before {
		s.Errorf("what Prefect holds has changed\nfrom %s\n  to %s", before, after)
	}
	for _, c := range []string{"prefect-agent", "prefect-business-logic", "prefect-server"} {
		s.want(host, "docker exec "+c+" ls /tmp/owned 2>/dev/null || echo none", "none")
	}
}

// confined tries what a process in each container can do, and looks at the kernel's view of it.
func (s *site) confined(host *lab.Host) {
	for name := range s.containers(host) {
		status := s.on(host, `grep -E '^(Uid|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' "/proc/$(docker inspect --format '{{.State.Pid}}' `+name+`)/status" | tr '\t' ' '`)
		if !regexp.MustCompile(`(?s)^Uid: ([1-9]\d*) .*(Cap(Inh|Prm|Eff|Bnd|Amb): 0{16}\n){5}NoNewPrivs: 1\nSeccomp: 2$`).MatchString(status) {
			s.Errorf("process 1 of %s:\n%s", name, status)
		}
		for _, try := range []string{"touch /owned", "touch /opt/owned", "touch /etc/owned", "chown 0:0 /tmp", "ls /var/run/docker.sock", "cat /etc/shadow", "mknod /tmp/sda b 8 0"} {
			if out, err := host.Shell(s.Context(), "docker exec "+name+" "+try); err == nil {
				s.Errorf("in %s it is possible to %s: %s", name, try, out)
			}
		}
		s.want(host, "docker exec "+name+" sh -c 'id -u; ulimit -Hc'", strings.Fields(status)[1]+"\n0")
		s.want(host, `sed -n 's/^Max core file size *//p' "/proc/$(docker inspect --format '{{.State.Pid}}' `+name+`)/limits" | xargs`, "0 0 bytes")
	}
	for dir, name := range map[string]string{"server": "migrate", "agent": "describe"} {
		s.want(host, fmt.Sprintf(`cd /var/lib/provision/prefect/%[1]s && docker compose --project-name prefect-%[1]s run --rm -T --no-deps --entrypoint sh %[2]s -c 'id -u; ulimit -Hc
grep -E "^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):" /proc/self/status | cut -f2 | xargs
for d in / /opt /etc /run /run/secrets; do ! touch $d/owned || echo writable: $d; done' 2>/dev/null`, dir, name),
			"10001\n0\n"+strings.Repeat(strings.Repeat("0", 16)+" ", 5)+"1 2")
	}
	// Nobody but the server reaches the database, and nobody but Caddy the unguarded API.
	s.want(host, `docker exec prefect-server python -c 'import socket
print(socket.create_connection(("postgres",5432),5).getpeername()[1])'`, "5432")
	for _, from := range []string{"prefect-agent", "prefect-business-logic", "prefect-caddy"} {
		for _, to := range []string{"prefect-postgres 5432", "prefect-server 4200"} {
			if from == "prefect-caddy" && strings.HasPrefix(to, "prefect-server") {
				continue
			}
			name, port, _ := strings.Cut(to, " ")
			for address := range strings.FieldsSeq(s.on(host, `docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' `+name)) {
				got := s.on(host, fmt.Sprintf(`docker exec %s python3 -c 'import socket
s=socket.socket(); s.settimeout(2)
print("open" if s.connect_ex(("%s",%s))==0 else "shut")'`, from, address, port))
				if got != "shut" {
					s.Errorf("from %s %s is %s", from, to, got)
				}
			}
		}
	}
}

// crashed aborts the database: of all, its process alone works in a directory that it could leave a core in.
func (s *site) crashed(host *lab.Host) {
	s.on(host, `kill -ABRT "$(pgrep -P "$(docker inspect --format '{{.State.Pid}}' prefect-postgres)" -x postgres)"`)
	s.until("the engine has started the database again", 3*time.Minute, func() bool {
		return s.on(host, "docker inspect --format '{{.RestartCount}} {{.State.Running}}' prefect-postgres") == "1 true"
	})
	s.healthy(host, "prefect-postgres", "prefect-server", "prefect-caddy", "prefect-agent", "prefect-business-logic")
	s.want(host, "find /var/lib/docker/volumes -name 'core*'", "")
	s.provision(0, "verify")
}

// proxied tries the ways around the proxy's guards.
func (s *site) proxied(host *lab.Host) {
	web := s.outside(host)
	for _, path := range []string{"/", "/flow-runs", "/api/flows/filter", "/api/admin/version", "/api/deployments/filter", "/docs"} {
		for _, headers := range [][]string{nil, {"Authorization: Bearer "}, {"Authorization: Bearer"}, {bearer(strings.Repeat("0", 64))}, {login("admin", "")}, {login("admin", "wrong")}, {login("", "")}} {
			if code := web.status("GET", path, headers...); code != 401 {
				s.Errorf("GET %s with %q: %d, want 401", path, headers, code)
			}
		}
	}
	// A token file that is empty or gone must not turn an empty token into a good one.
	file := tokens + "poll"
	queue := "/api/work_pools/provision/queues/host-all"
	if code := web.status("GET", queue, bearer(s.on(host, "cat "+file))); code != 200 {
		s.Errorf("the poll token before: %d", code)
	}
	s.on(host, "mv "+file+" /root/poll.kept")
	for _, state := range []string{"gone", "empty"} {
		if state == "empty" {
			s.on(host, "install -o 10002 -g 10002 -m 400 /dev/null "+file)
		}
		for _, header := range []string{"Authorization: Bearer ", "Authorization: Bearer", "Authorization: ", "Authorization:  "} {
			if code := web.status("GET", queue, header); code != 401 {
				s.Errorf("its token file %s, %q: %d, want 401", state, header, code)
			}
		}
	}
	s.on(host, "mv /root/poll.kept "+file)
	if code := web.status("GET", queue, bearer(s.on(host, "cat "+file))); code != 200 {
		s.Errorf("the poll token afterwards: %d", code)
	}

	// A browser that holds the login, led by another site.
	own := "https://" + host.Address
	admin := login("admin", uiCanary(s.lab.Name))
	for _, c := range []struct {
		want    int
		headers []string
	}{
		{200, nil},
		{200, []string{"Origin: " + own, "Sec-Fetch-Site: same-origin"}},
		{403, []string{"Sec-Fetch-Site: cross-site"}},
		{403, []string{"Sec-Fetch-Site: same-site"}},
		{403, []string{"Sec-Fetch-Site: none"}},
		{403, []string{"Origin: https://evil.example.org"}},
		{403, []string{"Origin: null"}},
		{403, []string{"Origin: " + own + ".evil.example.org", "Sec-Fetch-Site: same-origin"}},
	} {
		if code, _ := web.ask("POST", "/api/flows/filter", "{}", append([]string{admin}, c.headers...)...); code != c.want {
			s.Errorf("POST with the login and %q: %d, want %d", c.headers, code, c.want)
		}
	}
	for _, path := range []string{"/api//admin/settings", "/api/%2e%2e/admin", "/api/admin%2fdatabase/drop", "/api/./admin/settings", "/api/flows;x/filter", "/api/%00", "/api/%5cadmin"} {
		if code := web.status("GET", path, admin); code != 400 {
			s.Errorf("GET %s with the login: %d, want 400", path, code)
		}
	}
}

// exposed wants exactly these TCP ports of a host to answer, of all there are.
func (s *site) exposed(host *lab.Host, want ...int) {
	var mu sync.Mutex
	var open []int
	next := make(chan int)
	var workers sync.WaitGroup
	for range 64 {
		workers.Go(func() {
			dialer := net.Dialer{Timeout: 5 * time.Second}
			for port := range next {
				c, err := dialer.DialContext(s.Context(), "tcp", fmt.Sprintf("%s:%d", host.Address, port))
				if err != nil {
					continue
				}
				c.Close()
				mu.Lock()
				open = append(open, port)
				mu.Unlock()
			}
		})
	}
	for port := 1; port <= 65535; port++ {
		next <- port
	}
	close(next)
	workers.Wait()
	slices.Sort(open)
	if !slices.Equal(open, want) {
		s.Errorf("from outside these ports of %s answer: %v, want %v", host.Name, open, want)
	}
}
