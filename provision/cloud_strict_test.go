package provision_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/provision/report"
)

// applied applies the account's side alone, and wants nothing left to do.
func (p *production) applied() {
	p.t.Helper()
	if _, err := p.account().apply(); err != nil {
		p.t.Fatalf("%s", explain(err))
	}
	if result, err := p.account().apply(); err != nil || len(result.Outcomes) > 0 {
		p.t.Fatalf("not settled: %v %+v", err, result)
	}
}

// The account's tags know no case: a host that is renamed by case only is the same droplet.
func TestAHostIsTheSameWhateverItsCase(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, strings.Replace(small, "droplets.prefect", "droplets.Prefect", 1))
	p.applied()
	p.declare(small)
	plan, err := p.account().plan()
	if err != nil || strings.Contains(announced(plan), "droplet") || strings.Contains(strings.Join(plan.Warnings, "\n"), "no longer declared") || strings.Contains(strings.Join(plan.Warnings, "\n"), "not declared") {
		t.Errorf("%s: %s\n%q", explain(err), announced(plan), plan.Warnings)
	}
	before := len(p.cloud.Droplets())
	p.applied()
	if after := p.cloud.Droplets(); len(after) != before {
		t.Errorf("%d droplets, before it was renamed %d", len(after), before)
	}
	a := p.attempt()
	defer a.end()
	doomed, err := a.Doom(a.ctx, "prefect")
	if err != nil {
		t.Fatal(explain(err))
	}
	if err := a.Destroy(a.ctx, doomed, false); err != nil {
		t.Fatal(explain(err))
	}
	if slices.ContainsFunc(p.cloud.Tags(), func(tag string) bool { return strings.EqualFold(tag, "provision:prod:name:prefect") }) {
		t.Errorf("its tag is left: %v", p.cloud.Tags())
	}
}

// An image is known by its name or its number, and is of a system that can be installed on, where it is needed, and small enough.
func TestImagesAreComparedAsTheAPIKnowsThem(t *testing.T) {
	t.Parallel()
	const line = "image = \"186442055\"\n"
	p := arrangeCloud(t, digitaloceantest.Options{}, small+line)
	p.applied()
	p.declare(small + "image = \"debian-13-x64\"\n") // the same one
	p.applied()
	p.declare(small + "image = \"133735390\"\n")
	p.refuses(p.account(), report.ExitData, "it was made from image 186442055, should be from 133735390")
	p = arrangeCloud(t, digitaloceantest.Options{}, small+"image = \"fedora-42-x64\"\n")
	p.refuses(p.account(), report.ExitCloud, `droplets.worker: the image "fedora-42-x64" is of Fedora, which is not supported`, "images are: debian-12-x64, debian-13-x64, ubuntu-22-04-x64, ubuntu-24-04-x64")
	p.declare(small + "image = \"12345\"\n")
	p.refuses(p.account(), report.ExitCloud, `droplets.worker: there is no image "12345"`)
}

// What an account may not have more of is known before anything is made, also where the droplets are there already.
func TestLimitsAreComparedInThePlan(t *testing.T) {
	t.Parallel()
	bare := "\n[droplets.prefect]\nroles = [\"server\"]\n\n[droplets.worker]\nroles = [\"agent\"]\n"
	for _, there := range []bool{false, true} {
		p := arrangeCloud(t, digitaloceantest.Options{ReservedIPLimit: 2, VolumeLimit: 1}, bare)
		if there {
			p.applied()
		}
		for range 2 {
			p.call("POST", "/v2/reserved_ips", `{"region": "fra1"}`)
		}
		p.call("POST", "/v2/volumes", `{"name": "theirs", "region": "fra1", "size_gigabytes": 10}`)
		p.declare(small)
		p.refuses(p.account(), report.ExitCloud, "the account may have 2 reserved IPs and has 2; 1 more are declared", "the account may have 1 volumes and has 1; 1 more are declared")
	}
}

// Who runs into a limit that others have used up meanwhile is not sent to the token's scopes.
func TestALimitIsNoScope(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.cloud.Fail(digitaloceantest.Fault{Match: "^POST /v2/volumes$", Status: 403, Message: "failed to create volume: volume/snapshot capacity limit exceeded"})
	_, err := p.account().apply()
	if text := explain(err); report.ExitCode(err) != report.ExitCloud || !strings.Contains(text, "have the limit raised") || strings.Contains(text, "scope") {
		t.Error(text)
	}
}

// A status that no documentation has is one of an action that has ended.
func TestAnActionThatIsDoneHasEnded(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{AddressEnd: "done"}, small)
	p.applied()
}

