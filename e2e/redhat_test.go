//go:build linux && e2e

package e2e

import (
	"fmt"
	"testing"

	"provision/e2e/lab"
)

// rocky makes a Debian with dnf and rpm call itself Rocky Linux 9, with a repository of stand-ins instead of its own. What dnf.conf
// says is what it says there.
const rocky = `rm /etc/os-release
printf 'NAME="Rocky Linux"\nVERSION="9.6 (Blue Onyx)"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"\nPLATFORM_ID="platform:el9"\nPRETTY_NAME="Rocky Linux 9.6 (Blue Onyx)"\n' >/etc/os-release
printf '[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\nskip_if_unavailable=False\n' >/etc/dnf/dnf.conf
mkdir -p /etc/yum.repos.d
printf '[baseos]\nname=Rocky Linux 9 - BaseOS\nbaseurl=%[1]s\ngpgcheck=0\n' >/etc/yum.repos.d/rocky.repo
dnf -q -y --releasever=9 install rocky-release`

// testRedHat takes the way to Docker of the Red Hat family with real dnf and rpm: a Debian that calls itself Rocky Linux 9, and a local
// mirror of Docker's repository with stand-ins for its packages. What does not work is tried first and leaves the host as it was.
// The apply is interrupted when Docker is there: below the packages the host is the Debian of the other scenarios.
func testRedHat(t *testing.T) {
	s, hosts := newSite(t, "e2e-redhat", gen2, lab.HostOptions{Name: "all", Packages: lab.RPMPackages})
	host := hosts[0]
	repository, base, err := s.lab.StartRPMRepository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.on(host, fmt.Sprintf(rocky, base))
	s.edit("stack.toml", `source = "distro"`, fmt.Sprintf("source = \"auto\"\nkey = %q", repository.Key))
	s.edit("inventory.toml", "[site]\n", "[site]\ndocker_repository = \""+repository.Other()+"\"\n")

	s.on(host, "dnf -q -y install podman-docker runc")
	_, said := s.provision(15, "plan")
	s.contains(said, "Docker's packages conflict with some that are installed: podman-docker, runc")
	s.contains(said, "dnf remove podman-docker runc")
	s.on(host, "dnf -q -y remove podman-docker runc && dnf -q -y install ca-certificates")

	listing := `find /etc/yum.repos.d /etc/pki /usr/bin /usr/sbin -xdev ! -type d -printf '%p %s\n' | sort | sha256sum; rpm -qa | sort | sha256sum`
	before := s.on(host, listing)
	for _, tt := range []struct {
		code       int
		url, words string
	}{
		{15, repository.Other(), "it has the fingerprint " + repository.OtherKey},
		{20, repository.Forged(), "dnf install failed: Public key for"},
		{20, repository.Broken(), "dnf install failed: Error in PREIN scriptlet in rpm package docker-ce"},
	} {
		s.edit("inventory.toml", "docker_repository = ", "docker_repository = \""+tt.url+"\" # ")
		_, said := s.provision(tt.code, "apply", "--yes")
		s.contains(said, tt.words)
		s.want(host, listing, before)
		s.on(host, "dnf -q -y makecache --refresh")
	}

	s.edit("inventory.toml", "docker_repository = ", "docker_repository = \""+repository.Two()+"\" # ")
	s.dockerAlone(host)
	s.want(host, "rpm -q docker-ce", "docker-ce-28.5.1-1.lab.x86_64")
	s.want(host, "grep -c BEGIN /etc/pki/rpm-gpg/RPM-GPG-KEY-docker; rpm -q gpg-pubkey | wc -l", "1\n1")
	s.want(host, "stat -c '%U %a' /etc/pki/rpm-gpg/RPM-GPG-KEY-docker /etc/yum.repos.d/docker-ce.repo | sort -u", "root 644")
}
