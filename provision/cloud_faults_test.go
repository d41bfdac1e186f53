package provision_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/report"
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
	a.Confirm = func(context.Context, *report.Plan, bool) (bool, error) { return true, nil }
	return a
}

// struck is a call that makes or changes something; differ has a converged account need it.
type struck struct {
	match  string
	differ func(*production)
}

// id is the part of a path that names a thing.
const id = "/[^/]+"

func struckCalls() map[string]struck {
	act := func(path, body string) func(*production) {
		return func(p *production) {
			ids := strings.NewReplacer("VOLUME", p.cloud.Volumes()[0].ID, "IP", p.cloud.ReservedIPs()[0].IP, "DROPLET", strconv.Itoa(p.droplet("prefect").ID))
			p.call("POST", ids.Replace(path), ids.Replace(body))
			p.cloud.Finish()
		}
	}
	return map[string]struck{
		"key":         {match: "^POST /v2/account/keys"},
		"tag":         {match: "^POST /v2/tags$"},
		"network":     {match: "^POST /v2/vpcs$"},
		"firewall":    {match: "^POST /v2/firewalls$"},
		"volume":      {match: "^POST /v2/volumes$"},
		"droplet":     {match: "^POST /v2/droplets$"},
		"tagging":     {match: "^POST /v2/tags/.*/resources$"},
		"untagging":   {match: "^DELETE /v2/tags/"},
		"reserved ip": {match: "^POST /v2/reserved_ips$"},
		"record":      {match: "^POST /v2/domains/.*/records$"},
		"project":     {match: "^POST /v2/projects$"},
		"member":      {match: "^POST /v2/projects/.*/resources$"},
		"attach":      {"^POST /v2/volumes" + id + "/actions", act("/v2/volumes/VOLUME/actions", `{"type": "detach", "droplet_id": DROPLET}`)},
		"grow":        {"^POST /v2/volumes" + id + "/actions", func(p *production) { p.declare(strings.Replace(small, "20GiB", "30GiB", 1)) }},
		"assign":      {"^POST /v2/reserved_ips" + id + "/actions", act("/v2/reserved_ips/IP/actions", `{"type": "unassign"}`)},
		"power on":    {"^POST /v2/droplets" + id + "/actions", act("/v2/droplets/DROPLET/actions", `{"type": "power_off"}`)},
		"resize":      {"^POST /v2/droplets" + id + "/actions", func(p *production) { p.declare(small + "size = \"s-4vcpu-8gb\"\n") }},
		"edit": {"^PUT /v2/domains/", func(p *production) {
			p.call("PUT", fmt.Sprintf("/v2/domains/example.org/records/%d", p.cloud.Records("example.org")[0].ID), `{"type": "A", "name": "prefect", "data": "198.51.100.200", "ttl": 300}`)
		}},
		"update": {"^PUT /v2/firewalls/", func(p *production) {
			for _, f := range p.cloud.Firewalls() {
				p.call("PUT", "/v2/firewalls/"+f.ID, fmt.Sprintf(`{"name": %q, "tags": [%q], "inbound_rules": [{"protocol": "tcp", "ports": "23", "sources": {"addresses": ["0.0.0.0/0"]}}], "outbound_rules": []}`, f.Name, f.Tags[0]))
			}
		}},
	}
}

// Every call that makes or changes something, the first of its kind and each further one, and
// everything that can become of it: the next apply ends with exactly what is declared, and nothing
// that nobody keeps track of.
func TestEveryFaultOfEveryCallConverges(t *testing.T) {
	t.Parallel()
	faults := map[string]digitaloceantest.Fault{
		"lost before": {Drop: true}, "lost after": {Drop: true, Late: true}, "500": {Status: 500}, "500 after": {Status: 500, Late: true},
		"429": {Status: 429}, "hang": {Hang: true}, "hang after": {Hang: true, Late: true}, "killed after": {Late: true},
		"empty": {Empty: true}, "errored": {Errored: true}, "void": {Void: true},
	}
	calls := struckCalls()
	var all []string
	for call := range calls {
		for name := range faults {
			all = append(all, call+"/"+name)
		}
	}
	slices.Sort(all)
	chosen := sample(t, all, 40)
	for _, name := range chosen {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call, what, _ := strings.Cut(name, "/")
			c, fault := calls[call], faults[what]
			fault.Match = c.match
			for fault.Nth = 1; strike(t, c, fault, what == "killed after"); fault.Nth++ {
				if len(chosen) < len(all) {
					return
				}
			}
			if fault.Nth == 1 {
				t.Fatal("the call was never made")
			}
		})
	}
}

// strike tells whether the fault has struck an apply; if so, the next one converges.
func strike(t *testing.T, c struck, fault digitaloceantest.Fault, kill bool) bool {
	p := arrangeCloud(t, digitaloceantest.Options{UnlistedLooks: 1}, small)
	account := func() *attempt {
		a := p.account()
		a.Options["resize"] = true
		return a
	}
	if c.differ != nil {
		if _, err := account().apply(); err != nil {
			t.Fatal(explain(err))
		}
		c.differ(p)
	}
	a := account()
	if fault.Hang || fault.Void {
		a.Pace.Call, a.Pace.Deadline = 2*time.Second, 8*time.Second // most of a run waits for what never comes
	}
	var hit atomic.Bool // told by the account, whose answer may be lost
	fault.Do = func() {
		hit.Store(true)
		if kill {
			a.cancel()
		}
	}
	p.cloud.Fail(fault)
	_, first := a.apply()
	if !hit.Load() {
		return false
	}
	if kill && first == nil {
		t.Errorf("call %d: the first run was not killed", fault.Nth)
	}
	second := account()
	second.LockWait = limit // what the killed run began may still go on
	if _, err := second.apply(); err != nil {
		t.Fatalf("call %d: the first said: %v\nthe next one: %s", fault.Nth, first, explain(err))
	}
	result, err := account().apply()
	if err != nil || len(result.Outcomes) > 0 {
		t.Fatalf("call %d: not settled: %v %+v", fault.Nth, err, result)
	}
	p.count("prefect", "worker")
	return true
}

// An account that shows late what was made, and for long what is gone.
func TestAnAccountThatIsBehindConverges(t *testing.T) {
	t.Parallel()
	for looks := 1; looks <= 3; looks++ {
		p := arrangeCloud(t, digitaloceantest.Options{NotFoundLooks: looks, DeleteLooks: looks, UnlistedLooks: looks}, declared)
		p.converge("prefect", "worker-1", "worker-2")
		p.declare(strings.Replace(declared, "count = 2", "count = 1", 1))
		if _, err := p.with("prune").apply(); err != nil {
			t.Fatalf("%d looks: %s", looks, explain(err))
		}
		p.settled("prefect", "worker-1")
		if _, _, err := p.demolish(true); err != nil {
			t.Fatalf("%d looks: %s", looks, explain(err))
		}
		if left := []int{len(p.cloud.Droplets()), len(p.cloud.Firewalls()), len(p.cloud.Volumes()), len(p.cloud.ReservedIPs()), len(p.cloud.Records("example.org"))}; slices.Max(left) > 0 {
			t.Errorf("%d looks, left: %v", looks, left)
		}
	}
}
