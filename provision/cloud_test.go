package provision_test

import (
	"strings"
	"testing"

	"provision/inventory/inventorytest"
)

// From an account without anything in it to a verified stack.
func TestProductionFromNothing(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, inventorytest.Options{}, declared)
	plan, err := p.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	text := announced(plan)
	t.Log(text)
	a := p.attempt()
	if _, err := a.apply(); err != nil {
		for _, e := range a.seen() {
			t.Logf("%s %s %s %s %s", e.Type, e.Host, e.Step, e.State, e.Text)
		}
		t.Fatal(explain(err))
	}
	for _, s := range a.told(nil) {
		if strings.Contains(s, cloudToken) {
			t.Error("the token was told")
		}
	}
	p.settled("prefect", "worker-1", "worker-2")
}
