package provision_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestBusinessLogicReplaced edits the settings of the business logic: the plan names its container,
// the runs that are running in it, and the agent that is stopped meanwhile, and nothing else.
func TestBusinessLogicReplaced(t *testing.T) {
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
	report := s.converge()
	if len(report.Outcomes) != 3 {
		t.Errorf("done: %+v", report.Outcomes)
	}
	for _, c := range s.hosts[1].Containers() {
		if same := c.ID == id[c.Name]; same == (c.Name == "/prefect-business-logic") {
			t.Errorf("%s: same container %t", c.Name, same)
		}
	}
}
