//go:build !race

package provision

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"provision/provision/plan"
	"provision/provision/resource"
)

// cost is what a plan takes in bytes: what it holds at its end, and what it used on the way.
type cost struct{ held, used int }

// more is what each further host takes, between two fleets.
func (c cost) more(d cost, hosts int) cost {
	return cost{(d.held - c.held) / hosts, (d.used - c.used) / hosts}
}

// blankPlan plans a server and agent hosts of which nothing is there, without a connection to them.
func blankPlan(t *testing.T, agents int) cost {
	t.Helper()
	var b strings.Builder
	b.WriteString("url = \"https://prefect.fleet.test\"\n\n[hosts.prefect]\naddress = \"192.0.2.1\"\nroles = [\"server\"]\n")
	for n := range agents {
		fmt.Fprintf(&b, "\n[hosts.worker-%04d]\naddress = \"192.0.2.2\"\nport = %d\nroles = [\"agent\"]\n", n, 1000+n)
	}
	file := filepath.Join(t.TempDir(), "onprem.toml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func() (held, used uint64) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, m.TotalAlloc
	}
	held, used := read()
	sys, err := Load(context.Background(), file, "")
	if err != nil {
		t.Fatal(err)
	}
	p := &Pass{System: sys, Options: map[string]bool{}}
	facts := plan.Facts{}
	for _, resources := range sys.ByHost() {
		maps.Copy(facts, p.blank(resources))
	}
	plan, err := p.diff(facts)
	if err != nil || len(plan.Changes) < 10*agents {
		t.Fatalf("%d changes: %v", len(plan.Changes), err)
	}
	changes := map[resource.ID]bool{}
	for _, c := range plan.Changes {
		changes[c.By] = true
	}
	for _, c := range plan.Changes { // what each of them would wait for
		sys.Nearest(c.By, func(id resource.ID) bool { return changes[id] })
	}
	heldThen, usedThen := read()
	runtime.KeepAlive([]any{sys, facts, plan, changes})
	return cost{int(heldThen) - int(held), int(usedThen) - int(used)}
}

// TestPlanCostPerHost: what the plan of a host costs does not grow with the number of other hosts.
func TestPlanCostPerHost(t *testing.T) {
	blankPlan(t, 2) // what is made once for all
	few := blankPlan(t, 50).more(blankPlan(t, 100), 50)
	many := blankPlan(t, 400).more(blankPlan(t, 800), 400)
	t.Logf("a further host: %+v among 100, %+v among 800", few, many)
	if many.held > few.held*5/4 || many.used > few.used*5/4 {
		t.Errorf("a further host takes %+v bytes among 100 hosts and %+v among 800", few, many)
	}
	if most := 64 << 10; many.held > most {
		t.Errorf("a host holds %d bytes, more than %d", many.held, most)
	}
}
