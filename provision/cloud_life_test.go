package provision_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/provision"
	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/report"
	"provision/remote/remotetest"
)

// with is an attempt with something allowed by name.
func (p *production) with(option string) *attempt {
	a := p.attempt()
	a.Options[option] = true
	return a
}

// refused wants an exit code with words, and that nothing was changed in the account.
func (p *production) refused(code int, words ...string) {
	p.t.Helper()
	p.refuses(p.attempt(), code, words...)
}

func (p *production) refuses(a *attempt, code int, words ...string) {
	p.t.Helper()
	before := p.changes()
	_, err := a.apply()
	text := explain(err)
	if report.ExitCode(err) != code {
		p.t.Fatalf("exit code %d, want %d: %s", report.ExitCode(err), code, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			p.t.Fatalf("it does not say %q: %s", w, text)
		}
	}
	if after := p.changes(); after != before {
		p.t.Fatalf("%d calls changed something", after-before)
	}
}

func (p *production) changes() int { return p.cloud.Count("^(POST|PUT|DELETE|PATCH) ") }

func TestGrowingAndShrinkingTheCount(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, declared)
	p.converge("prefect", "worker-1", "worker-2")
	p.declare(strings.Replace(declared, "count = 2", "count = 3", 1))
	a := p.attempt()
	if _, err := a.apply(); err != nil {
		t.Fatal(explain(err))
	}
	for _, e := range a.seen() {
		if e.Type == "change" && e.State == "start" && (e.Host == "worker-2" && !strings.HasPrefix(e.Step, "deployments") || strings.Contains(e.Step, "droplet worker-2")) {
			t.Errorf("growing has changed %s: %s", e.Host, e.Step)
		}
	}
	p.settled("prefect", "worker-1", "worker-2", "worker-3")

	// An engine that gives no answer may run something.
	p.declare(declared)
	p.host("worker-3").StopUnit("docker")
	if _, err := p.with("prune").apply(); err == nil || !strings.Contains(explain(err), "Docker gives no answer") {
		t.Errorf("without an engine: %s", explain(err))
	}
	p.host("worker-3").StartUnit("docker")

	// Shrunk, the ones to go are named and go on until that is allowed.
	p.declare(strings.Replace(declared, "count = 2", "count = 1", 1))
	plan, err := p.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	warned := strings.Join(plan.Warnings, "\n")
	if !strings.Contains(warned, "droplet worker-2 (id ") || !strings.Contains(warned, "droplet worker-3 (id ") || !strings.Contains(warned, "--prune") || strings.Contains(announced(plan), "remove droplet") {
		t.Errorf("%s\n%s", warned, announced(plan))
	}
	p.converge("prefect", "worker-1", "worker-2", "worker-3")
	var order []string
	for _, name := range []string{"worker-2", "worker-3"} {
		h := p.host(name)
		h.Fail(remotetest.Failure{Match: "^docker stop ", Nth: -1, Do: func() {
			if p.cloud.Count("^DELETE /v2/droplets/") < 2 {
				order = append(order, h.Name())
			}
		}})
		p.onGone = func(h *remotetest.Host) {
			for _, c := range h.Containers() {
				if c.State.Running {
					t.Errorf("%s was deleted while %s ran", h.Name(), c.Name)
				}
			}
		}
	}
	if _, err := p.with("prune").apply(); err != nil {
		t.Fatal(explain(err))
	}
	if len(order) != 4 {
		t.Errorf("stopped: %v", order)
	}
	p.settled("prefect", "worker-1")
	for _, tag := range p.cloud.Tags() {
		if strings.Contains(tag, "worker-2") || strings.Contains(tag, "worker-3") {
			t.Errorf("the tag %s is left", tag)
		}
	}
}

// What is not ours is never touched: another inventory's, and what nobody has tagged.
func TestWhatIsNotOursIsNotTouched(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.call("POST", "/v2/droplets", `{"name": "prefect", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "ssh_keys": [], "tags": ["provision:production", "provision:production:name:prefect"]}`)
	p.call("POST", "/v2/droplets", `{"name": "worker", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "ssh_keys": [], "tags": ["web"]}`)
	p.call("POST", "/v2/reserved_ips", `{"region": "fra1"}`)
	p.call("POST", "/v2/volumes", `{"name": "theirs", "region": "fra1", "size_gigabytes": 10}`)
	theirs := p.cloud.Droplets()
	if _, err := p.with("prune").apply(); err != nil {
		t.Fatal(explain(err))
	}
	all := p.cloud.Droplets()
	if len(all) != 4 || len(p.cloud.Volumes()) != 2 || len(p.cloud.ReservedIPs()) != 2 {
		t.Errorf("%d droplets, %d volumes, %d addresses", len(all), len(p.cloud.Volumes()), len(p.cloud.ReservedIPs()))
	}
	for _, d := range theirs {
		if n := slices.IndexFunc(all, func(o digitaloceantest.Droplet) bool { return o.ID == d.ID }); n < 0 || !slices.Equal(all[n].Tags, d.Tags) {
			t.Errorf("%+v was changed", d)
		}
	}
	if n := p.cloud.Count("^DELETE /v2/(droplets|volumes|reserved_ips|firewalls|domains)"); n != 0 {
		t.Errorf("%d things were deleted", n)
	}
}