// A reserved IP that is made later is in the account's default project, and moves with its droplet only.
func TestAReservedIPMovesToTheProjectWithItsDroplet(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, strings.Replace(small, "reserved_ip = true\n", "", 1))
	p.applied()
	p.declare(small)
	p.applied()
	for _, project := range p.cloud.Projects() {
		if want := project.Name == "prefect"; slices.ContainsFunc(project.Resources, func(urn string) bool { return strings.Contains(urn, "floatingip") }) != want {
			t.Errorf("%+v", project)
		}
	}
}

// What our firewalls deny by somebody's hand is taken back, and what others deny is said.
func TestDenyRulesAreSeen(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.applied()
	for _, f := range p.cloud.Firewalls() {
		rules := map[string][]map[string]any{}
		for kind, all := range map[string][]digitaloceantest.Rule{"inbound_rules": f.Inbound, "outbound_rules": f.Outbound} {
			for _, r := range all {
				peer := map[string]string{"inbound_rules": "sources", "outbound_rules": "destinations"}[kind]
				rules[kind] = append(rules[kind], map[string]any{"protocol": r.Protocol, "ports": r.Ports, "action": "deny", peer: r.Peer})
			}
		}
		body, err := json.Marshal(map[string]any{"name": f.Name, "tags": f.Tags, "inbound_rules": rules["inbound_rules"], "outbound_rules": rules["outbound_rules"]})
		if err != nil {
			t.Fatal(err)
		}
		p.call("PUT", "/v2/firewalls/"+f.ID, string(body))
	}
	plan, err := p.account().plan()
	if err != nil || !strings.Contains(announced(plan), "change firewall provision-prod: ") || !strings.Contains(announced(plan), "change firewall provision-prod-server: ") {
		t.Errorf("%s: %s", explain(err), announced(plan))
	}
	p.applied()
	for _, f := range p.cloud.Firewalls() {
		for _, r := range slices.Concat(f.Inbound, f.Outbound) {
			if r.Action != "" {
				t.Errorf("%s: %+v", f.Name, r)
			}
		}
	}
	p.call("POST", "/v2/firewalls", `{"name": "closed", "tags": ["provision:prod"], "inbound_rules": [{"protocol": "tcp", "ports": "443", "action": "deny", "sources": {"addresses": ["0.0.0.0/0"]}}]}`)
	plan, err = p.account().plan()
	if want := "firewall closed, which is not of this inventory, denies its droplets in tcp 443 from 0.0.0.0/0, whatever others let through"; err != nil || !slices.Contains(plan.Warnings, want) {
		t.Errorf("%s: %q", explain(err), plan.Warnings)
	}
}

// What holds a thing that is to be deleted ends soon: it is waited for.
func TestWhatIsHeldIsDeletedLater(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]digitaloceantest.Fault{
		"a droplet with an event":  {Match: "^DELETE /v2/droplets/", Status: 422, Message: "Droplet already has a pending event."},
		"a droplet that is locked": {Match: "^DELETE /v2/droplets/", Status: 422, Message: "Droplet is currently locked."},
		"an address with an event": {Match: "^DELETE /v2/reserved_ips/", Status: 422, Message: "The floating IP already has a pending event."},
		"an address that is held":  {Match: "^DELETE /v2/reserved_ips/", Status: 400, Message: "flip released failed: assigned FLIP cannot be released"},
		"a volume":                 {Match: "^DELETE /v2/volumes/", Status: 409, Message: "attached volume cannot be deleted"},
		"a network":                {Match: "^DELETE /v2/vpcs/", Status: 409, Message: "Can not delete VPC with members"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := arrangeCloud(t, digitaloceantest.Options{MemberLooks: 2}, small)
			p.call("POST", "/v2/vpcs", `{"name": "the-default", "region": "fra1"}`) // ours is not the region's default
			if _, err := p.account().apply(); err != nil {
				t.Fatal(explain(err))
			}
			p.cloud.Fail(f)
			_, stays, err := p.demolish(true)
			if left := []int{len(p.cloud.Droplets()), len(p.cloud.ReservedIPs()), len(p.cloud.Volumes()), len(p.cloud.VPCs()) - 1}; err != nil || slices.Max(left) > 0 || len(stays) > 0 {
				t.Errorf("%s; left %v, stays %q", explain(err), left, stays)
			}
		})
	}
}

