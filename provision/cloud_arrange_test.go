package provision_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"

	"provision/provision/cloud"
	digitalocean "provision/provision/cloud/digitalocean/declared"
	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/remote/remotetest"
)

// cloudToken is what must be found nowhere.
const cloudToken = digitaloceantest.Token

// production is an account without anything in it, a file that declares droplets, and simulated
// hosts that boot as the account makes droplets of them.
type production struct {
	*site
	cloud *digitaloceantest.Cloud
	dir   string

	mu       sync.Mutex
	machines map[int]*remotetest.Host // by the droplet's number
	disks    map[string]*remotetest.Disk
	booted   int
	blank    remotetest.HostOptions // how droplets boot, beside their host key
	onGone   func(*remotetest.Host) // called before a deleted machine ends
	disk     func(*remotetest.Disk) // called for a new disk
	onBoot   func(*remotetest.Host) // called before anybody can reach a new machine
	foreign  bool                   // they boot with another key than that of their user data
}

// declared are the droplets of most tests.
const declared = `
[droplets.prefect]
roles = ["server"]
volume = "20GiB"
reserved_ip = true

[droplets.worker]
roles = ["agent"]
count = 2
`

// arrangeCloud makes the account and writes the file.
func arrangeCloud(t testing.TB, o digitaloceantest.Options, droplets string) *production {
	t.Helper()
	dir := t.TempDir()
	p := &production{dir: dir, machines: map[int]*remotetest.Host{}, disks: map[string]*remotetest.Disk{}}
	p.site = &site{t: t, fleet: remotetest.NewFleet(remotetest.Options{}), inventory: filepath.Join(dir, "prod.toml"), config: filepath.Join(dir, "ssh_config")}
	p.ssh = "no ssh is asked" // the machines get their ports while a pass runs, and ssh's answers are kept for a run
	o.Boot, o.Gone, o.Attached, o.Power = p.boot, p.gone, p.attached, p.power
	p.cloud = digitaloceantest.New(o)
	t.Cleanup(p.fleet.Close)
	t.Cleanup(p.cloud.Close)
	p.write(filepath.Join(dir, "id_ed25519"), string(p.fleet.ClientKeyPEM()))
	signer, err := ssh.ParsePrivateKey(p.fleet.ClientKeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	p.write(filepath.Join(dir, "id_ed25519.pub"), string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	p.write(filepath.Join(dir, "token"), cloudToken+"\n")
	p.write(p.config, fmt.Sprintf("Host %s\n  Port %d\n", remotetest.OwnAddress, remotetest.OwnPort))
	p.call("POST", "/v2/domains", `{"name": "example.org"}`)
	p.declare(droplets)
	return p
}

// call asks the account for something in the owner's name.
func (p *production) call(method, path, body string) {
	p.t.Helper()
	q, err := http.NewRequest(method, p.cloud.URL()+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatalf("%v", err)
	}
	q.Header.Set("Authorization", "Bearer "+cloudToken)
	q.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(q)
	if err != nil || resp.StatusCode >= 300 {
		p.t.Fatalf("%s %s: %v %v", method, path, resp, err)
	}
	resp.Body.Close()
}

// declare writes the file anew.
func (p *production) declare(droplets string) {
	p.write(p.inventory, fmt.Sprintf(`url = "https://prefect.example.org"

[ssh]
identity_file = "id_ed25519"
known_hosts = "known_hosts"
connect_timeout = "30s"

[digitalocean]
name = "prod"
token = { file = "token" }
api_url = %q
region = "fra1"
ssh_keys = ["id_ed25519.pub"]
admin_cidrs = ["203.0.113.7/32"]
domain = "example.org"
project = "prefect"
%s`, p.cloud.URL(), droplets))
}

// boot is what the account calls when a droplet becomes active: a blank machine with the host key of
// its user data, at an address of its own.
func (p *production) boot(d digitaloceantest.Droplet) (digitaloceantest.Machine, error) {
	var data struct {
		Keys struct {
			Private string `yaml:"ed25519_private"`
		} `yaml:"ssh_keys"`
	}
	if err := yaml.Unmarshal([]byte(d.UserData), &data); err != nil {
		return digitaloceantest.Machine{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.booted++
	o := p.blank
	o.HostKey, o.Address, o.CloudInit = []byte(data.Keys.Private), remotetest.OwnAddress, 2
	if p.foreign {
		o.HostKey = nil
	}
	h, err := p.fleet.Host(fmt.Sprintf("%s-%d", d.Name, d.ID), o)
	if err != nil {
		return digitaloceantest.Machine{}, err
	}
	p.machines[d.ID] = h
	if p.onBoot != nil {
		p.onBoot(h)
	}
	for _, v := range p.cloud.Volumes() {
		if slices.Contains(d.Volumes, v.ID) {
			p.plug(h, v)
		}
	}
	return digitaloceantest.Machine{Address: h.IP()}, nil
}

// plug puts a volume into a machine; the lock is held.
func (p *production) plug(h *remotetest.Host, v digitaloceantest.Volume) {
	if p.disks[v.ID] == nil {
		p.disks[v.ID] = &remotetest.Disk{}
		if p.disk != nil {
			p.disk(p.disks[v.ID])
		}
	}
	h.Attach("scsi-0DO_Volume_"+v.Name, p.disks[v.ID])
}

// attached is what the account calls when a volume comes to a machine that runs, or leaves it.
func (p *production) attached(d digitaloceantest.Droplet, v digitaloceantest.Volume, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch h := p.machines[d.ID]; {
	case h == nil:
	case on:
		p.plug(h, v)
	default:
		h.Detach("scsi-0DO_Volume_" + v.Name)
	}
}

// power is what the account calls when a droplet is switched off or on.
func (p *production) power(d digitaloceantest.Droplet, on bool) {
	p.mu.Lock()
	h := p.machines[d.ID]
	p.mu.Unlock()
	if h != nil && on {
		h.Reboot()
	}
}

func (p *production) gone(d digitaloceantest.Droplet) {
	p.mu.Lock()
	h := p.machines[d.ID]
	delete(p.machines, d.ID)
	p.mu.Unlock()
	if h == nil {
		return
	}
	if p.onGone != nil {
		p.onGone(h)
	}
	for _, i := range h.Files("/dev/disk/by-id") {
		h.Detach(i.Name())
	}
	h.Close()
}

// host is the machine of the one droplet of that name.
func (p *production) host(name string) *remotetest.Host {
	p.t.Helper()
	var found *remotetest.Host
	for _, d := range p.cloud.Droplets() {
		if d.Name != name {
			continue
		}
		if found != nil {
			p.t.Fatalf("there are two droplets called %s", name)
		}
		p.mu.Lock()
		found = p.machines[d.ID]
		p.mu.Unlock()
	}
	if found == nil {
		p.t.Fatalf("there is no droplet called %s", name)
	}
	return found
}

// droplet is the one of that name.
func (p *production) droplet(name string) digitaloceantest.Droplet {
	p.t.Helper()
	all := p.cloud.Droplets()
	n := slices.IndexFunc(all, func(d digitaloceantest.Droplet) bool { return d.Name == name })
	if n < 0 {
		p.t.Fatalf("there is no droplet called %s", name)
	}
	return all[n]
}

// attempt is a pass that waits for the account as little as the fake needs.
func (p *production) attempt() *attempt {
	p.t.Helper()
	a := p.site.attempt()
	a.Pace = cloud.Pace{Call: 10 * time.Second, Pause: 5 * time.Millisecond, Deadline: 5 * time.Minute} // a thirtieth of it is what a host has to show its key
	return a
}

// converge applies, and wants nothing to do after it, and of everything as many as are declared.
func (p *production) converge(names ...string) {
	p.t.Helper()
	if _, err := p.attempt().apply(); err != nil {
		p.t.Fatalf("apply: %s", explain(err))
	}
	p.settled(names...)
}

func (p *production) settled(names ...string) {
	p.t.Helper()
	result, err := p.attempt().apply()
	if err != nil {
		p.t.Fatalf("apply again: %s", explain(err))
	}
	if len(result.Outcomes) > 0 {
		p.t.Fatalf("the second apply changed something: %+v", result.Outcomes)
	}
	p.count(names...)
	if hosts, calls := p.fleet.Unknown(), p.cloud.Unknown(); len(hosts)+len(calls) > 0 {
		p.t.Fatalf("the simulation does not know: %s %v", strings.Join(hosts, "; "), calls)
	}
}

// count wants exactly what is declared, and nothing that nobody keeps track of.
func (p *production) count(names ...string) {
	p.t.Helper()
	var have []string
	for _, d := range p.cloud.Droplets() {
		have = append(have, d.Name)
		if n := len(digitalocean.HostKeys(d.Tags)); n != 1 || digitalocean.BirthKey(d.Tags) != "" {
			p.t.Fatalf("%s has the tags %v", d.Name, d.Tags)
		}
	}
	slices.Sort(have)
	slices.Sort(names)
	if !slices.Equal(have, names) {
		p.t.Fatalf("droplets are %v, declared are %v", have, names)
	}
	if n := len(p.cloud.Volumes()); n != 1 {
		p.t.Fatalf("there are %d volumes", n)
	}
	if n := len(p.cloud.Firewalls()); n != 2 {
		p.t.Fatalf("there are %d firewalls", n)
	}
	if n := len(p.cloud.ReservedIPs()); n != 1 {
		p.t.Fatalf("there are %d reserved IPs", n)
	}
	if n := len(p.cloud.Records("example.org")); n != 1 {
		p.t.Fatalf("there are %d records", n)
	}
	if n := len(p.cloud.Keys()); n != 1 {
		p.t.Fatalf("there are %d ssh keys", n)
	}
	made := 0
	for _, v := range p.cloud.VPCs() {
		if strings.HasPrefix(v.Name, "provision-") {
			made++
		}
	}
	if made != 1 {
		p.t.Fatalf("there are %d networks", made)
	}
	if n := len(p.cloud.Projects()); n != 2 { // the account's own, and that of the file
		p.t.Fatalf("there are %d projects", n)
	}
}

// failing kills a run at the first command that matches.
func failing(match string, late bool, kill func()) func(*remotetest.Host) {
	return func(h *remotetest.Host) { h.Fail(remotetest.Failure{Match: match, Late: late, Do: kill}) }
}
