package provision_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/report"
)

// demolish destroys all of it.
func (p *production) demolish(withVolumes bool) (goes, stays []string, err error) {
	p.t.Helper()
	a := p.attempt()
	defer a.end()
	e, err := a.Estate(a.ctx)
	if err != nil {
		return nil, nil, err
	}
	stays, err = a.DestroyAll(a.ctx, e, withVolumes)
	return e.Goes, stays, err
}

// deleted are the kinds of things that were deleted, in their order, each once in a row.
func (p *production) deleted(from int) (kinds []string) {
	part := regexp.MustCompile(`^/v2/(?:domains/[^/]+/)?([a-z_]+)/`)
	for _, c := range p.cloud.Calls()[from:] {
		if m := part.FindStringSubmatch(c.Path); c.Method == "DELETE" && m != nil {
			kinds = append(kinds, m[1])
		}
	}
	return slices.Compact(slices.DeleteFunc(kinds, func(k string) bool { return k == "tags" }))
}

func TestDestroyingAllOfIt(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{ActionLooks: 2}, declared)
	p.converge("prefect", "worker-1", "worker-2")
	// Others have things in the same account, some with names like ours.
	for _, call := range [][2]string{
		{"/v2/droplets", `{"name": "prefect", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "ssh_keys": [], "tags": ["provision:production", "provision:production:name:prefect"]}`},
		{"/v2/droplets", `{"name": "odd", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "ssh_keys": [], "tags": ["provision:prod"]}`},
		{"/v2/reserved_ips", `{"region": "fra1"}`},
		{"/v2/volumes", `{"name": "provision-prod-theirs", "region": "fra1", "size_gigabytes": 10}`},
		{"/v2/domains/example.org/records", `{"type": "A", "name": "prefect", "data": "198.51.100.200", "ttl": 300}`},
		{"/v2/domains/example.org/records", `{"type": "A", "name": "www", "data": "198.51.100.201", "ttl": 300}`},
		{"/v2/vpcs", `{"name": "provision-prod-eu-fra1", "region": "fra1", "ip_range": "10.99.0.0/20"}`},
		{"/v2/firewalls", `{"name": "provision-production", "tags": ["provision:production"], "inbound_rules": [{"protocol": "tcp", "ports": "22", "sources": {"addresses": ["0.0.0.0/0"]}}], "outbound_rules": []}`},
	} {
		p.call("POST", call[0], call[1])
	}
	p.cloud.Finish()
	order := p.serverLast()
	before := len(p.cloud.Calls())
	goes, stays, err := p.demolish(false)
	if err != nil {
		t.Fatal(explain(err))
	}
	if got, want := p.deleted(before), []string{"droplets", "firewalls", "reserved_ips", "records", "vpcs"}; !slices.Equal(got, want) {
		t.Errorf("deleted in the order %v, want %v", got, want)
	}
	if got := order(); !slices.Equal(got, []string{"worker-1", "worker-2", "prefect"}) {
		t.Errorf("droplets went in the order %v", got)
	}
	if len(goes) != 3+2+1+1+1 {
		t.Errorf("goes: %q", goes)
	}
	all := strings.Join(stays, "\n")
	for _, want := range []string{"droplet odd (id ", "prefect.example.org A 198.51.100.200", "the volume provision-prod-prefect, with its data", "vpc provision-prod-fra1, which the API keeps: "} {
		if !strings.Contains(all, want) {
			t.Errorf("it does not say that %q stays:\n%s", want, all)
		}
	}
	var left []string
	for _, d := range p.cloud.Droplets() {
		left = append(left, "droplet "+d.Name)
	}
	for _, f := range p.cloud.Firewalls() {
		left = append(left, "firewall "+f.Name+" for "+strings.Join(f.Tags, " "))
	}
	for _, v := range p.cloud.Volumes() {
		left = append(left, "volume "+v.Name)
	}
	for _, r := range p.cloud.Records("example.org") {
		left = append(left, "record "+r.Name+" "+r.Data)
	}
	left = append(left, fmt.Sprintf("reserved %d", len(p.cloud.ReservedIPs())), "tags "+strings.Join(slices.DeleteFunc(p.cloud.Tags(), func(t string) bool { return strings.HasPrefix(t, "provision:production") }), " "))
	want := []string{
		"droplet prefect", "droplet odd", "firewall provision-production for provision:production", "volume provision-prod-prefect", "volume provision-prod-theirs",
		"record prefect 198.51.100.200", "record www 198.51.100.201", "reserved 1", "tags provision:prod",
	}
	if !slices.Equal(left, want) {
		t.Errorf("left\n  %s\nwant\n  %s", strings.Join(left, "\n  "), strings.Join(want, "\n  "))
	}
	if _, _, err := p.demolish(true); err != nil {
		t.Fatal(explain(err))
	}
	if v := p.cloud.Volumes(); len(v) != 1 || v[0].Name != "provision-prod-theirs" {
		t.Errorf("volumes: %+v", v)
	}
}