// Backups are made once a week, as the plan counts them; those that a droplet has are counted by what they are.
func TestBackupsCostWhatTheirPlanCosts(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.applied()
	if err := os.WriteFile(p.inventory, []byte(strings.Replace(read(t, p.inventory), "project = \"prefect\"\n", "project = \"prefect\"\nbackups = true\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	p.applied()
	if d := p.droplet("worker"); !d.Backups || d.BackupPlan != "weekly" {
		t.Errorf("%+v", d)
	}
	costs := func(want float64) {
		t.Helper()
		a := p.attempt()
		defer a.end()
		have, err := a.Holdings(a.ctx)
		if err != nil {
			t.Fatal(explain(err))
		}
		if have.Existing.Backups != want || have.Declared.Backups != want {
			t.Errorf("%+v, %+v, want %v for backups", have.Existing, have.Declared, want)
		}
		if text, err := json.Marshal(have); err != nil || regexp.MustCompile(`":[0-9]+\.[0-9]{3}`).Match(text) || strings.Contains(string(text), `"left":null`) {
			t.Errorf("%v %s", err, text)
		}
	}
	costs(9.6) // a fifth of 48
	p.call("POST", fmt.Sprintf("/v2/droplets/%d/actions", p.droplet("worker").ID), `{"type": "change_backup_policy", "backup_policy": {"plan": "daily"}}`)
	p.cloud.Finish()
	costs(12) // and three tenths of 24 for the daily ones
	p.applied()
	if d := p.droplet("worker"); d.BackupPlan != "daily" {
		t.Errorf("somebody's daily backups are gone: %+v", d)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A token with the scopes that the documentation lists is enough, and where one is missing the error names the call.
func TestTheScopesOfTheDocumentationAreEnough(t *testing.T) {
	t.Parallel()
	var makes, takes []string
	_, table, _ := strings.Cut(read(t, "../docs/digitalocean.md"), "| scopes | what for | to take away |\n")
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if len(cells) != 5 {
			break
		}
		scope := regexp.MustCompile(`[a-z_]+:[a-z_]+`)
		makes = append(makes, scope.FindAllString(cells[1], -1)...)
		takes = append(takes, scope.FindAllString(cells[3], -1)...)
	}
	if len(makes) < 20 || len(takes) < 5 {
		t.Fatalf("the table was not read: %v %v", makes, takes)
	}
	tokens := map[string][]string{"dop_v1_makes": makes, "dop_v1_takes": slices.Concat(makes, takes), "dop_v1_nodroplets": slices.DeleteFunc(slices.Clone(makes), func(s string) bool { return s == "droplet:create" })}
	p := arrangeCloud(t, digitaloceantest.Options{Tokens: tokens}, small)
	p.write(p.dir+"/token", "dop_v1_nodroplets\n")
	if _, err := p.account().apply(); report.ExitCode(err) != report.ExitCloud || !strings.Contains(explain(err), "the API answered 403 to POST /v2/droplets") || !strings.Contains(explain(err), "lacks a scope") {
		t.Error(explain(err))
	}
	p.write(p.dir+"/token", "dop_v1_makes\n")
	p.converge("prefect", "worker")
	p.declare(strings.Replace(small, "20GiB", "30GiB", 1) + "size = \"s-4vcpu-8gb\"\n")
	if _, err := p.with("resize").apply(); err != nil {
		t.Fatal(explain(err))
	}
	p.settled("prefect", "worker")
	p.write(p.dir+"/token", "dop_v1_takes\n")
	if _, _, err := p.demolish(true); err != nil {
		t.Fatal(explain(err))
	}
	if left := []int{len(p.cloud.Droplets()), len(p.cloud.Firewalls()), len(p.cloud.Volumes()), len(p.cloud.ReservedIPs()), len(p.cloud.Records("example.org"))}; slices.Max(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A redirect takes no token along, and says so.
func TestARedirectOfTheAPIIsNamed(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.cloud.Fail(digitaloceantest.Fault{Match: "^GET ", Nth: -1, Status: http.StatusFound})
	p.refuses(p.account(), report.ExitCloud, "the API answered 302", "a redirect is not followed, because the token would be sent along", "api_url")
}

// An answer of success that lacks what it should hold is no empty account.
func TestAnEmptyAnswerIsNoEmptyAccount(t *testing.T) {
	t.Parallel()
	p := arrangeCloud(t, digitaloceantest.Options{}, small)
	p.applied()
	p.cloud.Fail(digitaloceantest.Fault{Match: "^GET /v2/droplets", Nth: -1, Empty: true})
	p.refuses(p.account(), report.ExitCloud, `the API answered 200 to GET /v2/droplets without the "droplets" that belongs in it`)
}
