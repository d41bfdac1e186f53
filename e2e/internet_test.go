//go:build linux && e2e

package e2e

import (
	"bufio"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"provision/provision/cloud/digitalocean/digitaloceantest"
)

// internet is what a public name needs beside its server: a name server, which answers what the
// account's records say, and a certificate authority that asks it.
type internet struct {
	directory string // url of the authority's
	root      string // file with its root

	names string
	mu    sync.Mutex
	said  []string
}

// gateway is this machine in the lab's network.
const gateway = "10.77.0.1"

// connect starts both for a domain. They end with the test.
func (s *site) connect(domain string) *internet {
	s.Helper()
	dir := s.TempDir()
	program := filepath.Join(dir, "acme")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "tools", "acme")
	if out, err := build.CombinedOutput(); err != nil {
		s.Fatalf("building the certificate authority: %v\n%s", err, out)
	}
	resolvers, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		s.Fatal(err)
	}
	upstream := ""
	for line := range strings.Lines(string(resolvers)) {
		if f := strings.Fields(line); upstream == "" && len(f) == 2 && f[0] == "nameserver" {
			upstream = f[1] + ":53"
		}
	}
	n := &internet{names: filepath.Join(dir, "names"), root: filepath.Join(dir, "ca.pem")}
	cmd := exec.Command(program, "-address", gateway, "-dir", dir, "-domain", domain, "-names", n.names, "-upstream", upstream)
	stdin, err := cmd.StdinPipe() // it ends with this
	if err != nil {
		s.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	if lines.Scan() {
		n.directory = lines.Text()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
			n.mu.Lock()
			n.said = append(n.said, lines.Text())
			n.mu.Unlock()
		}
	}()
	s.Cleanup(func() {
		stdin.Close()
		<-ended
		if err := cmd.Wait(); err != nil {
			s.Errorf("the certificate authority: %v", err)
		}
	})
	if !strings.HasPrefix(n.directory, "https://") {
		s.Fatalf("the certificate authority does not start: %s", n.directory)
	}
	return n
}

// publish has the name server answer what the account's records say.
func (n *internet) publish(cloud *digitaloceantest.Cloud, domain string) error {
	var all strings.Builder
	for _, r := range cloud.Records(domain) {
		if r.Type == "A" {
			all.WriteString(r.Name + "." + domain + " " + r.Data + "\n")
		}
	}
	if err := os.WriteFile(n.names+".new", []byte(all.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(n.names+".new", n.names)
}

// log is what the authority has said so far.
func (n *internet) log() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.said, "\n")
}

// roots are the authority's own.
func (s *site) roots(n *internet) *x509.CertPool {
	s.Helper()
	pem, err := os.ReadFile(n.root)
	if err != nil {
		s.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		s.Fatal("the authority has no root")
	}
	return pool
}
