//go:build linux && e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"provision/e2e/lab"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/remote"
)

// production is an account whose droplets are lab hosts.
type production struct {
	*site
	cloud    *digitaloceantest.Cloud
	internet *internet

	mu    sync.Mutex
	hosts map[int]*lab.Host // by the droplet's number
	disks map[string]*lab.Disk
}

const (
	publicName = "prefect.example.org"
	// A reserved address is none that a host gets by itself.
	reserved = "10.77.0.9"
	mount    = "/mnt/prefect-data"
)

// testProduction goes from an account without a droplet to a verified stack whose name has a
// certificate of an ACME authority, lives through a boot without the volume, grows, shrinks, and is
// destroyed but for its data. Droplets are lab hosts that boot when they are created, from an image
// with cloud-init, which takes the host key out of their user data; their volumes are loop devices.
// What is not there: the account's firewalls, the metadata address, udev and the DigitalOcean agent.
func testProduction(t *testing.T) {
	s, _ := newSite(t, "e2e-production", gen3)
	if err := s.lab.MakeCloudImage(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := &production{site: s, hosts: map[int]*lab.Host{}, disks: map[string]*lab.Disk{}, internet: s.connect("example.org")}
	p.cloud = digitaloceantest.New(digitaloceantest.Options{Boot: p.boot, Gone: p.gone, Attached: p.attached, Assigned: p.assigned, Reserved: []string{reserved}})
	t.Cleanup(p.cloud.Close)
	p.cloud.OnRequest(func(c digitaloceantest.Call) {
		if strings.Contains(c.Path, "/records") && c.Method != http.MethodGet {
			if err := p.internet.publish(p.cloud, "example.org"); err != nil {
				t.Error(err)
			}
		}
	})
	s.env = append(s.env, "DIGITALOCEAN_TOKEN="+digitaloceantest.Token, "DIGITALOCEAN_API_URL="+p.cloud.URL())
	p.call(http.MethodPost, "/v2/domains", `{"name": "example.org"}`)
	p.declare(1)

	s.stage("created", p.created)
	s.stage("withoutVolume", p.withoutVolume)
	s.stage("grown", p.moreAgents)
	s.stage("shrunk", p.fewerAgents)
	s.stage("destroyed", p.destroyed)
}

// call asks the account in the owner's name.
func (p *production) call(method, path, body string) {
	p.Helper()
	r, err := http.NewRequestWithContext(p.Context(), method, p.cloud.URL()+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+digitaloceantest.Token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode >= 300 {
		p.Fatalf("%s %s: %v %v", method, path, answer, err)
	}
	answer.Body.Close()
}

// declare writes prod.toml for a number of agents.
func (p *production) declare(agents int) {
	p.Helper()
	site, err := p.lab.Site(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	certificates := ""
	for _, c := range site.CACertificates {
		certificates += strconv.Quote(c)
	}
	p.inventory = filepath.Join(p.lab.Dir(), "prod.toml")
	text := fmt.Sprintf(`stack = "stack.toml"
url = "https://%s"

[tls]
mode = "acme"
email = "ops@example.org"
acme_ca = %q
acme_ca_root = %q

[site]
pip_index = %q
image_mirror = %q
ca_certificates = [%s]

[ssh]
identity_file = %q
known_hosts = "known_droplets"

[digitalocean]
name = "prod"
region = "fra1"
ssh_keys = [%q]
admin_cidrs = ["10.77.0.0/24"]
domain = "example.org"
resolver = %q
project = "prefect"

[droplets.prefect]
roles = ["server"]
volume = "1GiB"
reserved_ip = true

[droplets.worker]
roles = ["agent"]
count = %d
`, publicName, p.internet.directory, p.internet.root, site.PipIndex, site.ImageMirror, certificates, p.lab.IdentityFile, p.lab.IdentityFile+".pub", gateway, agents)
	if err := os.WriteFile(p.inventory, []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
}

// boot makes a lab host of a droplet.
func (p *production) boot(d digitaloceantest.Droplet) (digitaloceantest.Machine, error) {
	ctx := p.Context()
	disks := map[string]*lab.Disk{}
	for _, v := range p.cloud.Volumes() {
		if slices.Contains(d.Volumes, v.ID) {
			disk, err := p.diskOf(ctx, v)
			if err != nil {
				return digitaloceantest.Machine{}, err
			}
			disks["scsi-0DO_Volume_"+v.Name] = disk
		}
	}
	h, err := p.lab.Host(ctx, lab.HostOptions{Name: d.Name, UserData: d.UserData, Disks: disks})
	if err != nil {
		p.Logf("booting droplet %s: %v", d.Name, err)
		return digitaloceantest.Machine{}, err
	}
	// Names are those of the internet as it is here.
	if _, err := h.Shell(ctx, "echo nameserver "+gateway+" >/etc/resolv.conf"); err != nil {
		return digitaloceantest.Machine{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hosts[d.ID] = h
	return digitaloceantest.Machine{Address: h.Address}, nil
}

func (p *production) diskOf(ctx context.Context, v digitaloceantest.Volume) (*lab.Disk, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.disks[v.ID] == nil {
		d, err := p.lab.Disk(ctx, v.Name, v.GiB)
		if err != nil {
			return nil, err
		}
		p.disks[v.ID] = d
	}
	return p.disks[v.ID], nil
}

func (p *production) hostOf(d digitaloceantest.Droplet) *lab.Host {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hosts[d.ID]
}

func (p *production) gone(d digitaloceantest.Droplet) {
	if h := p.hostOf(d); h != nil {
		if err := h.Close(context.WithoutCancel(p.Context())); err != nil {
			p.Errorf("the machine of droplet %s: %v", d.Name, err)
		}
	}
}

func (p *production) attached(d digitaloceantest.Droplet, v digitaloceantest.Volume, on bool) {
	h, id := p.hostOf(d), "scsi-0DO_Volume_"+v.Name
	disk, err := p.diskOf(p.Context(), v)
	switch {
	case err != nil || h == nil:
	case on:
		err = h.Attach(p.Context(), id, disk)
	default:
		err = h.Detach(id)
	}
	if err != nil {
		p.Errorf("the volume of droplet %s: %v", d.Name, err)
	}
}

// assigned gives a host the reserved address, at its next boots too.
func (p *production) assigned(d digitaloceantest.Droplet, ip string, on bool) {
	h := p.hostOf(d)
	if h == nil {
		return
	}
	line := fmt.Sprintf(`d=/etc/systemd/network/10-host0.network.d; mkdir -p $d; printf '[Network]\nAddress=%[1]s/24\n' >$d/reserved.conf; ip address replace %[1]s/24 dev host0`, ip)
	if !on {
		line = fmt.Sprintf(`rm -f /etc/systemd/network/10-host0.network.d/reserved.conf; ip address delete %s/24 dev host0`, ip)
	}
	if _, err := h.Shell(p.Context(), line); err != nil {
		p.Errorf("the reserved address of droplet %s: %v", d.Name, err)
	}
}

// machine is the lab host of the one droplet of that name.
func (p *production) machine(name string) *lab.Host {
	p.Helper()
	var found []*lab.Host
	for _, d := range p.cloud.Droplets() {
		if d.Name == name {
			found = append(found, p.hostOf(d))
		}
	}
	if len(found) != 1 || found[0] == nil {
		p.Fatalf("there are %d droplets called %s", len(found), name)
	}
	return found[0]
}

func (p *production) droplets(want ...string) {
	p.Helper()
	var have []string
	for _, d := range p.cloud.Droplets() {
		have = append(have, d.Name)
	}
	slices.Sort(have)
	if !slices.Equal(have, want) {
		p.Errorf("droplets: %v, want %v", have, want)
	}
}

// known wants the tags to name the one key that each droplet shows, and that key to be another than the one in its user data.
func (p *production) known() {
	p.Helper()
	for _, d := range p.cloud.Droplets() {
		shown := p.on(p.hostOf(d), "cat /etc/ssh/ssh_host_ed25519_key.pub; ls /etc/ssh/ssh_host_*_key")
		key, _, _, files, err := ssh.ParseAuthorizedKey([]byte(shown))
		if err != nil || strings.TrimSpace(string(files)) != "/etc/ssh/ssh_host_ed25519_key" {
			p.Fatalf("%s: %q, %v", d.Name, shown, err)
		}
		if sums := declared.HostKeys(d.Tags); !slices.Equal(sums, []string{remote.HostKeySum(key)}) || declared.BirthKey(d.Tags) != "" {
			p.Errorf("%s shows %s, its tags are %v", d.Name, remote.HostKeySum(key), d.Tags)
		}
		if !strings.Contains(d.UserData, "PRIVATE KEY") || strings.Contains(d.UserData, strings.Fields(shown)[1]) || strings.Contains(d.UserData, digitaloceantest.Token) {
			p.Errorf("%s: its user data is not what it should be", d.Name)
		}
		for line := range strings.Lines(d.UserData) {
			if born, _, _, _, err := ssh.ParseAuthorizedKey([]byte(strings.TrimPrefix(strings.TrimSpace(line), "ed25519_public: "))); err == nil && slices.ContainsFunc(p.cloud.Tags(), func(t string) bool { return strings.HasSuffix(t, remote.HostKeySum(born)) }) {
				p.Errorf("a tag still names the key that %s was made with", d.Name)
			}
		}
	}
}

// web asks under the public name as anybody can, trusting the authority alone.
func (p *production) web() outside {
	o := p.trusting(p.roots(p.internet), "https://"+publicName)
	o.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, net.JoinHostPort(reserved, "443"))
	}
	return o
}

func (p *production) created(s *site) {
	p.site = s
	plan, _ := p.provision(2, "plan", "--detailed-exitcode")
	for _, want := range []string{"add droplet prefect: the droplet does not exist: s-2vcpu-4gb, debian-13-x64, fra1", "$24.00 a month", "add container prefect-caddy", "add dns record " + publicName} {
		p.contains(plan, want)
	}
	p.droplets()
	p.apply()
	_, progress := p.provision(0, "verify", "--smoke")
	p.contains(progress, "Completed in container business-logic-worker-1")
	p.droplets("prefect", "worker-1")
	p.known()
	server, worker := p.machine("prefect"), p.machine("worker-1")
	p.hardened(server, 3)
	p.hardened(worker, 2)

	if code, answer := p.web().ask("GET", "/api/health", ""); code != 200 || answer != "true" {
		p.Errorf("under its public name: %d %q", code, answer)
	}
	if log := p.internet.log(); !strings.Contains(log, "set VALID") || strings.Contains(log, "set INVALID") {
		p.Errorf("the authority says\n%s", log)
	}

	p.want(server, "blkid -s TYPE -o value $(readlink -f /dev/disk/by-id/scsi-0DO_Volume_provision-prod-prefect)", "ext4")
	p.want(server, "findmnt -n -o FSTYPE "+mount+"; cat "+mount+"/postgres/PG_VERSION; ls "+mount+"/keep", "ext4\n"+strings.TrimPrefix(p.of.postgres, "postgres:")+"\nborn\nid\nserver")
	p.want(server, "docker volume inspect --format '{{.Options.device}}' prefect-postgres", mount+"/postgres")
	if n := p.query(server, "select count(*) from flow_run where state_type = 'COMPLETED'"); n == "0" {
		p.Error("no completed run in the database")
	}

	// A container reaches this machine, and not the address at which a cloud tells what the machine was made with.
	p.on(worker, "ip address replace 169.254.169.254/32 dev host0; systemd-run --quiet --unit told python3 -m http.server 8099 --directory /etc/cloud")
	ask := func(address string) string {
		return p.on(worker, "docker exec prefect-agent python -c 'import urllib.request as u\ntry: print(u.urlopen(\"http://"+address+":8099/\", timeout=5).status)\nexcept Exception as e: print(type(e).__name__)'")
	}
	p.until("the host's own server answers", 3*time.Minute, func() bool { return ask(worker.Address) == "200" })
	if got := ask("169.254.169.254"); got == "200" {
		p.Error("a container reaches the metadata address")
	}
	p.on(worker, "systemctl stop told; ip address delete 169.254.169.254/32 dev host0")
	p.again(2)
}

// withoutVolume boots the server without its volume: the database does not begin anew on an empty directory.
func (p *production) withoutVolume(s *site) {
	p.site = s
	server := p.machine("prefect")
	runs := p.query(server, "select count(*) from flow_run")
	id, disk := "scsi-0DO_Volume_provision-prod-prefect", server.Options.Disks["scsi-0DO_Volume_provision-prod-prefect"]
	if err := server.Detach(id); err != nil {
		p.Fatal(err)
	}
	if err := server.Reboot(p.Context()); err != nil {
		p.Fatal(err)
	}
	p.until("the engine is up", 3*time.Minute, func() bool {
		out, err := server.Shell(p.Context(), "systemctl is-active docker")
		return err == nil && strings.TrimSpace(out) == "active"
	})
	p.want(server, "docker inspect --format '{{.State.Running}}' prefect-postgres; findmnt -n "+mount+" || ls -A "+mount, "false")
	_, said := p.provision(21, "verify")
	p.contains(said, "the volume is not attached")
	if err := server.Attach(p.Context(), id, disk); err != nil {
		p.Fatal(err)
	}
	p.provision(0, "apply", "--yes")
	p.provision(0, "verify")
	if after := p.query(server, "select count(*) from flow_run"); after < runs {
		p.Errorf("the database has %s runs, had %s", after, runs)
	}
	p.again(2)
}

// moreAgents adds one agent: it alone is created and provisioned.
func (p *production) moreAgents(s *site) {
	p.site = s
	server, worker := p.machine("prefect"), p.machine("worker-1")
	onServer, onWorker := p.containers(server), p.containers(worker)
	before := len(p.cloud.Calls())
	p.declare(2)
	p.apply()
	p.droplets("prefect", "worker-1", "worker-2")
	p.known()
	p.onlyReplaced(server, onServer)
	p.onlyReplaced(worker, onWorker)
	created := 0
	for _, c := range p.cloud.Calls()[before:] {
		if c.Method == http.MethodPost && !strings.HasPrefix(c.Path, "/v2/tags") {
			if created++; c.Path != "/v2/droplets" && !strings.HasPrefix(c.Path, "/v2/projects/") {
				p.Errorf("growing has made a call: POST %s", c.Path)
			}
		}
	}
	if created != 2 {
		p.Errorf("growing has made %d things", created)
	}
	_, progress := p.provision(0, "verify", "--smoke=worker-2")
	p.contains(progress, "Completed in container business-logic-worker-2")
	p.again(3)
}

// fewerAgents takes it out again: it is named, and removed only where that is allowed.
func (p *production) fewerAgents(s *site) {
	p.site = s
	p.declare(1)
	plan, _ := p.provision(2, "plan", "--detailed-exitcode")
	p.contains(plan, "droplet worker-2 (id ")
	p.contains(plan, "provision apply --prune")
	p.apply()
	p.droplets("prefect", "worker-1", "worker-2")
	list, _ := p.provision(0, "droplet", "list", "--orphans")
	p.contains(list, "worker-2")
	p.provision(0, "apply", "--yes", "--prune")
	p.droplets("prefect", "worker-1")
	p.again(2)
	p.provision(0, "verify")
}

// destroyed takes all of it away, and keeps the data.
func (p *production) destroyed(s *site) {
	p.site = s
	_, said := p.provision(3, "droplet", "destroy", "--all")
	p.contains(said, "--confirm prod")
	p.droplets("prefect", "worker-1")
	out, _ := p.provision(0, "droplet", "destroy", "--all", "--confirm", "prod")
	p.contains(out, "still there: the volume provision-prod-prefect, with its data")
	p.droplets()
	if n := len(p.cloud.Firewalls()) + len(p.cloud.ReservedIPs()) + len(p.cloud.Records("example.org")); n != 0 {
		p.Errorf("%d firewalls, reserved addresses and records are left", n)
	}
	if n := len(p.lab.Hosts()); n != 0 {
		p.Errorf("%d machines are left", n)
	}
	// A database that was stopped in order takes its lock away.
	dir := p.TempDir()
	for _, v := range p.cloud.Volumes() {
		if out, err := runLocal("mount", "-o", "ro", p.disks[v.ID].Device, dir); err != nil {
			p.Fatalf("%v: %s", err, out)
		}
		_, version := os.Stat(dir + "/postgres/PG_VERSION")
		_, lock := os.Stat(dir + "/postgres/postmaster.pid")
		if out, err := runLocal("umount", dir); err != nil {
			p.Errorf("%v: %s", err, out)
		}
		if version != nil || !errors.Is(lock, os.ErrNotExist) {
			p.Errorf("the data on the volume: %v; the database's lock: %v", version, lock)
		}
	}
}
