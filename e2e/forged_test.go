//go:build linux && e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"provision/e2e/lab"
)

// forged attacks flow runs with a run token: it makes a task run of theirs ahead of time, and sets the state of a
// finished one that others read, both with a pickle. Runs that nobody attacks keep and read results as ever.
func (s *site) forged(host *lab.Host) {
	kept := func(run string) string {
		return s.query(host, "select message from log where flow_run_id = '"+run+"' and message like 'kept %'")
	}
	begin := func(flow string, in time.Duration) string {
		var run struct{ ID string }
		state := fmt.Sprintf(`{"state":{"type":"SCHEDULED","state_details":{"scheduled_time":%q}}}`, time.Now().Add(in).UTC().Format(time.RFC3339))
		if err := json.Unmarshal([]byte(s.api(host, "POST", "/deployments/"+s.deployment(host, flow, "default")+"/create_flow_run", state)), &run); err != nil {
			s.Fatal(err)
		}
		return run.ID
	}
	run := begin("kept", 0)
	if state := s.ended(host, run); state != "COMPLETED" {
		s.Fatalf("a run that keeps results ended %s", state)
	}
	const right = "kept 1 [0, 1, 2] [2, 4] Cached 2 2"
	s.until("the run's line is there", 5*time.Minute, func() bool { return kept(run) != "" })
	if got := kept(run); got != right {
		s.Errorf("the run said %q, want %q", got, right)
	}
	key := s.query(host, "select task_key from task_run where flow_run_id = '"+run+"' and name like 'first%'")

	web := s.outside(host)
	token := bearer(s.on(host, "cat "+tokens+"run"))
	pickle := base64.StdEncoding.EncodeToString([]byte("cposix\nsystem\n(S'touch /tmp/forged'\ntR."))
	document := fmt.Sprintf(`{"type":"COMPLETED","name":"Completed","data":{"encoding":"cloudpickle","blob":%q}}`, pickle)

	// It begins in half a minute: on a busy machine Prefect answers 503 at times, and then it is asked again.
	victim := begin("kept", 30*time.Second)
	s.until("the task run is made ahead of time", 20*time.Second, func() bool {
		code, answer := web.ask("POST", "/api/task_runs/", fmt.Sprintf(`{"name":"first-0","flow_run_id":%q,"task_key":%q,"dynamic_key":"0","state":%s}`, victim, key, document), token)
		if code != 200 && code != 201 && code != 503 {
			s.Fatalf("the task run is not made ahead of time: %d %s", code, answer)
		}
		return code != 503
	})
	if state := s.ended(host, victim); state != "FAILED" {
		s.Errorf("the attacked run ended %s", state)
	}
	s.contains(s.query(host, "select s.message from flow_run r join flow_run_state s on s.id = r.state_id where r.id = '"+victim+"'"), "is refused")

	// What another run, or somebody in the container, reads of a state that was set from outside.
	s.until("the state is set", 3*time.Minute, func() bool {
		code, answer := web.ask("POST", "/api/flow_runs/"+run+"/set_state", `{"force":true,"state":`+document+`}`, token)
		if code/100 != 2 && code != 503 {
			s.Fatalf("the state is not set: %d %s", code, answer)
		}
		return code != 503
	})
	for _, container := range []string{"prefect-business-logic", "prefect-agent", "prefect-server"} {
		said := s.on(host, "docker exec -e PREFECT_HOME=/tmp/forged-home "+container+` python -W ignore -c '
from prefect.client.schemas import State
try: State.parse_raw(`+"\"\"\""+document+"\"\"\""+`).result()
except ValueError as error: print(error)'`)
		s.contains(said, "is refused")
		s.want(host, "docker exec "+container+" ls /tmp/forged 2>/dev/null || echo none", "none")
	}
}
