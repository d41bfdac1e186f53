//go:build linux && e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"provision/e2e/lab"
)

// testSplit3 takes two blank hosts to a stack of Prefect 3, and goes through its life.
func testSplit3(t *testing.T) {
	s := emptySite(t, "e2e-split3", gen3)
	kept, err := s.lab.Restore(t.Context(), gen3.split.name, builtFrom())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range gen3.split.hosts[len(kept):] {
		if _, err := s.lab.Host(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	s.writeInventory()
	provider := s.databaseAuthority()
	server, worker := s.lab.Hosts()[0], s.lab.Hosts()[1]
	if len(kept) == 0 {
		s.stage("two blank hosts", func(s *site) { s.blank3(server, worker) })
		s.keep(gen3.split)
	} else {
		gen3.split.end()
		s.apply()
	}
	s.stage("both UIs in a browser", func(s *site) { s.browser(server) })
	s.stage("flows of the user's own", func(s *site) { s.flows3(server, "uv.lock") })
	s.stage("logs and events in a browser", func(s *site) { s.telling3(server) })
	s.stage("tokens may do nothing else", func(s *site) { s.narrow3(server, worker) })
	s.stage("the worker is deaf", func(s *site) { s.deaf3(server, worker) })
	s.stage("killed", func(s *site) { s.killed3(server, worker) })
	s.stage("cut runs begin again", func(s *site) { s.retried3(server) })
	s.stage("several servers", func(s *site) { s.scaled3(server, worker) })
	s.stage("runs whose host never comes back", func(s *site) { s.zombies3(server) })
	s.stage("retention", func(s *site) { s.retained3(server) })
	s.stage("a database elsewhere", func(s *site) { s.elsewhere3(provider, server, worker) })
}

func (s *site) blank3(server, worker *lab.Host) {
	s.apply()
	s.hardened(server, 3)
	s.hardened(worker, 2)
	_, progress := s.provision(0, "verify", "--smoke")
	s.contains(progress, "Completed in container business-logic-worker-1")
	s.again(2)
	s.glue3(worker)
}

// glue3 runs the tests of the programs in the images with Prefect 3 in its own image, where none is skipped for want of it.
func (s *site) glue3(worker *lab.Host) {
	s.Helper()
	s.pythonTests(worker, []string{"glue/python/tests/fake.py", "glue/python/tests/test_register.py", "gen3/prefect/tests/test_guard.py"})
}

// flows3 has a project with one of its two locks run, which was made behind another index.
func (s *site) flows3(server *lab.Host, lock string) {
	dir := filepath.Join(filepath.Dir(s.inventory), "flows")
	if err := os.CopyFS(dir, os.DirFS("testdata/flows3")); err != nil {
		s.Fatal(err)
	}
	for _, name := range []string{"uv.lock", "poetry.lock"} {
		if name != lock {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				s.Fatal(err)
			}
		}
	}
	s.add("stack.toml", "\n[business_logic]\npath = \"flows\"\n")
	for _, flow := range []string{"ping", "report", "busy", "patient", "telling"} {
		s.add("stack.toml", fmt.Sprintf("\n[[deployments]]\nflow = \"desk/%s.py:%s\"\nname = \"default\"\n", flow, flow))
	}
	before := s.on(server, "docker ps -q | sort | xargs")
	s.apply()
	s.want(server, "docker ps -q | sort | xargs", before)
	s.run(server, "report", "default")
	s.busy3(server)
	s.again(2)
}

// busy3 runs the flow that does at the API all that flows may do there, with what its container has: the run token.
func (s *site) busy3(server *lab.Host) {
	s.api(server, "POST", "/variables/", `{"name":"greeting","value":"good morning"}`)
	s.api(server, "POST", "/v2/concurrency_limits/", `{"name":"database","limit":1}`)
	s.on(server, `docker exec -e PREFECT_HOME=/tmp/vault -e PREFECT_API_URL=http://127.0.0.1:4200/api prefect-server /opt/provision/entrypoint python -c 'from prefect.blocks.system import Secret
Secret(value="`+vaultCanary(s.lab.Name)+`").save("vault")'`)
	run := s.run(server, "busy", "default")
	s.until("what the flow has said arrives", time.Minute, func() bool {
		return s.query(server, "select message from log where flow_run_id = '"+run+"' and message like '%letters%'") == fmt.Sprintf("[2, 4, 6] [0, 1, 2] good morning; %d letters; Completed; 8", len(vaultCanary(s.lab.Name)))
	})
	// What comes over websockets: four task runs of the flow, two that stand for its subflow and for the other deployment's run, and its event.
	s.until("its task runs are recorded", time.Minute, func() bool {
		return s.query(server, "select count(*) from task_run where flow_run_id = '"+run+"' and state_type = 'COMPLETED'") == "6"
	})
	s.until("its event has arrived", time.Minute, func() bool { return s.query(server, "select count(*) from events where event = 'desk.done'") == "1" })
	if got := s.query(server, "select count(*) from artifact where key = 'proof'"); got != "1" {
		s.Errorf("%s artifacts of the flow", got)
	}
}

// narrow3 tries with both tokens whatever the table of operations does not give them, with the real server behind Caddy.
func (s *site) narrow3(server, worker *lab.Host) {
	web := s.outside(server)
	text, err := os.ReadFile("../files/gen3/prefect/operations.txt")
	if err != nil {
		s.Fatal(err)
	}
	fill := strings.NewReplacer("{work_pool_name:pool}", "provision", "{name:pool}", "provision").Replace
	tried := 0
	for _, kind := range []string{"poll", "run"} {
		token := s.on(server, "cat /var/lib/provision/prefect/server/secrets/caddy/tokens/worker-1."+kind)
		before := s.query(server, kept3)
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "#")
			words := strings.Fields(line)
			if len(words) != 3 || words[2] == "all" || strings.Contains(words[2], kind) {
				continue
			}
			method, path := words[0], fill(words[1])
			if method == "WEBSOCKET" {
				method = "GET"
			}
			for strings.Contains(path, "{") {
				begin, end := strings.Index(path, "{"), strings.Index(path, "}")
				value := "greeting"
				if strings.HasSuffix(path[begin:end], ":uuid") {
					value = "0b6f5d3e-1c2d-4e5f-8a9b-0c1d2e3f4a5b"
				}
				path = path[:begin] + value + path[end+1:]
			}
			tried++
			if code, answer := web.ask(method, "/api"+path, "{}", bearer(token)); code != 403 {
				s.Errorf("with the %s token %s %s: %d %s", kind, method, path, code, answer)
			}
		}
		if code := web.status("GET", "/api/work_pools/provision", bearer(token)); code != 200 {
			s.Errorf("with the %s token its own pool: %d", kind, code)
		}
		if after := s.query(server, kept3); after != before {
			s.Errorf("what Prefect holds has changed\nfrom %s\n  to %s", before, after)
		}
	}
	if tried < 200 {
		s.Errorf("only %d operations were tried", tried)
	}
}

