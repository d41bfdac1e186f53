//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"

	"provision/provision/cloud/digitalocean/digitaloceantest"
	"provision/remote/remotetest"
)

// place is where somebody sits who follows the documentation word by word: a directory, a home with
// SSH's usual files, blank hosts at the addresses that the documentation uses, and an account. The
// files of the documentation are used as they are: ~/.ssh/config leads to the simulated hosts.
type place struct {
	t         *testing.T
	dir, home string
	env       []string
	path      string // where programs are found
	fleet     *remotetest.Fleet
	cloud     *digitaloceantest.Cloud
	names     string // the domain's name server

	mu       sync.Mutex
	machines map[int]*remotetest.Host // by the droplet's number
	disks    map[string]*remotetest.Disk
	config   strings.Builder // of ~/.ssh/config
}

// address finds what the documentation uses for hosts.
var address = regexp.MustCompile(`\b(?:10\.0\.0|192\.0\.2)\.\d+\b|\bbastion\.example\.org\b`)

// settle makes the place for texts that name hosts; options say how each of them is.
func settle(t *testing.T, options remotetest.HostOptions, texts ...string) *place {
	t.Helper()
	p := &place{
		t: t, dir: t.TempDir(), home: t.TempDir(), fleet: remotetest.NewFleet(remotetest.Options{}),
		machines: map[int]*remotetest.Host{}, disks: map[string]*remotetest.Disk{},
	}
	t.Cleanup(func() {
		unknown := p.fleet.Unknown()
		p.fleet.Close()
		if len(unknown) > 0 {
			t.Errorf("the simulation does not know: %s", strings.Join(unknown, "; "))
		}
	})
	signer, err := ssh.ParsePrivateKey(p.fleet.ClientKeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	p.write(filepath.Join(p.home, ".ssh", "id_ed25519"), string(p.fleet.ClientKeyPEM()))
	p.write(filepath.Join(p.home, ".ssh", "id_ed25519.pub"), string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	var addresses []string
	for _, text := range texts {
		addresses = append(addresses, address.FindAllString(text, -1)...)
	}
	slices.Sort(addresses)
	for _, a := range slices.Compact(addresses) {
		o := options
		if strings.HasPrefix(a, "bastion") {
			o = remotetest.HostOptions{User: "ops"}
		}
		h, err := p.fleet.Host(a, o)
		if err != nil {
			t.Fatal(err)
		}
		p.leads(a, "127.0.0.1", h)
	}
	// Droplets come while the program runs, which reads this file once. Every other address leads to where nobody listens: no test
	// dials into the network.
	fmt.Fprintf(&p.config, "Host %[1]s\n  Port %[2]d\nHost * !%[1]s\n  HostName 127.0.0.1\n  Port 1\n", remotetest.OwnAddress, remotetest.OwnPort)
	p.write(filepath.Join(p.home, ".ssh", "config"), p.config.String())
	p.write(filepath.Join(p.home, ".ssh", "known_hosts"), p.fleet.KnownHosts())
	p.cloud = digitaloceantest.New(digitaloceantest.Options{Boot: p.boot, Gone: p.gone, ActionLooks: -1})
	t.Cleanup(p.cloud.Close)
	p.domain("example.org")
	if p.names, err = p.cloud.Names(); err != nil {
		t.Fatal(err)
	}
	p.path = filepath.Dir(itself(t, "provision")) + ":" + os.Getenv("PATH")
	p.env = []string{
		"HOME=" + p.home, "PATH=" + p.path, "TMPDIR=" + t.TempDir(),
		"CI=true", // lines instead of a board; there is a terminal all the same
		"TERM=xterm", "NO_COLOR=1", "DIGITALOCEAN_API_URL=" + p.cloud.URL(), "DIGITALOCEAN_TOKEN=" + digitaloceantest.Token,
	}
	return p
}

func (p *place) write(file, text string) {
	p.t.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o700)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// copies takes a directory of the repository along.
func (p *place) copies(from string) {
	p.t.Helper()
	if err := os.CopyFS(filepath.Join(p.dir, filepath.Base(from)), os.DirFS(from)); err != nil {
		p.t.Fatal(err)
	}
}

// leads makes SSH find a host at an address.
func (p *place) leads(address, real string, h *remotetest.Host) {
	fmt.Fprintf(&p.config, "Host %s\n  HostName %s\n  Port %d\n", address, real, h.Port())
}

// domain gives the account a domain.
func (p *place) domain(name string) {
	p.t.Helper()
	q, err := http.NewRequest(http.MethodPost, p.cloud.URL()+"/v2/domains", strings.NewReader(fmt.Sprintf(`{"name": %q}`, name)))
	if err != nil {
		p.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+digitaloceantest.Token)
	q.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(q)
	if err != nil || resp.StatusCode >= 300 {
		p.t.Fatal(resp, err)
	}
	resp.Body.Close()
}

// boot is what the account calls when a droplet becomes active: a blank machine with the host key of
// its user data, at an address of its own, with its volume.
func (p *place) boot(d digitaloceantest.Droplet) (digitaloceantest.Machine, error) {
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
	h, err := p.fleet.Host(fmt.Sprintf("%s-%d", d.Name, d.ID), remotetest.HostOptions{HostKey: []byte(data.Keys.Private), Address: remotetest.OwnAddress, CloudInit: 1})
	if err != nil {
		return digitaloceantest.Machine{}, err
	}
	p.machines[d.ID] = h
	for _, v := range p.cloud.Volumes() {
		if slices.Contains(d.Volumes, v.ID) {
			if p.disks[v.ID] == nil {
				p.disks[v.ID] = &remotetest.Disk{}
			}
			h.Attach("scsi-0DO_Volume_"+v.Name, p.disks[v.ID])
		}
	}
	return digitaloceantest.Machine{Address: h.IP()}, nil
}

func (p *place) gone(d digitaloceantest.Droplet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.machines[d.ID]; h != nil {
		h.Close()
	}
}

// asksHere has the name server of this place asked where a droplet's name leads: the real ones know
// nothing of it.
const asksHere = `provision() {
for f in prod.toml examples/droplets/prod.toml; do [ ! -f $f ] || grep -q '^resolver' $f || sed -i 's/^\[digitalocean\]$/&\nresolver = "%s"/' $f; done
command provision "$@"
}
`

// follows types a piece of shell, answers what is asked for before a change with yes, and returns
// what the terminal showed. The shell ends at the first command that fails.
func (p *place) follows(shell string) string {
	p.t.Helper()
	const question = "[y/N] "
	p.write(filepath.Join(p.home, "typed"), fmt.Sprintf(asksHere, p.names)+shell)
	s := start(p.t, p.dir, 200, 50, p.env, "/bin/bash", "-eu", "-o", "pipefail", "-x", filepath.Join(p.home, "typed"))
	for answered := 0; ; {
		select {
		case <-s.more:
		case <-s.ended:
			if code := s.cmd.ProcessState.ExitCode(); code != 0 {
				p.t.Errorf("exit %d\n%s", code, s.text())
			}
			return s.text()
		}
		for ; strings.Count(s.text(), question) > answered; answered++ {
			s.typed("y\n")
		}
	}
}

// files are the files of the repository below a directory with one of these ends.
func repositoryFiles(t *testing.T, dir string, ends ...string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains(ends, filepath.Ext(path)) {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
