package digitalocean

import (
	"fmt"
	"strings"
	"testing"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/resource"
)

// cloudAccount is what the tables below declare: a server with everything.
func cloudAccount() (*inventory.DigitalOcean, *inventory.Host) {
	d := &inventory.DigitalOcean{Name: "prod"}
	return d, &inventory.Host{
		Name: "prefect", Roles: []inventory.Role{inventory.RoleServer},
		Machine: &inventory.Droplet{Name: "prefect", Region: "fra1", Image: "debian-13-x64", Size: "s-2vcpu-4gb", Volume: 20},
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
		{name: "not there", facts: with(no()), want: "add: the droplet does not exist: s-2vcpu-4gb, debian-13-x64, fra1"},
		{name: "not known", facts: with(unknown("no answer"))},
		{name: "as it should be", facts: with(have())},
		{name: "half made", facts: with(have("status", "new", "birth", "bb")), want: "change: it was made and is not set up yet"},
		{name: "active and not set up", facts: with(have("birth", "bb")), want: "change: it was made and is not set up yet"},
		{name: "off", facts: with(have("status", "off")), want: "change: it is off, should be active"},
		{name: "an old image without a name", facts: with(have("image", ""))},
		{name: "another image", facts: with(have("image", "debian-12-x64")), want: "refuse: it was made from debian-12-x64", risk: resource.Data},
		{name: "another region", facts: with(have("region", "nyc3")), want: "refuse: it is in nyc3, should be in fra1", risk: resource.Data},
		{name: "two that are used", facts: with(have("used", "9\n")), want: "refuse: several droplets carry its tag: 7, 9", risk: resource.Data},
		{name: "a tag is missing", facts: with(have("tags", strings.Replace(tags, "provision:prod:role:server\n", "", 1))), want: "change: it lacks the tag provision:prod:role:server"},
		{name: "a role it lost", facts: with(have("tags", tags+"\nprovision:prod:role:agent")), want: "change: it should not have the tag provision:prod:role:agent"},
		{name: "its volume is free", facts: facts{d.ID(): have(), volume.ID(): yes("on", "")}, want: "change: its volume is not attached"},
		{name: "its volume is elsewhere", facts: facts{d.ID(): have(), volume.ID(): yes("on", "9")}, want: "change: its volume is attached to droplet 9"},
	})
	// Another size is a change of its own, and a second one that nobody used is removed.
	w := world{with(have("size", "s-1vcpu-1gb", "newborn", "9\n")), map[resource.ID]bool{}, map[string]bool{}}
	got := d.Diff(w)
	if len(got) != 2 || got[0].Act != resource.Refuse || got[0].Risk != resource.Data || !strings.Contains(got[0].Hint, "--resize") || got[1].Act != resource.Remove || got[1].ID.Name != "prefect 9" {
		t.Errorf("%+v", got)
	}
	w.options["resize"] = true
	w.facts[CloudAccountID()] = yes("catalog", `{"Sizes": [{"slug": "s-1vcpu-1gb", "price_monthly": 6}, {"slug": "s-2vcpu-4gb", "price_monthly": 24, "available": true, "regions": ["fra1"]}]}`)
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
		{name: "not there", facts: at(no()), want: "add: the volume does not exist: 20 GiB in fra1"},
		{name: "not known", facts: at(unknown(""))},
		{name: "as it should be", facts: at(yes("size", "20", "region", "fra1"))},
		{name: "smaller", facts: at(yes("size", "10", "region", "fra1")), want: "change: it has 10 GiB, should have 20"},
		{name: "larger", facts: at(yes("size", "30", "region", "fra1")), want: "refuse: the volume has 30 GiB, and a volume cannot shrink to 20", risk: resource.Data},
		{name: "elsewhere", facts: at(yes("size", "20", "region", "nyc3")), want: "refuse: the volume with the data is in nyc3", risk: resource.Data},
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
		{name: "not there", facts: facts{f.ID(): f.Look(&Listing{Firewalls: []godo.Firewall{{Name: "another"}}})}, want: "add: the firewall does not exist"},
		{name: "not known", facts: facts{f.ID(): unknown("")}},
		{name: "as it should be", facts: at(func(*godo.Firewall) {})},
		{name: "all ports by their other names", facts: at(func(w *godo.Firewall) {
			w.OutboundRules[0].PortRange, w.OutboundRules[1].PortRange, w.OutboundRules[2].PortRange = "1-65535", "all", ""
		})},
		{name: "another port", facts: at(func(w *godo.Firewall) { w.InboundRules[0].PortRange = "23" }), want: "change: it lets other things through"},
		{name: "everyone", facts: at(func(w *godo.Firewall) { w.InboundRules[0].Sources = &godo.Sources{Addresses: everywhere} }), want: "change: it lets other things through"},
		{name: "a tag's droplets", facts: at(func(w *godo.Firewall) { w.InboundRules[0].Sources.Tags = []string{"web"} }), want: "change: it lets other things through"},
		{name: "for nobody", facts: at(func(w *godo.Firewall) { w.Tags = nil }), want: "change: it lets other things through"},
	})
}