// kept3 is what no token may change.
const kept3 = `select concat_ws(' ', (select count(*) from deployment), (select count(*) from deployment_schedule), (select count(*) from block_document), (select count(*) from block_type),
(select count(*) from work_pool), (select count(*) from work_queue), (select count(*) from variable), (select count(*) from automation), (select md5(string_agg(base_job_template::text, ',' order by id)) from work_pool))`

// deaf3 has job variables that would run a command come by every way there is, also those that no token has.
func (s *site) deaf3(server, worker *lab.Host) {
	const command = `{"command":"touch /tmp/owned","env":{"PATH":"/nowhere","LD_PRELOAD":"/tmp/x"}}`
	web := s.outside(server)
	run := s.on(server, "cat /var/lib/provision/prefect/server/secrets/caddy/tokens/"+worker.Name+".run")
	ping := s.deployment(server, "ping", "default")
	flow := s.query(server, "select id from flow where name = 'ping'")
	if code, answer := web.ask("POST", "/api/deployments/"+ping+"/create_flow_run", `{"state":{"type":"SCHEDULED"},"job_variables":`+command+`}`, bearer(run)); code != 422 {
		s.Errorf("create_flow_run with job variables: %d %s", code, answer)
	}
	// This route of the server's checks nothing, and subflows need it.
	code, answer := web.ask("POST", "/api/flow_runs/", fmt.Sprintf(`{"flow_id":%q,"deployment_id":%q,"work_pool_name":"provision","work_queue_name":"default","state":{"type":"SCHEDULED"},"job_variables":%s}`, flow, ping, command), bearer(run))
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil || code != 201 {
		s.Fatalf("POST flow_runs/ with job variables: %d %s", code, answer)
	}
	if got := s.ended(server, made.ID); got != "COMPLETED" {
		s.Errorf("the run with job variables ended as %s", got)
	}
	// A run that is there already, and waits.
	var waits struct{ ID string }
	if err := json.Unmarshal([]byte(s.api(server, "POST", "/deployments/"+ping+"/create_flow_run", fmt.Sprintf(`{"state":{"type":"SCHEDULED","state_details":{"scheduled_time":%q}}}`, time.Now().Add(time.Minute).UTC().Format(time.RFC3339)))), &waits); err != nil {
		s.Fatal(err)
	}
	if code, answer := web.ask("PATCH", "/api/flow_runs/"+waits.ID, `{"job_variables":`+command+`}`, bearer(run)); code != 422 {
		s.Errorf("PATCH of a run's job variables: %d %s", code, answer)
	}
	if got := s.ended(server, waits.ID); got != "COMPLETED" {
		s.Errorf("the run whose job variables were to be changed ended as %s", got)
	}
	// The pool's template, written by whoever has the login: nothing of it is looked at, and it is put right.
	s.api(server, "PATCH", "/work_pools/provision", `{"base_job_template":{"job_configuration":{"command":"touch /tmp/owned"},"variables":{"type":"object","properties":{}}}}`)
	s.run(server, "ping", "default")
	// With that template, an automation can give job variables to the run that it begins. A token makes none, see narrow3.
	var automation struct{ ID string }
	if err := json.Unmarshal([]byte(s.api(server, "POST", "/automations/", fmt.Sprintf(`{"name":"by the login","trigger":{"type":"event","posture":"Reactive","expect":["desk.fire"],"match":{"prefect.resource.id":"desk"},"threshold":1,"within":0},
"actions":[{"type":"run-deployment","source":"selected","deployment_id":%q,"job_variables":%s}]}`, ping, command))), &automation); err != nil {
		s.Fatal(err)
	}
	s.until("the automation has begun a run with job variables", 4*time.Minute, func() bool {
		// Each event has an id of its own; the services may not know the automation yet.
		s.api(server, "POST", "/events", fmt.Sprintf(`[{"occurred":%q,"event":"desk.fire","resource":{"prefect.resource.id":"desk"},"payload":{},"id":"7b1f4d0a-7c39-4b6e-8d0f-%012d"}]`, time.Now().UTC().Format(time.RFC3339Nano), time.Now().UnixNano()%1e12))
		time.Sleep(3 * time.Second)
		return s.query(server, "select count(*) > 0 from flow_run where job_variables->>'command' is not null and id <> '"+made.ID+"'") == "t"
	})
	s.api(server, "DELETE", "/automations/"+automation.ID, "")
	s.until("its runs have ended", 5*time.Minute, func() bool {
		return s.query(server, "select count(*) from flow_run where job_variables->>'command' is not null and state_type <> 'COMPLETED'") == "0"
	})
	for host, container := range map[*lab.Host]string{worker: "prefect-agent", server: "prefect-server"} {
		s.want(host, "docker exec "+container+" ls /tmp/owned 2>/dev/null || echo none", "none")
	}
	s.want(worker, "docker exec prefect-business-logic ls /tmp/owned 2>/dev/null || echo none", "none")
}

