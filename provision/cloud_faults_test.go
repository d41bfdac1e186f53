package provision_test

import (
	"context"
	"testing"
	"time"

	"provision/inventory/inventorytest"
	"provision/provision"
)

// small is what the tables of faults declare: one of everything, and a droplet without a volume.
const small = `
[droplets.prefect]
roles = ["server"]
volume = "20GiB"
reserved_ip = true

[droplets.worker]
roles = ["agent"]
`

// account is an attempt at the account alone: no host is provisioned, but for its host key.
func (p *production) account() *attempt {
	p.t.Helper()
	a := p.attempt()
	only, err := a.System.CloudOnly(nil)
	if err != nil {
		p.t.Fatalf("%v", err)
	}
	a.System = only
	// What was made a moment ago may be listed between two looks: a person would look again, too.
	a.Confirm = func(context.Context, *provision.Plan, bool) (bool, error) { return true, nil }
	return a
}

// Every call that makes something, and everything that can become of it: the next apply ends with
// exactly what is declared, and nothing that nobody keeps track of.
func TestEveryFaultOfEveryCallConverges(t *testing.T) {
	t.Parallel()
	calls := map[string]string{
		"key": "^POST /v2/account/keys", "tag": "^POST /v2/tags$", "network": "^POST /v2/vpcs$", "firewall": "^POST /v2/firewalls$",
		"volume": "^POST /v2/volumes$", "droplet": "^POST /v2/droplets$", "tagging": "^POST /v2/tags/.*/resources$", "untagging": "^DELETE /v2/tags/",
		"reserved ip": "^POST /v2/reserved_ips$", "record": "^POST /v2/domains/.*/records$", "project": "^POST /v2/projects$", "member": "^POST /v2/projects/.*/resources$",
	}
	faults := map[string]inventorytest.Fault{
		"lost before": {Drop: true}, "lost after": {Drop: true, Late: true}, "500": {Status: 500}, "500 after": {Status: 500, Late: true},
		"429": {Status: 429}, "hang": {Hang: true}, "hang after": {Hang: true, Late: true}, "killed after": {Late: true},
	}
	for call, match := range calls {
		for name, fault := range faults {
			t.Run(call+"/"+name, func(t *testing.T) {
				t.Parallel()
				p := arrangeCloud(t, inventorytest.Options{UnlistedLooks: 1}, small)
				a := p.account()
				a.Pace.Call, a.Pace.Deadline = time.Second, 6*time.Second // most of a run waits for what never comes
				struck := false
				fault.Match = match
				fault.Do = func() {
					struck = true
					if name == "killed after" {
						a.cancel()
					}
				}
				p.cloud.Fail(fault)
				_, first := a.apply()
				if !struck {
					t.Fatal("the call was never made")
				}
				if name == "killed after" && first == nil {
					t.Error("the first run was not killed")
				}
				second := p.account()
				second.LockWait = limit // what the killed run began may still go on
				if _, err := second.apply(); err != nil {
					t.Fatalf("the first said: %v\nthe next one: %s", first, explain(err))
				}
				report, err := p.account().apply()
				if err != nil || len(report.Outcomes) > 0 {
					t.Fatalf("not settled: %v %+v", err, report)
				}
				p.count("prefect", "worker")
			})
		}
	}
}
