package digitaloceantest

import (
	"context"
	"slices"
	"testing"

	"github.com/digitalocean/godo"
	"github.com/google/go-cmp/cmp"
	gossh "golang.org/x/crypto/ssh"
)

func TestSequence(t *testing.T) {
	c, g := start(t, Options{})
	sequence(t, c, g, asDescribed(g))
	if u := c.Unknown(); len(u) > 0 {
		t.Errorf("not simulated: %v", u)
	}
}

type creator func(context.Context, *godo.DropletCreateRequest) (*godo.Droplet, *godo.Response, error)

// waitAction looks at an action until it has ended; the fake needs looks, not time.
func waitAction(t *testing.T, g *godo.Client, id int) *godo.Action {
	t.Helper()
	for range 20 {
		a := must(g.Actions.Get(within(t), id))(t)
		if a.Status != "in-progress" {
			return a
		}
	}
	t.Fatalf("action %d is still in progress", id)
	return nil
}

// sequence brings up what an inventory declares and takes it down again, with every call that is made on the way.
// create is how droplets are created.
func sequence(t *testing.T, c *Cloud, g *godo.Client, create creator) {
	ctx := within(t)
	all := &godo.ListOptions{PerPage: 200}
	account := must(g.Account.Get(ctx))(t)
	if account.Status != "active" || account.DropletLimit != 25 {
		t.Fatalf("account: %+v", account)
	}

	public, _, _, _, err := gossh.ParseAuthorizedKey([]byte(publicKey))
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := gossh.FingerprintLegacyMD5(public)
	_, _, err = g.Keys.GetByFingerprint(ctx, fingerprint)
	wants(t, err, 404, "The resource you requested could not be found.")
	key := must(g.Keys.Create(ctx, &godo.KeyCreateRequest{Name: "ops", PublicKey: publicKey}))(t)
	_, _, err = g.Keys.Create(ctx, &godo.KeyCreateRequest{Name: "again", PublicKey: publicKey})
	wants(t, err, 422, "SSH Key is already in use on your account")
	if got := must(g.Keys.GetByFingerprint(ctx, fingerprint))(t); got.ID != key.ID || got.Fingerprint != fingerprint {
		t.Fatalf("key by fingerprint: %+v", got)
	}
	must(g.Keys.List(ctx, all))(t)

	regions := must(g.Regions.List(ctx, all))(t)
	at := slices.IndexFunc(regions, func(r godo.Region) bool { return r.Slug == "fra1" })
	if at < 0 || !regions[at].Available || !slices.Contains(regions[at].Sizes, "s-2vcpu-4gb") {
		t.Fatalf("regions: %+v", regions)
	}
	sizes := must(g.Sizes.List(ctx, all))(t)
	at = slices.IndexFunc(sizes, func(s godo.Size) bool { return s.Slug == "s-2vcpu-4gb" })
	if at < 0 || sizes[at].PriceMonthly != 24 || sizes[at].PriceHourly == 0 || !slices.Contains(sizes[at].Regions, "fra1") {
		t.Fatalf("sizes: %+v", sizes)
	}
	if i := must(g.Images.GetBySlug(ctx, "debian-13-x64"))(t); i.Distribution != "Debian" || i.ID == 0 {
		t.Fatalf("image: %+v", i)
	}
	must(g.Images.ListDistribution(ctx, all))(t)

	const tag, serverTag = "provision:prod", "provision:prod:server:1"
	for _, name := range []string{tag, serverTag, tag} {
		if made := must(g.Tags.Create(ctx, &godo.TagCreateRequest{Name: name}))(t); made.Name != name {
			t.Fatalf("tag: %+v", made)
		}
	}
	vpc := must(g.VPCs.Create(ctx, &godo.VPCCreateRequest{Name: "prod", RegionSlug: "fra1", IPRange: "10.20.0.0/20"}))(t)
	if got := must(g.VPCs.Get(ctx, vpc.ID))(t); got.Name != "prod" || got.IPRange != "10.20.0.0/20" || !got.Default {
		t.Fatalf("vpc: %+v", got)
	}
	must(g.VPCs.List(ctx, all))(t)

	firewall := must(g.Firewalls.Create(ctx, firewallRequest("prod", tag)))(t)
	got := must(g.Firewalls.Get(ctx, firewall.ID))(t)
	if got.OutboundRules[0].PortRange != "0" || got.InboundRules[0].PortRange != "22" || got.Status != "succeeded" || !slices.Equal(got.Tags, []string{tag}) {
		t.Fatalf("firewall: %+v", got)
	}
	must(g.Firewalls.Update(ctx, firewall.ID, firewallRequest("prod", tag, serverTag)))(t)
	must(g.Firewalls.List(ctx, all))(t)
	if _, err := g.Firewalls.RemoveTags(ctx, firewall.ID, serverTag); err != nil {
		t.Fatal(err)
	}

	volume := must(g.Storage.CreateVolume(ctx, &godo.VolumeCreateRequest{Name: "prod-database", Region: "fra1", SizeGigaBytes: 20, Tags: []string{tag}}))(t)
	if found := must(g.Storage.ListVolumes(ctx, &godo.ListVolumeParams{Name: "prod-database", Region: "fra1", ListOptions: all}))(t); len(found) != 1 || found[0].ID != volume.ID || found[0].SizeGigaBytes != 20 {
		t.Fatalf("volumes: %+v", found)
	}

	server := createServer(ctx, t, c, g, create, key, vpc, volume, tag, serverTag)
	agent := dropletRequest("worker-1", tag)
	agent.VPCUUID = vpc.ID
	worker, resp, err := create(ctx, agent)
	if err != nil {
		t.Fatal(err)
	}
	waitAction(t, g, resp.Links.Actions[0].ID)
	if tagged := must(g.Droplets.ListByTag(ctx, tag, all))(t); len(tagged) != 2 {
		t.Fatalf("by tag: %d droplets", len(tagged))
	}
	if named := must(g.Droplets.ListByName(ctx, "worker-1", all))(t); len(named) != 1 || named[0].ID != worker.ID {
		t.Fatalf("by name: %+v", named)
	}
	must(g.VPCs.ListMembers(ctx, vpc.ID, &godo.VPCListMembersRequest{ResourceType: "droplet"}, all))(t)

	ip := must(g.ReservedIPs.Create(ctx, &godo.ReservedIPCreateRequest{Region: "fra1"}))(t)
	waitAction(t, g, must(g.ReservedIPActions.Assign(ctx, ip.IP, server))(t).ID)
	if held := must(g.ReservedIPs.Get(ctx, ip.IP))(t); held.Droplet == nil || held.Droplet.ID != server {
		t.Fatalf("reserved ip: %+v", held)
	}
	must(g.ReservedIPs.List(ctx, all))(t)

	must(g.Domains.Create(ctx, &godo.DomainCreateRequest{Name: "example.org"}))(t)
	must(g.Domains.Get(ctx, "example.org"))(t)
	record := must(g.Domains.CreateRecord(ctx, "example.org", &godo.DomainRecordEditRequest{Type: "A", Name: "prefect", Data: "203.0.113.250", TTL: 300}))(t)
	must(g.Domains.EditRecord(ctx, "example.org", record.ID, &godo.DomainRecordEditRequest{Type: "A", Name: "prefect", Data: ip.IP, TTL: 300}))(t)
	if found := must(g.Domains.RecordsByTypeAndName(ctx, "example.org", "A", "prefect.example.org", all))(t); len(found) != 1 || found[0].Data != ip.IP || found[0].TTL != 300 || found[0].Name != "prefect" {
		t.Fatalf("records: %+v", found)
	}

	must(g.Projects.List(ctx, all))(t)
	project := must(g.Projects.Create(ctx, &godo.CreateProjectRequest{Name: "prefect", Purpose: "Prefect", Environment: "Production"}))(t)
	urns := []any{godo.Droplet{ID: server}.URN(), volume.URN(), "do:floatingip:" + ip.IP, "do:domain:example.org"}
	for _, r := range must(g.Projects.AssignResources(ctx, project.ID, urns...))(t) {
		if r.Status != "assigned" && r.Status != "already_assigned" { // what is on the droplet moves with it
			t.Errorf("%s: %s", r.URN, r.Status)
		}
	}
	if held := must(g.Projects.ListResources(ctx, project.ID, all))(t); len(held) != 4 {
		t.Fatalf("project: %+v", held)
	}

	teardown(ctx, t, c, g, []int{worker.ID, server}, volume.ID, firewall.ID, ip.IP)
	for _, urn := range []string{"example.org"} {
		if _, err := g.Domains.DeleteRecord(ctx, urn, record.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Domains.Delete(ctx, urn); err != nil {
			t.Fatal(err)
		}
	}
	for _, remove := range []func() (*godo.Response, error){
		func() (*godo.Response, error) { return g.Projects.Delete(ctx, project.ID) },
		func() (*godo.Response, error) { return g.Tags.Delete(ctx, serverTag) },
		func() (*godo.Response, error) { return g.Keys.DeleteByFingerprint(ctx, fingerprint) },
	} {
		if _, err := remove(); err != nil {
			t.Fatal(err)
		}
	}
	left := map[string]int{"droplets": len(c.Droplets()), "volumes": len(c.Volumes()), "firewalls": len(c.Firewalls()), "ips": len(c.ReservedIPs()), "keys": len(c.Keys()), "records": len(c.Records("example.org"))}
	if d := cmp.Diff(map[string]int{"droplets": 0, "volumes": 0, "firewalls": 0, "ips": 0, "keys": 0, "records": 0}, left); d != "" {
		t.Error(d)
	}
}

// createServer creates the droplet that has everything, and waits for it.
func createServer(ctx context.Context, t *testing.T, c *Cloud, g *godo.Client, create creator, key *godo.Key, vpc *godo.VPC, volume *godo.Volume, tags ...string) int {
	t.Helper()
	want := dropletRequest("prefect", tags...)
	want.SSHKeys = []godo.DropletCreateSSHKey{{Fingerprint: key.Fingerprint}}
	want.VPCUUID, want.Monitoring, want.Backups, want.UserData = vpc.ID, true, true, "#cloud-config\nssh_deletekeys: true\n"
	want.BackupPolicy = &godo.DropletBackupPolicyRequest{Plan: "daily", Hour: godo.PtrTo(4)}
	want.Volumes = []godo.DropletCreateVolume{{ID: volume.ID}}
	d, resp, err := create(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	if d.Status != "new" || len(d.Networks.V4) != 0 || len(resp.Links.Actions) != 1 {
		t.Fatalf("just created: %+v, %+v", d, resp.Links)
	}
	if a := waitAction(t, g, resp.Links.Actions[0].ID); a.Status != "completed" || a.ResourceID != d.ID || a.Type != "create" {
		t.Fatalf("create action: %+v", a)
	}
	d = must(g.Droplets.Get(ctx, d.ID))(t)
	public, _ := d.PublicIPv4()
	private, _ := d.PrivateIPv4()
	if d.Status != "active" || public == "" || private == "" || !slices.Equal(d.VolumeIDs, []string{volume.ID}) || d.VPCUUID != vpc.ID || !slices.Equal(d.Tags, tags) || d.NextBackupWindow == nil {
		t.Fatalf("active: %+v", d)
	}
	seen := c.Droplets()[0]
	if seen.UserData != want.UserData || !seen.Monitoring || !seen.Backups || seen.Keys[0] != key.Fingerprint {
		t.Fatalf("inspected: %+v", seen)
	}
	for _, act := range []func() (*godo.Action, *godo.Response, error){
		func() (*godo.Action, *godo.Response, error) { return g.DropletActions.PowerOff(ctx, d.ID) },
		func() (*godo.Action, *godo.Response, error) {
			return g.DropletActions.Resize(ctx, d.ID, "s-4vcpu-8gb", false)
		},
		func() (*godo.Action, *godo.Response, error) { return g.DropletActions.PowerOn(ctx, d.ID) },
	} {
		a := must(act())(t)
		waitAction(t, g, a.ID)
		must(g.DropletActions.Get(ctx, d.ID, a.ID))(t)
	}
	if d = must(g.Droplets.Get(ctx, d.ID))(t); d.SizeSlug != "s-4vcpu-8gb" || d.Memory != 8192 || d.Disk != 80 || d.Status != "active" {
		t.Fatalf("resized: %+v", d)
	}
	hostKey := "provision:hostkey:0a1b"
	must(g.Tags.Create(ctx, &godo.TagCreateRequest{Name: hostKey}))(t)
	resources := []godo.Resource{{ID: itoa(d.ID), Type: godo.DropletResourceType}}
	if _, err := g.Tags.TagResources(ctx, hostKey, &godo.TagResourcesRequest{Resources: resources}); err != nil {
		t.Fatal(err)
	}
	if tagged := c.Tagged(hostKey); !slices.Equal(tagged, []string{d.URN()}) {
		t.Fatalf("tagged: %v", tagged)
	}
	if seen := must(g.Tags.Get(ctx, hostKey))(t); seen.Resources.Droplets.Count != 1 {
		t.Fatalf("tag: %+v", seen)
	}
	must(g.Tags.List(ctx, nil))(t)
	if _, err := g.Tags.UntagResources(ctx, hostKey, &godo.UntagResourcesRequest{Resources: resources}); err != nil {
		t.Fatal(err)
	}
	return d.ID
}

// teardown removes in the order in which it should be done, and is refused where it is not.
func teardown(ctx context.Context, t *testing.T, c *Cloud, g *godo.Client, droplets []int, volume, firewall, ip string) {
	t.Helper()
	_, err := g.Storage.DeleteVolume(ctx, volume)
	wants(t, err, 409, "attached volume cannot be deleted")
	waitAction(t, g, must(g.ReservedIPActions.Unassign(ctx, ip))(t).ID)
	waitAction(t, g, must(g.StorageActions.DetachByDropletID(ctx, volume, droplets[1]))(t).ID)
	a := must(g.StorageActions.Attach(ctx, volume, droplets[1]))(t)
	waitAction(t, g, a.ID)
	must(g.StorageActions.Get(ctx, volume, a.ID))(t)
	if got := must(g.Storage.GetVolume(ctx, volume))(t); !slices.Equal(got.DropletIDs, droplets[1:]) {
		t.Fatalf("attached: %+v", got)
	}
	for _, id := range droplets {
		if _, err := g.Droplets.Delete(ctx, id); err != nil {
			t.Fatal(err)
		}
		_, _, err := g.Droplets.Get(ctx, id)
		wants(t, err, 404, "The resource you requested could not be found.")
	}
	if v := c.Volumes(); len(v) != 1 || v[0].Droplet != 0 {
		t.Fatalf("volumes after the droplets: %+v", v)
	}
	for _, remove := range []func() (*godo.Response, error){
		func() (*godo.Response, error) { return g.Firewalls.Delete(ctx, firewall) },
		func() (*godo.Response, error) { return g.ReservedIPs.Delete(ctx, ip) },
		func() (*godo.Response, error) { return g.Storage.DeleteVolume(ctx, volume) },
	} {
		if _, err := remove(); err != nil {
			t.Fatal(err)
		}
	}
}
