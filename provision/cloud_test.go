package provision_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	digitalocean "provision/provision/cloud/digitalocean/declared"
	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/report"
)

// calls are the account's calls that match, in their order.
func (p *production) calls(method, path string) (out []int) {
	for n, c := range p.cloud.Calls() {
		if c.Method == method && strings.HasPrefix(c.Path, path) {
			out = append(out, n)
		}
	}
	return out
}

// From an account without anything in it to a verified stack.
func TestProductionFromNothing(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, declared)
	plan, err := p.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	if made := p.calls("POST", "/v2/"); len(made) != 1 { // the domain, by the test itself
		t.Errorf("a plan has made something: %v", made)
	}
	text := announced(plan)
	for _, want := range []string{
		" add ssh key ", " add tag provision:prod: ", " add vpc provision-prod-fra1: ", " add firewall provision-prod: ", " add firewall provision-prod-server: ",
		" add block volume prefect: the volume does not exist: 20 GiB in fra1", " add droplet prefect: the droplet does not exist: s-2vcpu-4gb, debian-13-x64, fra1",
		" add droplet worker-2: ", " add host key worker-2: ", " add reserved ip prefect: ", " add dns record prefect.example.org: ", " add project prefect: ",
		"prefect add docker: ", "prefect add metadata closed to containers: ", "prefect add disk /mnt/prefect-data: ", "prefect add container prefect-caddy: ",
		"worker-1 add deployments: ", "worker-2 add container prefect-agent: ",
	} {
		if !strings.Contains("\n"+text, want) {
			t.Errorf("the plan does not say %q:\n%s", want, text)
		}
	}
	prices := 0
	for _, c := range plan.Changes {
		if strings.HasPrefix(c.Step, "droplet ") && c.Note == "$24.00 a month" {
			prices++
		}
	}
	if prices != 3 {
		t.Errorf("%d droplets have their price", prices)
	}

	a := p.attempt()
	if _, err := a.apply(); err != nil {
		t.Fatal(explain(err))
	}
	for _, s := range a.told(nil) {
		if strings.Contains(s, cloudToken) || strings.Contains(s, "PRIVATE KEY") {
			t.Errorf("a secret was told: %q", s)
		}
	}
	p.settled("prefect", "worker-1", "worker-2")

	walls, droplets := p.calls("POST", "/v2/firewalls"), p.calls("POST", "/v2/droplets")
	if len(walls) != 2 || len(droplets) != 3 || slices.Max(walls) > slices.Min(droplets) {
		t.Errorf("firewalls were made by the calls %v, droplets by %v", walls, droplets)
	}
	for _, d := range p.cloud.Droplets() {
		if strings.Count(d.UserData, "PRIVATE KEY") != 2 || strings.Contains(d.UserData, cloudToken) || len(d.Keys) != 1 || !d.Monitoring {
			t.Errorf("%+v", d)
		}
		h := p.host(d.Name)
		if !h.Rule("raw PREROUTING -d 169.254.169.254/32 -j DROP") {
			t.Errorf("%s: containers reach the metadata", d.Name)
		}
		for _, f := range slices.Concat(h.Files("/etc"), h.Files("/root"), h.Files("/tmp"), h.Files("/var/lib"), h.Files("/var/tmp"), h.Files("/mnt")) {
			if b, err := h.ReadFile(f.Path); err == nil && strings.Contains(string(b), cloudToken) {
				t.Errorf("%s has the token in %s", d.Name, f.Path)
			}
		}
		if strings.Contains(d.UserData, strings.Fields(h.HostKey())[1]) {
			t.Errorf("%s still shows the key that it was made with", d.Name)
		}
		h.Reboot()
		if !h.Rule("raw PREROUTING -d 169.254.169.254/32 -j DROP") {
			t.Errorf("%s: after a reboot containers reach the metadata", d.Name)
		}
	}
	if fs := p.disks[p.cloud.Volumes()[0].ID].Kind(); fs != "ext4" {
		t.Errorf("the volume has %q", fs)
	}
	if r := p.cloud.Records("example.org")[0]; r.Data != p.cloud.ReservedIPs()[0].IP || r.Name != "prefect" {
		t.Errorf("%+v", r)
	}
}