// pulled ends all of a container at once, as the kernel or a power cut would: `docker kill` would have Docker leave it stopped.
func (s *site) pulled(h *lab.Host, container string) {
	s.Helper()
	s.on(h, `kill -KILL "$(docker inspect --format '{{.State.Pid}}' `+container+`)"`)
}

// killed3 ends what carries runs while one runs.
func (s *site) killed3(server, worker *lab.Host) {
	told := func(enough bool) {
		s.Helper()
		s.api(server, "POST", "/variables/", fmt.Sprintf(`{"name":"enough","value":%v}`, enough))
	}
	run := s.begin(server, "patient", "default", "begun", "{}")
	s.pulled(worker, "prefect-agent")
	s.healthy(worker, "prefect-agent", "prefect-business-logic")
	told(true)
	if got := s.ended(server, run); got != "COMPLETED" {
		s.Errorf("the run whose worker was killed ended as %s", got)
	}
	if got := s.query(server, "select run_count from flow_run where id = '"+run+"'"); got != "1" {
		s.Errorf("it was started %s times", got)
	}
	s.on(server, `docker exec prefect-server python -c 'import urllib.request as u
u.urlopen(u.Request("http://127.0.0.1:4200/api/variables/name/enough",method="DELETE"))'`)
	const processes = `grep -lz PREFECT__FLOW_RUN_ID=%s /proc/[0-9]*/environ | cut -d/ -f3`
	s.crashed3(server, worker, "all processes of the run", processes)
	s.crashed3(server, worker, "the process that executes the flow", processes+" | sort -n | tail -n 1")
	s.crashed3(server, worker, "business-logic", "docker inspect --format '{{.State.Pid}}' prefect-business-logic")
	s.healthy(worker, "prefect-agent", "prefect-business-logic")
	s.provision(0, "verify", "--smoke")
}

