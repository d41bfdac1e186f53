package provision_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"provision/provision/report"
)

// TestBusinessLogicReplaced edits the settings of the business logic: the plan names its container,
// the runs that are running in it, and the agent that is stopped meanwhile, and nothing else.
func TestBusinessLogicReplaced(t *testing.T) {
	t.Parallel()
	s := arrange(t, layout{agents: 1, stack: "[business_logic]\nstop_grace = \"1m\"\n"})
	s.converge()
	s.server.SetRunning("agent-worker-1", 2)
	id := map[string]string{}
	for _, c := range s.hosts[1].Containers() {
		id[c.Name] = c.ID
	}
	s.write(filepath.Join(filepath.Dir(s.inventory), "stack.toml"), "[business_logic]\nstop_grace = \"3m\"\n")
	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	want := "worker-1 change file /var/lib/provision/prefect/agent/compose.yaml: the content differs\n" +
		"worker-1 replace container prefect-business-logic: its definition differs\n" +
		"worker-1 change container prefect-agent: it is stopped while prefect-business-logic is replaced, and started again\n"
	if got := announced(p); got != want {
		t.Errorf("the plan is\n%s\nwant\n%s", got, want)
	}
	if note := p.Changes[1].Note; !strings.HasSuffix(note, "; 2 run now") {
		t.Errorf("the note is %q", note)
	}
	result := s.converge()
	if len(result.Outcomes) != 3 {
		t.Errorf("done: %+v", result.Outcomes)
	}
	for _, c := range s.hosts[1].Containers() {
		if same := c.ID == id[c.Name]; same == (c.Name == "/prefect-business-logic") {
			t.Errorf("%s: same container %t", c.Name, same)
		}
	}
}

// TestSubnetsChanged moves the networks of the database and of the agents. Containers end in their order
// and in their own time; a container of somebody else on such a network is not touched, so nothing is.
func TestSubnetsChanged(t *testing.T) {
	t.Parallel()
	const subnets = "[docker]\nsubnets = { server = \"10.210.0.0/24\", database = \"10.%[1]d.1.0/24\", agent = \"10.%[1]d.2.0/24\" }\n"
	s := arrange(t, layout{stack: fmt.Sprintf(subnets, 210)})
	s.converge()
	s.server.SetRunning("agent-prefect", 2)
	s.write(filepath.Join(filepath.Dir(s.inventory), "stack.toml"), fmt.Sprintf(subnets, 220))
	ends := func() (out []string) {
		for _, c := range append(s.server.Ran("docker stop"), s.server.Ran("docker rm")...) {
			if !strings.Contains(c, "neighbour") && !strings.Contains(c, "--time") {
				out = append(out, c)
			}
		}
		return out
	}

	sh(t, s, 0, "docker run -d --name neighbour --network prefect-agent-network python:3.8-slim sleep 100000")
	result, err := s.attempt().apply()
	if !isCode(err, report.ExitPreflight) || len(result.Outcomes) > 0 || len(ends()) > 0 {
		t.Errorf("%d changes made, %q ran: %s", len(result.Outcomes), ends(), explain(err))
	}
	if !strings.Contains(explain(err), "network prefect-agent-network: it is 10.210.2.0/24 (internal: false), should be 10.220.2.0/24 (internal: false), but containers that do not belong to the stack are on it: neighbour") {
		t.Error(explain(err))
	}
	sh(t, s, 0, "docker stop neighbour")
	if result, err := s.attempt().apply(); !isCode(err, report.ExitPreflight) || len(result.Outcomes) > 0 || len(ends()) > 0 {
		t.Errorf("stopped: %q ran: %s", ends(), explain(err))
	}
	sh(t, s, 0, "docker rm neighbour")

	p, err := s.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	for _, c := range p.Changes {
		if c.Step == "container prefect-business-logic" && (c.Act != "replace" || !strings.HasSuffix(c.Note, "running flows have 2m0s to end; 2 run now")) {
			t.Errorf("%s, the note is %q", c.Act, c.Note)
		}
	}
	if got := announced(p); strings.Count(got, "-network, which it is on, changes") != 5 {
		t.Errorf("the plan is\n%s", got)
	}
	s.server.SetRunning("agent-prefect", 0)
	s.converge()
	want := []string{"prefect-agent", "prefect-business-logic", "prefect-caddy", "prefect-server", "prefect-postgres"}
	var got []string
	for _, c := range ends() {
		if name, ok := strings.CutPrefix(c, "docker stop "); ok {
			got = append(got, name)
		}
		if strings.Contains(c, "docker rm -f") {
			t.Errorf("%s", c)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("stopped were %q, want %q", got, want)
	}

	// One that comes meanwhile is seen before the first container ends.
	s.write(filepath.Join(filepath.Dir(s.inventory), "stack.toml"), fmt.Sprintf(subnets, 230))
	a := s.attempt()
	a.on = func(e report.Event) {
		if e.Type == "change" && e.State == "start" && e.Step == "network prefect-agent-network" {
			sh(t, s, 0, "docker run -d --name neighbour --network prefect-agent-network python:3.8-slim sleep 100000")
		}
	}
	if _, err := a.apply(); !isCode(err, report.ExitStep) || !strings.Contains(explain(err), "containers that do not belong to the stack are on it: neighbour") || len(s.server.Ran("docker stop prefect-agent")) > 1 {
		t.Errorf("%q ran: %s", ends(), explain(err))
	}
	sh(t, s, 0, "docker rm -f neighbour")
	s.converge()
}