// serverLast returns a function that says in which order the droplets were deleted.
func (p *production) serverLast() func() []string {
	names := map[string]string{}
	for _, d := range p.cloud.Droplets() {
		names[fmt.Sprintf("/v2/droplets/%d", d.ID)] = d.Name
	}
	return func() (out []string) {
		for _, c := range p.cloud.Calls() {
			if name := names[c.Path]; c.Method == "DELETE" && name != "" {
				out = append(out, name)
			}
		}
		return slices.Compact(out)
	}
}

// Killed after any deletion, the next one goes on, and nothing that is ours is left; and then there is nothing to destroy.
func TestDestroyingAllOfItIsKilledAnywhere(t *testing.T) {
	t.Parallel()
	withoutIP := strings.Replace(small, "reserved_ip = true\n", "", 1)
	for _, droplets := range []string{small, withoutIP} {
		for nth := 1; ; nth++ {
			p := arrangeCloud(t, digitaloceantest.Options{}, droplets)
			if _, err := p.account().apply(); err != nil {
				t.Fatal(explain(err))
			}
			a := p.attempt()
			killed := false
			p.cloud.Fail(digitaloceantest.Fault{Match: "^DELETE ", Nth: nth, Late: true, Do: func() { killed = true; a.cancel() }})
			e, err := a.Estate(a.ctx)
			if err != nil {
				t.Fatal(explain(err))
			}
			_, err = a.DestroyAll(a.ctx, e, true)
			a.end()
			if killed && err == nil && nth < 3 {
				t.Errorf("after deletion %d it was not killed", nth)
			}
			if killed {
				_, _, err = p.demolish(true)
			}
			if report.ExitCode(err) != 0 && !strings.Contains(explain(err), "nothing in the account carries the tag") {
				t.Fatalf("killed after deletion %d, then: %s", nth, explain(err))
			}
			// A key's tag names no inventory: killed between a droplet and the tags of its keys, those stay, on nothing.
			tags := slices.DeleteFunc(p.cloud.Tags(), func(t string) bool {
				return strings.HasPrefix(t, "provision:hostkey:") || strings.HasPrefix(t, "provision:birth:")
			})
			if left := []int{len(p.cloud.Droplets()), len(p.cloud.Firewalls()), len(p.cloud.Volumes()), len(p.cloud.ReservedIPs()), len(p.cloud.Records("example.org")), len(tags)}; slices.Max(left) > 0 {
				t.Fatalf("killed after deletion %d, left: %v %v", nth, left, p.cloud.Tags())
			}
			if !killed {
				if nth < 10 {
					t.Errorf("there were only %d deletions", nth)
				}
				break
			}
		}
	}
}

// Where somebody else works, nothing is deleted; a machine that nobody can reach goes as it is.
func TestADropletThatIsWorkedOnIsNotDestroyed(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.converge("prefect", "worker")
	destroy := func() error {
		a := p.attempt()
		a.LockWait = 0
		defer a.end()
		doomed, err := a.Doom(a.ctx, "worker")
		if err != nil {
			t.Fatal(explain(err))
		}
		return a.Destroy(a.ctx, doomed, false)
	}
	release, err := p.host("worker").HoldLock("/var/lib/provision/lock", "provision apply")
	if err != nil {
		t.Fatal(err)
	}
	if err := destroy(); report.ExitCode(err) != report.ExitLocked || strings.Contains(explain(err), "--lock-wait") {
		t.Errorf("with its lock held: %s", explain(err))
	}
	release()
	p.host("worker").StopUnit("docker")
	if err := destroy(); report.ExitCode(err) != report.ExitStep || !strings.Contains(explain(err), "Docker gives no answer") {
		t.Errorf("without an engine: %s", explain(err))
	}
	p.host("worker") // is there still
	p.host("worker").Close()
	if err := destroy(); err != nil {
		t.Errorf("a machine that is lost: %s", explain(err))
	}
	if d := p.cloud.Droplets(); len(d) != 1 || d[0].Name != "prefect" {
		t.Errorf("left: %+v", d)
	}
}