// crashed3 kills the processes that a command on the worker prints while a run is there, and wants the run to be Crashed within 5 s. On a machine
// that computes much a single try may take longer than the stack does, so one of three is enough.
func (s *site) crashed3(server, worker *lab.Host, what, pids string) {
	s.Helper()
	for left := 2; ; left-- {
		s.healthy(worker, "prefect-agent", "prefect-business-logic")
		run := s.begin(server, "patient", "default", "begun", "{}")
		// All hosts of a lab have one clock.
		killed := s.on(worker, "pids=$("+strings.ReplaceAll(pids, "%s", run)+") && date +%s.%N && kill -KILL $pids")
		if got := s.ended(server, run); got != "CRASHED" {
			s.Fatalf("%s killed: the run ended as %s", what, got)
		}
		took := s.query(server, "select round(extract(epoch from created) - "+killed+", 2) from flow_run_state where flow_run_id = '"+run+"' and type = 'CRASHED'")
		s.Logf("%s killed: the run was Crashed %s s later", what, took)
		if seconds, err := strconv.ParseFloat(took, 64); err == nil && seconds >= 0 && seconds < 5 {
			return
		}
		if left == 0 {
			s.Fatalf("%s killed: in none of three tries the run was Crashed within 5 s", what)
		}
	}
}

// retried3 replaces business logic while a run is in it that does not end in time.
func (s *site) retried3(server *lab.Host) {
	s.edit("stack.toml", "[business_logic]\n", "[business_logic]\ncut_runs = \"retry\"\nstop_grace = \"5s\"\n")
	s.apply()
	run := s.begin(server, "patient", "default", "begun", "{}")
	s.edit("stack.toml", "stop_grace = \"5s\"", "stop_grace = \"6s\"")
	s.apply()
	s.until("the run has begun again", 4*time.Minute, func() bool {
		return s.query(server, "select run_count from flow_run where id = '"+run+"' and state_type = 'RUNNING'") == "2"
	})
	s.api(server, "POST", "/variables/", `{"name":"enough","value":true}`)
	if got := s.ended(server, run); got != "COMPLETED" {
		s.Errorf("the run that was cut off ended as %s", got)
	}
}

