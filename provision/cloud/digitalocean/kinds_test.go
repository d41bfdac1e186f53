package digitalocean

import (
	"fmt"
	"strings"
	"testing"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/resource"
)

// cloudAccount is what the tables below declare: a server with everything.
func cloudAccount() (*declared.Account, *inventory.Host) {
	d := &declared.Account{Name: "prod"}
	return d, &inventory.Host{
		Name: "prefect", Roles: []inventory.Role{inventory.RoleServer},
		Machine: &declared.Droplet{Name: "prefect", Region: "fra1", Image: "debian-13-x64", Size: "s-2vcpu-4gb", Volume: 20},
	}
}

func TestDropletDiff(t *testing.T) {
	t.Parallel()
	do, host := cloudAccount()
	volume := &CloudVolume{D: do, Host: host}
	d := &Droplet{D: do, Host: host, Network: &CloudNetwork{D: do, Region: "fra1"}, Volume: volume}
	const tags = "provision:prod\nprovision:prod:name:prefect\nprovision:prod:role:server\nprovision:hostkey:aa"
	have := func(changes ...string) resource.Fact {
		f := yes("id", "7", "status", "active", "region", "fra1", "size", "s-2vcpu-4gb", "image", "debian-13-x64", "tags", tags)
		for n := 0; n+1 < len(changes); n += 2 {
			f.Fields[changes[n]] = changes[n+1]
		}
		return f
	}
	attached := yes("on", "7")
	with := func(droplet resource.Fact) facts { return facts{d.ID(): droplet, volume.ID(): attached} }
	runDiff(t, d, []diffCase{
		{Name: "not there", Facts: with(no()), Want: "add: the droplet does not exist: s-2vcpu-4gb, debian-13-x64, fra1"},
		{Name: "not known", Facts: with(unknown("no answer"))},
		{Name: "as it should be", Facts: with(have())},
		{Name: "half made", Facts: with(have("status", "new", "birth", "bb")), Want: "change: it was made and is not set up yet"},
		{Name: "active and not set up", Facts: with(have("birth", "bb")), Want: "change: it was made and is not set up yet"},
		{Name: "off", Facts: with(have("status", "off")), Want: "change: it is off, should be active"},
		{Name: "an old image without a name", Facts: with(have("image", ""))},
		{Name: "another image", Facts: with(have("image", "debian-12-x64")), Want: "refuse: it was made from debian-12-x64", Risk: resource.Data},
		{Name: "another region", Facts: with(have("region", "nyc3")), Want: "refuse: it is in nyc3, should be in fra1", Risk: resource.Data},
		{Name: "two that are used", Facts: with(have("used", "9\n")), Want: "refuse: several droplets carry its tag: 7, 9", Risk: resource.Data},
		{Name: "a tag is missing", Facts: with(have("tags", strings.Replace(tags, "provision:prod:role:server\n", "", 1))), Want: "change: it lacks the tag provision:prod:role:server"},
		{Name: "a role it lost", Facts: with(have("tags", tags+"\nprovision:prod:role:agent")), Want: "change: it should not have the tag provision:prod:role:agent"},
		{Name: "its volume is free", Facts: facts{d.ID(): have(), volume.ID(): yes("on", "")}, Want: "change: its volume is not attached"},
		{Name: "its volume is elsewhere", Facts: facts{d.ID(): have(), volume.ID(): yes("on", "9")}, Want: "change: its volume is attached to droplet 9"},
	})
	// Another size is a change of its own, and a second one that nobody used is removed.
	w := world{Facts: with(have("size", "s-1vcpu-1gb", "newborn", "9\n")), Asked: map[string]bool{}}
	got := d.Diff(w)
	if len(got) != 2 || got[0].Act != resource.Refuse || got[0].Risk != resource.Data || !strings.Contains(got[0].Hint, "--resize") || got[1].Act != resource.Remove || got[1].ID.Name != "prefect 9" {
		t.Errorf("%+v", got)
	}
	w.Asked["resize"] = true
	w.Facts[CloudAccountID()] = yes("catalog", `{"Sizes": [{"slug": "s-1vcpu-1gb", "price_monthly": 6}, {"slug": "s-2vcpu-4gb", "price_monthly": 24, "available": true, "regions": ["fra1"]}]}`)
	if got = d.Diff(w); got[0].Act != resource.Modify || got[0].Risk != resource.Interrupts || !strings.HasPrefix(got[0].Note, "$6.00 to $24.00 a month; ") {
		t.Errorf("%+v", got[0])
	}
}

