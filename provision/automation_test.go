package provision_test

import (
	"strings"
	"testing"
)

// TestAutomation: what somebody did to the automation of the stack is one line of the plan, and an apply puts it right.
func TestAutomation(t *testing.T) {
	t.Parallel()
	const name = "provision-zombies"
	s := arrange(t, layout{agents: 1, stack: prefect3})
	s.converge()
	for wrong, want := range map[string]string{"is disabled": "is disabled", "was changed": "was changed", "": "does not exist"} {
		if !s.server.ChangeAutomation(name, wrong) {
			t.Fatalf("there is no automation %s", name)
		}
		plan, err := s.attempt().plan()
		if err != nil {
			t.Fatal(explain(err))
		}
		line := "prefect change pool provision: the automation " + name + " " + want
		if got := announced(plan); len(plan.Changes) != 1 || !strings.Contains(got, line) {
			t.Errorf("the plan is not one line %q:\n%s", line, got)
		}
		s.converge()
	}
	two := arrange(t, layout{agents: 1})
	two.converge()
	if two.server.ChangeAutomation(name, "was changed") {
		t.Error("Prefect 2 has an automation")
	}
}