// scaled3 has two servers, kills what there is twice or talks for them while runs begin, and goes back to one.
func (s *site) scaled3(server, worker *lab.Host) {
	flow := s.query(server, "select id from flow where name = 'ping'")
	all, end := s.livesOf(server, flow)
	defer end()
	beside := func(what string) { s.Logf("%s: %s", what, all.said()) }
	s.until("runs begin", time.Minute, func() bool { return all.count() > 3 })
	s.add("stack.toml", "\n[scale]\nservers = 2\n")
	s.apply()
	beside("from one server to two")
	s.hardened(server, 6)
	s.again(2)
	deployment := s.deployment(server, "ping", "default")
	create := func() string {
		s.Helper()
		var run struct{ ID string }
		if err := json.Unmarshal([]byte(s.api(server, "POST", "/deployments/"+deployment+"/create_flow_run", "{}")), &run); err != nil {
			s.Fatal(err)
		}
		return run.ID
	}
	runs := []string{create()}
	s.pulled(server, "prefect-server-2")
	runs = append(runs, create(), s.run(server, "busy", "default"))
	s.on(server, "docker restart prefect-valkey")
	runs = append(runs, create(), create())
	s.healthy(server, "prefect-caddy", "prefect-postgres", "prefect-server", "prefect-server-2", "prefect-services", "prefect-valkey")
	beside("one killed, Valkey restarted")
	s.edit("stack.toml", "servers = 2", "servers = 1")
	s.apply()
	beside("from two servers to one")
	runs = append(runs, create())
	for _, run := range runs {
		if got := s.ended(server, run); got != "COMPLETED" {
			s.Errorf("run %s ended as %s", run, got)
		}
	}
	s.until("the task runs of the flow that ran on two servers are recorded", time.Minute, func() bool {
		return s.query(server, "select count(*) from task_run where flow_run_id = '"+runs[2]+"' and state_type = 'COMPLETED'") == "6"
	})
	s.running(server, "prefect-caddy", "prefect-postgres", "prefect-server")
	end()
	beside("in all")
	completed := s.query(server, "select string_agg(id::text, ' ') from flow_run where name like 'life-%' and state_type = 'COMPLETED'")
	for _, run := range all.begun {
		if !strings.Contains(completed, run) {
			s.Errorf("the run %s, which the API had taken, is %q", run, s.query(server, "select state_type from flow_run where id = '"+run+"'"))
		}
	}
	s.again(2)
}

// retained3 makes runs old, and wants them and what belongs to them deleted, and nothing younger.
func (s *site) retained3(server *lab.Host) {
	const all = "select concat_ws(' ', (select count(*) from flow_run), (select count(*) from flow_run_state), (select count(*) from task_run), (select count(*) from log), (select count(*) from artifact))"
	s.query(server, "update flow_run set end_time = end_time - interval '91 days', start_time = start_time - interval '91 days' where state_type = 'COMPLETED' and flow_id = (select id from flow where name = 'busy')")
	old := s.query(server, "select string_agg(id::text, ',') from flow_run where end_time < now() - interval '90 days'")
	young := s.query(server, "select count(*) from flow_run where end_time is null or end_time > now() - interval '90 days'")
	s.settings("PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS = 5, PREFECT_SERVER_SERVICES_DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS = 60")
	s.apply()
	s.until("old runs are gone", 3*time.Minute, func() bool {
		return s.query(server, "select count(*) from flow_run where end_time < now() - interval '90 days'") == "0"
	})
	if got := s.query(server, "select count(*) from flow_run where end_time is null or end_time > now() - interval '90 days'"); number(s, got) < number(s, young) {
		s.Errorf("%s younger runs are left of %s", got, young)
	}
	for _, id := range strings.Split(old, ",") {
		for _, table := range []string{"flow_run_state", "task_run", "log", "artifact"} {
			s.until("no "+table+" of an old run is left", 2*time.Minute, func() bool {
				return s.query(server, fmt.Sprintf("select count(*) from %s where flow_run_id = '%s'", table, id)) == "0"
			})
		}
	}
	s.Logf("left: %s", s.query(server, all))
}

func number(s *site, text string) int {
	s.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		s.Fatal(err)
	}
	return n
}