func TestCloudVolumeDiff(t *testing.T) {
	t.Parallel()
	do, host := cloudAccount()
	v := &CloudVolume{D: do, Host: host}
	at := func(f resource.Fact) facts { return facts{v.ID(): f} }
	runDiff(t, v, []diffCase{
		{Name: "not there", Facts: at(no()), Want: "add: the volume does not exist: 20 GiB in fra1"},
		{Name: "not known", Facts: at(unknown(""))},
		{Name: "as it should be", Facts: at(yes("size", "20", "region", "fra1"))},
		{Name: "smaller", Facts: at(yes("size", "10", "region", "fra1")), Want: "change: it has 10 GiB, should have 20"},
		{Name: "larger", Facts: at(yes("size", "30", "region", "fra1")), Want: "refuse: the volume has 30 GiB, and a volume cannot shrink to 20", Risk: resource.Data},
		{Name: "elsewhere", Facts: at(yes("size", "20", "region", "nyc3")), Want: "refuse: the volume with the data is in nyc3", Risk: resource.Data},
	})
}

func TestCloudFirewallDiff(t *testing.T) {
	t.Parallel()
	do, _ := cloudAccount()
	f := &CloudFirewall{D: do, Name: "provision-prod", Tag: "provision:prod", Inbound: []string{"tcp 22"}, From: []string{"203.0.113.7/32"}, Outbound: true}
	at := func(change func(*godo.Firewall)) facts {
		q := f.request()
		one := godo.Firewall{ID: "1", Name: f.Name, InboundRules: q.InboundRules, OutboundRules: q.OutboundRules, Tags: q.Tags}
		change(&one)
		return facts{f.ID(): f.Look(&Listing{Firewalls: []godo.Firewall{{Name: "another"}, one}})}
	}
	runDiff(t, f, []diffCase{
		{Name: "not there", Facts: facts{f.ID(): f.Look(&Listing{Firewalls: []godo.Firewall{{Name: "another"}}})}, Want: "add: the firewall does not exist"},
		{Name: "not known", Facts: facts{f.ID(): unknown("")}},
		{Name: "as it should be", Facts: at(func(*godo.Firewall) {})},
		{Name: "all ports by their other names", Facts: at(func(w *godo.Firewall) {
			w.OutboundRules[0].PortRange, w.OutboundRules[1].PortRange, w.OutboundRules[2].PortRange = "1-65535", "all", ""
		})},
		{Name: "another port", Facts: at(func(w *godo.Firewall) { w.InboundRules[0].PortRange = "23" }), Want: "change: it lets other things through"},
		{Name: "everyone", Facts: at(func(w *godo.Firewall) { w.InboundRules[0].Sources = &godo.Sources{Addresses: everywhere} }), Want: "change: it lets other things through"},
		{Name: "a tag's droplets", Facts: at(func(w *godo.Firewall) { w.InboundRules[0].Sources.Tags = []string{"web"} }), Want: "change: it lets other things through"},
		{Name: "for nobody", Facts: at(func(w *godo.Firewall) { w.Tags = nil }), Want: "change: it lets other things through"},
	})
}

func TestReservedIPAndRecordDiff(t *testing.T) {
	t.Parallel()
	do, host := cloudAccount()
	do.Domain = "example.org"
	a := &ReservedIP{D: do, Host: host}
	runDiff(t, a, []diffCase{
		{Name: "not there", Facts: facts{a.ID(): no()}, Want: "add: the droplet has no reserved IP"},
		{Name: "not known", Facts: facts{a.ID(): unknown("")}},
		{Name: "as it should be", Facts: facts{a.ID(): yes("ip", "203.0.113.3", "on", "7", "known", "true")}},
		{Name: "free", Facts: facts{a.ID(): yes("ip", "203.0.113.3", "on", "", "known", "true")}, Want: "change: 203.0.113.3 is not on the droplet"},
		{Name: "not remembered", Facts: facts{a.ID(): yes("ip", "203.0.113.3", "on", "7", "known", "false")}, Want: "change: 203.0.113.3 is on the droplet and not remembered"},
	})
	n := &DNSRecord{D: do, Name: "prefect.example.org", Droplet: DropletID("prefect"), Address: a.ID()}
	at := func(record resource.Fact) facts { return facts{n.ID(): record, a.ID(): yes("ip", "203.0.113.3")} }
	runDiff(t, n, []diffCase{
		{Name: "not there", Facts: at(no()), Want: "add: the name leads nowhere yet"},
		{Name: "not known", Facts: at(unknown(""))},
		{Name: "as it should be", Facts: at(yes("data", "203.0.113.3"))},
		{Name: "elsewhere", Facts: at(yes("data", "198.51.100.1")), Want: "change: it leads to 198.51.100.1, should lead to 203.0.113.3", Risk: resource.Interrupts},
		{Name: "the address comes later", Facts: facts{n.ID(): yes("data", "198.51.100.1"), a.ID(): no()}, Want: "change: it leads to 198.51.100.1, and the server gets", Risk: resource.Interrupts},
		{Name: "twice the same", Facts: at(yes("data", "203.0.113.3\n203.0.113.3")), Want: "change: the same record is there twice"},
		{Name: "several", Facts: at(yes("data", "203.0.113.3\n198.51.100.1")), Want: "refuse: it leads to several addresses", Risk: resource.Cloud},
		{Name: "another name", Facts: at(yes("cname", "www.example.net.")), Want: "refuse: it is another name for www.example.net.", Risk: resource.Cloud},
		{Name: "no such domain", Facts: at(yes("domain", "missing")), Want: "refuse: the account does not manage the domain example.org", Risk: resource.Cloud},
	})
}

