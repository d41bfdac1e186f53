//go:build linux && e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"provision/e2e/lab"
)

// testRefused meets a blank host that does not suit: each refusal has its code and its words, and
// leaves the host as it was.
func testRefused(t *testing.T) {
	s, hosts := newSite(t, "e2e-refused", gen2, lab.HostOptions{Name: "all"})
	host := hosts[0]
	listing := "find /etc /var/lib -xdev ! -path '/var/lib/systemd/*' ! -path '/etc/apt/sources.list*' -printf '%p %m %s\\n' | sort | sha256sum"
	before := s.on(host, listing)
	unchanged := func() {
		t.Helper()
		s.want(host, listing, before)
	}
	_, said := s.provision(3, "plan", "--limit", "nobody")
	s.contains(said, "nobody")

	known := filepath.Join(t.TempDir(), "known_hosts")
	right, err := os.ReadFile(s.lab.KnownHostsFile)
	if err != nil {
		t.Fatal(err)
	}
	other := "AAAAC3NzaC1lZDI1NTE5AAAAIJ8dpL0j9ZQhE0v1XqCw7m9nV5Y3m2r8bq0l6ZkQf1aB"
	if err := os.WriteFile(known, []byte(host.Address+" ssh-ed25519 "+other+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.edit("inventory.toml", s.lab.KnownHostsFile, known)
	_, said = s.provision(11, "apply", "--yes")
	s.contains(said, "ssh-keygen -R")
	if err := os.WriteFile(known, right, 0o600); err != nil {
		t.Fatal(err)
	}

	key := filepath.Join(t.TempDir(), "other")
	if out, err := runLocal("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.edit("inventory.toml", s.lab.IdentityFile, key)
	_, said = s.provision(12, "apply", "--yes")
	s.contains(said, key)
	s.edit("inventory.toml", key, s.lab.IdentityFile)

	s.edit("inventory.toml", "address = \""+host.Address+"\"", "address = \""+host.Address+"\"\nport = 2")
	_, said = s.provision(10, "apply", "--yes")
	s.contains(said, "refused")
	s.edit("inventory.toml", "\nport = 2", "")
	unchanged()

	// Somebody else's program on the port.
	s.on(host, "/usr/sbin/sshd -p 443 -o PidFile=/run/squatter.pid")
	_, said = s.provision(15, "apply", "--yes")
	s.contains(said, "port 443 is taken by")
	s.contains(said, "sshd")
	s.on(host, "kill $(cat /run/squatter.pid)")
	unchanged()

	release := s.on(host, "cat /etc/os-release")
	s.on(host, `cp --dereference /etc/os-release /root/os-release; rm /etc/os-release; printf 'ID=alpine\nPRETTY_NAME="Alpine Linux v3.22"\n' >/etc/os-release`)
	_, said = s.provision(15, "apply", "--yes")
	s.contains(said, "Alpine Linux v3.22 is not supported")
	s.on(host, "rm /etc/os-release; ln -s ../usr/lib/os-release /etc/os-release")
	s.want(host, "cat /etc/os-release", release)
	unchanged()

	s.on(host, "mount -t tmpfs -o size=64m tmpfs /var/lib/docker")
	_, said = s.provision(15, "apply", "--yes")
	s.contains(said, "MiB are free")
	s.on(host, "umount /var/lib/docker")
	unchanged()

	// No mirror of packages: the step fails with apt's own words.
	s.on(host, `for f in /etc/apt/sources.list /etc/apt/sources.list.d/*; do [ ! -f "$f" ] || mv "$f" "/root/${f##*/}.kept"; done; printf 'deb http://10.77.0.254:9/debian trixie main\n' >/etc/apt/sources.list`)
	_, said = s.provision(20, "apply", "--yes")
	s.contains(said, "10.77.0.254")
	s.want(host, "command -v docker || echo none", "none")
	if strings.Contains(said, "panic") {
		t.Error(said)
	}
}