func TestReservedIPAndRecordDiff(t *testing.T) {
	t.Parallel()
	do, host := cloudAccount()
	do.Domain = "example.org"
	a := &ReservedIP{D: do, Host: host}
	runDiff(t, a, []diffCase{
		{name: "not there", facts: facts{a.ID(): no()}, want: "add: the droplet has no reserved IP"},
		{name: "not known", facts: facts{a.ID(): unknown("")}},
		{name: "as it should be", facts: facts{a.ID(): yes("ip", "203.0.113.3", "on", "7", "known", "true")}},
		{name: "free", facts: facts{a.ID(): yes("ip", "203.0.113.3", "on", "", "known", "true")}, want: "change: 203.0.113.3 is not on the droplet"},
		{name: "not remembered", facts: facts{a.ID(): yes("ip", "203.0.113.3", "on", "7", "known", "false")}, want: "change: 203.0.113.3 is on the droplet and not remembered"},
	})
	n := &DNSRecord{D: do, Name: "prefect.example.org", Droplet: DropletID("prefect"), Address: a.ID()}
	at := func(record resource.Fact) facts { return facts{n.ID(): record, a.ID(): yes("ip", "203.0.113.3")} }
	runDiff(t, n, []diffCase{
		{name: "not there", facts: at(no()), want: "add: the name leads nowhere yet"},
		{name: "not known", facts: at(unknown(""))},
		{name: "as it should be", facts: at(yes("data", "203.0.113.3"))},
		{name: "elsewhere", facts: at(yes("data", "198.51.100.1")), want: "change: it leads to 198.51.100.1, should lead to 203.0.113.3", risk: resource.Interrupts},
		{name: "the address comes later", facts: facts{n.ID(): yes("data", "198.51.100.1"), a.ID(): no()}, want: "change: it leads to 198.51.100.1, and the server gets", risk: resource.Interrupts},
		{name: "twice the same", facts: at(yes("data", "203.0.113.3\n203.0.113.3")), want: "change: the same record is there twice"},
		{name: "several", facts: at(yes("data", "203.0.113.3\n198.51.100.1")), want: "refuse: it leads to several addresses", risk: resource.Cloud},
		{name: "another name", facts: at(yes("cname", "www.example.net.")), want: "refuse: it is another name for www.example.net.", risk: resource.Cloud},
		{name: "no such domain", facts: at(yes("domain", "missing")), want: "refuse: the account does not manage the domain example.org", risk: resource.Cloud},
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
		{name: "a host that does not exist", facts: at(no()), want: "await: it has to lead to the server"},
		{name: "no Caddy yet", facts: at(engine("")), want: "await: it has to lead to the server"},
		{name: "Docker is stopped", facts: at(unknown("stopped"))},
		{name: "Caddy is there", facts: at(engine("/prefect-caddy|c1|sha256:1|i:1|exited||0|1|false|2026-01-01T00:00:00Z|def|m|p|x\n"))},
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
		if got := OwnNetwork(&inventory.DigitalOcean{Name: "prod", VPC: c.named}, &godo.VPC{Name: c.name, RegionSlug: c.region}); got != c.own {
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
		got := strings.Join(n.Warn(world{facts: facts{n.ID(): f}}), "\n")
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
		got := strings.Join(d.Warn(world{facts: facts{d.ID(): yes("status", "active", "features", c.features)}}), "\n")
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