// engine is the fact of an engine that has these containers and nothing else.
func engine(containers string) resource.Fact {
	return yes("containers", containers, "networks", "", "volumes", "", "built", "", "images", "")
}

// A name is waited for as long as there is no Caddy that asks by itself.
func TestPublicNameDiff(t *testing.T) {
	t.Parallel()
	do, _ := cloudAccount()
	n := &PublicName{D: do, Name: "prefect.example.org", Droplet: DropletID("prefect"), Caddy: resource.ServiceID("prefect", "prefect-caddy")}
	at := func(engine resource.Fact) facts { return facts{resource.EngineID("prefect"): engine} }
	runDiff(t, n, []diffCase{
		{Name: "a host that does not exist", Facts: at(no()), Want: "await: it has to lead to the server"},
		{Name: "no Caddy yet", Facts: at(engine("")), Want: "await: it has to lead to the server"},
		{Name: "Docker is stopped", Facts: at(unknown("stopped"))},
		{Name: "Caddy is there", Facts: at(engine("/prefect-caddy|c1|sha256:1|i:1|exited||0|1|false|2026-01-01T00:00:00Z|def|m|p|x|False\n"))},
	})
}

func TestWhoseANetworkIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		named, name, region string
		own                 bool
	}{
		{"", "provision-prod-fra1", "fra1", true},
		{"", "provision-prod-nyc3", "nyc3", true}, // of an earlier region
		{"", "provision-prod-eu-fra1", "fra1", false},
		{"", "default-fra1", "fra1", false},
		{"theirs", "theirs", "fra1", false},
		{"theirs", "provision-prod-fra1", "fra1", true}, // made before theirs was named
		{"provision-prod-fra1", "provision-prod-fra1", "fra1", false},
	} {
		if got := OwnNetwork(&declared.Account{Name: "prod", VPC: c.named}, &godo.VPC{Name: c.name, RegionSlug: c.region}); got != c.own {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

func TestARecordForIPv6IsNamed(t *testing.T) {
	t.Parallel()
	do, _ := cloudAccount()
	n := &DNSRecord{D: do, Name: "prefect.example.org", Droplet: DropletID("prefect")}
	six := []godo.DomainRecord{{Type: "A", Data: "203.0.113.3"}, {Type: "AAAA", Data: "2001:db8::1"}}
	for _, c := range []struct {
		records []godo.DomainRecord
		know    resource.Know
		want    string
	}{
		{six, resource.Yes, "dns record prefect.example.org AAAA 2001:db8::1 leads elsewhere"},
		{six[1:], resource.No, "dns record prefect.example.org AAAA 2001:db8::1 leads elsewhere"},
		{six[:1], resource.Yes, ""},
	} {
		f := n.Look(&Listing{Domain: true, Records: c.records})
		got := strings.Join(n.Warn(world{Facts: facts{n.ID(): f}}), "\n")
		if f.Know != c.know || (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%v %q, want %v %q", f.Know, got, c.know, c.want)
		}
	}
}

// What differs and cannot be had, or is not ours to take away, is said and not changed.
func TestDropletWarns(t *testing.T) {
	t.Parallel()
	do, host := cloudAccount()
	d := &Droplet{D: do, Host: host, Network: &CloudNetwork{D: do, Region: "fra1"}}
	for _, c := range []struct {
		monitoring, backups bool
		features, want      string
	}{
		{true, true, "backups\nmonitoring", ""},
		{false, false, "", ""},
		{true, false, "", "droplet prefect has no monitoring"},
		{false, false, "monitoring", "droplet prefect has monitoring, and digitalocean.monitoring is false"},
		{false, false, "backups", "droplet prefect has backups, which cost something"},
		{false, true, "", ""}, // a change, and no warning
	} {
		do.Monitoring, do.Backups = c.monitoring, c.backups
		got := strings.Join(d.Warn(world{Facts: facts{d.ID(): yes("status", "active", "features", c.features)}}), "\n")
		if (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// A hint names few sizes, and those that are most like the one that cannot be had.
func TestTheNearestSizesAreNamed(t *testing.T) {
	t.Parallel()
	var all []string
	for _, line := range []string{"s", "c", "g", "m"} {
		for _, cpus := range []int{1, 2, 4, 8, 16, 32} {
			all = append(all, fmt.Sprintf("%s-%dvcpu-%dgb", line, cpus, 2*cpus))
		}
	}
	got := nearest("sizes there are", "s-3vcpu-6gb", all)
	if want := "sizes there are, nearest to it: s-2vcpu-4gb, s-4vcpu-8gb, s-1vcpu-2gb, s-8vcpu-16gb, s-16vcpu-32gb, s-32vcpu-64gb; all of them: doctl compute size list"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := nearest("sizes there are", "x", all[:2]); got != "sizes there are: s-1vcpu-2gb, s-2vcpu-4gb" {
		t.Error(got)
	}
}