// What has nothing to do asks the account a fixed number of times, and each host once.
func TestNothingToDoInProductionCostsLittle(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, declared)
	p.converge("prefect", "worker-1", "worker-2")
	before := len(p.cloud.Calls())
	result, err := p.attempt().apply()
	if err != nil {
		t.Fatal(explain(err))
	}
	// Droplets, volumes, firewalls, networks, reserved IPs, tags, the one key, records, projects and their members.
	if n := len(p.cloud.Calls()) - before; n != 10 || result.Stats.Connections != 3 || result.Stats.Execs != 3 {
		t.Errorf("%d calls, %+v", n, result.Stats)
	}
}

// Two who apply at the same moment end with one droplet for each name.
func TestTwoOperatorsAtOnceMakeOneOfEach(t *testing.T) {
	t.Parallel()
	for n := range 8 {
		p := arrangeCloud(t, digitaloceantest.Options{UnlistedLooks: n / 2, NotFoundLooks: n / 2}, small)
		var both sync.WaitGroup
		for range 2 {
			a := p.account()
			a.LockWait = limit
			both.Go(func() {
				_, err := a.apply()
				t.Log(err) // one may find that the other has changed the plan, or be done already
			})
		}
		both.Wait()
		a := p.account()
		a.LockWait = limit
		if _, err := a.apply(); err != nil {
			t.Fatal(explain(err))
		}
		if result, err := p.account().apply(); err != nil || len(result.Outcomes) > 0 {
			t.Fatalf("not settled: %v %+v", err, result)
		}
		p.count("prefect", "worker")
	}
}

// A second operator has the file and a token, and nothing that the first one left behind.
func TestEveryDialIsVerifiedByTheTags(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.foreign = true
	_, err := p.attempt().apply()
	if report.ExitCode(err) != report.ExitHostKey {
		t.Fatalf("the first dial of a machine with another key: %s", explain(err))
	}
	for _, d := range p.cloud.Droplets() {
		if h := p.host(d.Name); h.Counts().Execs > 0 {
			t.Errorf("something was run on %s", d.Name)
		}
	}

	p = arrangeCloud(t, digitaloceantest.Options{}, small)
	p.converge("prefect", "worker")
	if err := p.host("worker").WriteFile("/etc/ssh/ssh_host_ed25519_key", string(p.fleet.ClientKeyPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	p.host("worker").Reboot()
	connections := p.host("worker").Counts().Connections
	_, err = p.attempt().apply()
	if report.ExitCode(err) != report.ExitHostKey {
		t.Fatalf("a changed key: %s", explain(err))
	}
	if n := p.host("worker").Counts().Connections - connections; n != 1 {
		t.Errorf("a changed key was tried %d times", n)
	}

	for _, tag := range p.cloud.Tags() {
		if len(digitalocean.HostKeys([]string{tag})) > 0 {
			p.call("DELETE", "/v2/tags/"+tag, "")
		}
	}
	if _, err = p.attempt().apply(); report.ExitCode(err) != report.ExitHostKey {
		t.Fatalf("no tag with the key: %s", explain(err))
	}
}

// A run that is killed while the host key changes leaves a droplet that the next one can verify.
func TestHostKeyChangeIsKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"^ssh-keygen", "^cat .*provision.pub", "^mv .*ssh_host_ed25519_key.provision ", "^mv .*ssh_host_ed25519_key.provision.pub", "^systemctl reload ssh"} {
		for _, late := range []bool{false, true} {
			p := arrangeCloud(t, digitaloceantest.Options{}, "\n[droplets.prefect]\nroles = [\"server\"]\nvolume = \"20GiB\"\nreserved_ip = true\n")
			a := p.account()
			p.onBoot = failing(where, late, a.cancel)
			if _, err := a.apply(); err == nil {
				t.Errorf("%s: the run was not killed", where)
			}
			p.onBoot = nil
			next := p.account()
			next.LockWait = limit
			if _, err := next.apply(); err != nil {
				t.Fatalf("%s, late %t: %s", where, late, explain(err))
			}
			p.count("prefect")
			if d := p.cloud.Droplets()[0]; strings.Contains(d.UserData, strings.Fields(p.host("prefect").HostKey())[1]) {
				t.Errorf("%s, late %t: it still shows the key that it was made with", where, late)
			}
		}
	}
}