func TestADropletIsNotReplacedSilently(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.converge("prefect", "worker")
	agent := func(line string) string { return small + line + "\n" }
	p.declare(agent(`image = "ubuntu-24-04-x64"`))
	p.refused(report.ExitData, "it was made from debian-13-x64, should be from ubuntu-24-04-x64", "provision droplet destroy worker")
	p.declare(agent(`region = "nyc3"`))
	p.refused(report.ExitData, "it is in fra1, should be in nyc3")
	p.declare(strings.Replace(small, "20GiB", "10GiB", 1))
	p.refused(report.ExitData, "the volume has 20 GiB, and a volume cannot shrink to 10")
	// What cannot be had is known before the droplet is off.
	for size, why := range map[string]string{
		"s-3vcpu-5gb": `there is no size "s-3vcpu-5gb"`, "s-1vcpu-512mb": `the size "s-1vcpu-512mb" cannot be had in fra1`,
		"c-2": `the size "c-2" has a disk of 25 GiB, and the droplet has one of 80`,
	} {
		p.declare(agent(`size = "` + size + `"`))
		for _, a := range []*attempt{p.attempt(), p.with("resize")} {
			p.refuses(a, report.ExitCloud, why, "sizes that it can get: s-2vcpu-4gb, s-4vcpu-8gb, s-8vcpu-16gb")
		}
	}
	p.declare(agent(`size = "s-4vcpu-8gb"`))
	p.refused(report.ExitData, "it is s-2vcpu-4gb, should be s-4vcpu-8gb", "provision apply --resize")
	var ran []string
	p.cloud.Fail(digitaloceantest.Fault{Match: "^POST /v2/droplets/[0-9]+/actions", Do: func() {
		for _, c := range p.host("worker").Containers() {
			if c.State.Running {
				ran = append(ran, c.Name)
			}
		}
	}})
	result, err := p.with("resize").apply()
	if err != nil {
		t.Fatal(explain(err))
	}
	if len(ran) > 0 {
		t.Errorf("it was switched off while %v ran", ran)
	}
	if len(result.Outcomes) != 1 {
		t.Errorf("more than the size was changed: %+v", result.Outcomes)
	}
	for _, d := range p.cloud.Droplets() {
		if d.Name == "worker" && (d.Size != "s-4vcpu-8gb" || d.Status != "active") {
			t.Errorf("%+v", d)
		}
	}
	p.settled("prefect", "worker")
}

func TestWhatTheAccountDoesNotOfferIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		droplets string
		options  digitaloceantest.Options
		words    []string
	}{
		{small + "size = \"s-3vcpu-5gb\"\n", digitaloceantest.Options{}, []string{`there is no size "s-3vcpu-5gb" in fra1`, "s-2vcpu-4gb"}},
		{small + "region = \"fra9\"\n", digitaloceantest.Options{}, []string{`there is no region "fra9"`, "fra1"}},
		{small + "image = \"debian-99-x64\"\n", digitaloceantest.Options{}, []string{`there is no image "debian-99-x64"`, "debian-13-x64"}},
		{declared, digitaloceantest.Options{DropletLimit: 2}, []string{"the account may have 2 droplets and has 0; 3 more are declared"}},
		{small, digitaloceantest.Options{Status: "locked"}, []string{"the account is locked"}},
	} {
		p := arrangeCloud(t, c.options, c.droplets)
		p.refused(report.ExitCloud, c.words...)
	}
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.cloud.Fail(digitaloceantest.Fault{Match: "^GET /v2/droplets", Nth: -1, Status: 500})
	p.refused(report.ExitCloud, "the API answered 500") // not an account without droplets
	p.cloud.Heal()
	p.write(p.dir+"/token", "dop_v1_wrong\n")
	p.refused(report.ExitCloud, "401", "docs/digitalocean.md")
}

// Who has used up the calls of the hour hears when there are some again.
func TestTheEndOfTheHourIsNamed(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 3, 4, 13, 30, 0, 0, time.UTC) }
	p := arrangeCloud(t, digitaloceantest.Options{Hourly: 5, Now: now}, small)
	_, err := p.attempt().plan()
	if text := explain(err); !strings.Contains(text, "used up; wait, until 14:30:00 UTC, then") {
		t.Error(text)
	}
}

// Nobody waits for the account without hearing of it.
func TestWaitingForTheAccountIsTold(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.cloud.Fail(digitaloceantest.Fault{Match: "^GET /v2/firewalls", Status: 429, RetryAfter: time.Second})
	p.cloud.Fail(digitaloceantest.Fault{Match: "^GET /v2/volumes", Status: 502})
	a := p.attempt()
	if _, err := a.plan(); err != nil {
		t.Fatal(explain(err))
	}
	var told []string
	for _, e := range a.seen() {
		if e.Host == "" && (e.Type == "observe" || e.Type == "progress") {
			told = append(told, e.Type+" "+e.State+e.Text)
		}
	}
	all := strings.Join(told, "\n")
	if !strings.HasPrefix(all, "observe startthe account\n") || !strings.Contains(all, "progress the API asks to wait 1 s") || !strings.Contains(all, "progress the API answered 502 to GET /v2/volumes; trying again") {
		t.Error(all)
	}
}

func TestAnAPIThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	text, err := os.ReadFile(p.inventory)
	if err != nil {
		t.Fatal(err)
	}
	p.write(p.inventory, strings.Replace(string(text), p.cloud.URL(), "http://127.0.0.1:1", 1))
	a := p.attempt()
	_, err = a.plan()
	if report.ExitCode(err) != report.ExitCloud || !strings.Contains(explain(err), "api_url") || !strings.Contains(explain(err), "proxy") {
		t.Error(explain(err))
	}
	if !slices.ContainsFunc(a.seen(), func(e report.Event) bool {
		return e.Type == "progress" && strings.Contains(e.Text, "connection refused; trying again")
	}) {
		t.Error(a.story())
	}
}

// A foreign firewall opens what ours keep closed.
func TestForeignFirewallsAreNamed(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.converge("prefect", "worker")
	for name, tag := range map[string]string{"open": "provision:prod:role:agent", "elsewhere": "web"} {
		p.call("POST", "/v2/tags", fmt.Sprintf(`{"name": %q}`, tag))
		p.call("POST", "/v2/firewalls", fmt.Sprintf(`{"name": %q, "tags": [%q], "inbound_rules": [{"protocol": "tcp", "ports": "5432", "sources": {"addresses": ["0.0.0.0/0"]}}], "outbound_rules": []}`, name, tag))
	}
	plan, err := p.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	warned := strings.Join(plan.Warnings, "\n")
	if !strings.Contains(warned, "firewall open, which is not of this inventory, applies to its droplets") || strings.Contains(warned, "elsewhere") || strings.Contains(warned, "provision-prod") {
		t.Errorf("%s", warned)
	}
}

// Droplets that are declared no more are named although nothing is declared any more, and go only where that is allowed.
func TestTheWholeTableOfDropletsIsGone(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.converge("prefect", "worker")
	h, err := p.fleet.Host("own", remotetest.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.declare(fmt.Sprintf("[hosts.own]\naddress = \"127.0.0.1\"\nport = %d\nhost_key = %q\nroles = [\"server\", \"agent\"]\n", h.Port(), strings.TrimSpace(h.HostKey())))
	plan, err := p.attempt().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	warned := strings.Join(plan.Warnings, "\n")
	ip := p.cloud.ReservedIPs()[0].IP
	for _, want := range []string{
		"volume provision-prod-prefect (20 GiB, $2.00 a month) is not declared any more", "reserved IP " + ip + " of prefect is not declared any more, and costs $5.00 a month as soon as no droplet has it",
		"droplet prefect (id ", "droplet worker (id ", "firewall provision-prod is unused", "firewall provision-prod-server is unused", "vpc provision-prod-fra1 is left",
	} {
		if !strings.Contains(warned, want) {
			t.Errorf("%q is not named: %s", want, warned)
		}
	}
	if _, err := p.with("prune").apply(); err != nil {
		t.Fatal(explain(err))
	}
	if left := p.cloud.Droplets(); len(left) != 0 || len(p.cloud.Volumes()) != 1 || len(p.cloud.ReservedIPs()) != 1 {
		t.Errorf("droplets %+v, %d volumes", left, len(p.cloud.Volumes()))
	}
	if result, err := p.attempt().apply(); err != nil || len(result.Outcomes) > 0 {
		t.Errorf("%v %+v", err, result)
	}
	// What is left costs something, and is listed by itself.
	a := p.attempt()
	defer a.end()
	have, err := a.Holdings(a.ctx)
	if err != nil {
		t.Fatal(explain(err))
	}
	want := []provision.Spare{
		{Kind: "volume", Name: "provision-prod-prefect", Region: "fra1", GiB: 20, Monthly: 2},
		{Kind: "reserved ip", Name: ip, Region: "fra1", Host: "prefect", Monthly: 5},
	}
	if len(have.Droplets) != 0 || !slices.Equal(have.Left, want) {
		t.Errorf("%+v", have)
	}
}

// Who takes reserved_ip out of the file hears that the address stays.
func TestAReservedIPThatIsNotDeclaredIsNamed(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	if _, err := p.account().apply(); err != nil {
		t.Fatal(explain(err))
	}
	ip := p.cloud.ReservedIPs()[0].IP
	p.declare(strings.Replace(small, "reserved_ip = true\n", "", 1))
	plan, err := p.account().plan()
	if err != nil {
		t.Fatal(explain(err))
	}
	if warned := strings.Join(plan.Warnings, "\n"); !strings.Contains(warned, "reserved IP "+ip+" of prefect is not declared any more") || strings.Contains(warned, "volume") {
		t.Error(warned)
	}
}
