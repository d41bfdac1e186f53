//go:build linux && e2e

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"provision/e2e/lab"
)

// testDockersOwnRepository takes the default way to Docker on a blank Debian 12, a blank Debian 13, and a host that calls
// itself Ubuntu 24.04: real apt, and a local mirror of Docker's repository with stand-ins for its packages. What does not work is
// tried first and leaves the host as it was. On Debian 12, which no other scenario has, the whole stack follows; on the others
// the apply is interrupted when Docker is there: the stack on Debian 13 is what the other scenarios are about.
func testDockersOwnRepository(t *testing.T) {
	for _, tt := range []struct {
		name, suite, system string
		whole               bool
	}{
		{"bookworm", "bookworm", "", true},
		{"trixie", "trixie", "", false},
		{"ubuntu", "trixie", `ID=ubuntu\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\n`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, hosts := newSite(t, "e2e-docker-"+tt.name, gen2, lab.HostOptions{Name: "all", Suite: tt.suite})
			host := hosts[0]
			repository, err := s.lab.StartDockerRepository(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tt.system != "" {
				s.on(host, "rm /etc/os-release; printf '"+tt.system+"' >/etc/os-release")
			}
			// The distribution's packages are no way out here: what is tried is tried.
			s.edit("stack.toml", `source = "distro"`, `source = "official"`)
			s.edit("inventory.toml", "[site]\n", "[site]\ndocker_repository = \""+repository.Other()+"\"\n")
			s.edit("stack.toml", `source = "official"`, fmt.Sprintf("source = \"official\"\nkey = %q", repository.Key))
			if tt.system == "" { // apt of Debian 13 and of Debian 12 judge signatures by different programs
				s.wrongRepositories(host, repository, tt.suite)
			}

			s.edit("stack.toml", `source = "official"`, `source = "auto"`)
			s.edit("inventory.toml", "docker_repository = ", "docker_repository = \""+repository.Two()+"\" # ")
			if tt.whole {
				s.apply()
				s.hardened(host, 5)
			} else {
				s.dockerAlone(host)
			}
			s.want(host, `dpkg-query -W -f '${Package} ${Version}\n' docker-ce`, "docker-ce 5:28.5.1-1~lab")
			s.want(host, "grep -c BEGIN /etc/apt/keyrings/docker.asc", "1")
			s.want(host, "stat -c '%U %a' /etc/apt/keyrings/docker.asc /etc/apt/sources.list.d/docker.sources | sort -u", "root 644")
			if said := s.on(host, "apt-get -q -o APT::Update::Error-Mode=any update 2>&1"); !strings.Contains(said, "/two/") {
				t.Errorf("the repository is not among the host's sources:\n%s", said)
			}
			if tt.whole {
				_, progress := s.provision(0, "verify", "--smoke")
				s.contains(progress, "Completed in container business-logic-all")
				s.again(1)
			}
		})
	}
}

// dockerAlone interrupts an apply when it has installed Docker, and wants an engine that pulls, builds and runs, and with which the
// next apply would go on.
func (s *site) dockerAlone(host *lab.Host) {
	s.Helper()
	p := s.start("apply", "--yes", "--json")
	installed := regexp.MustCompile(`"step":"docker","act":"add","state":"done"`)
	s.until("Docker is installed", 10*time.Minute, func() bool { return len(p.ended) > 0 || installed.MatchString(p.out.String()) })
	if len(p.ended) == 0 {
		signalTo(s, p, os.Interrupt)
	}
	if code, said := p.wait(10 * time.Minute); code != 130 {
		s.Fatalf("the apply that was interrupted ended with %d\n%s", code, said)
	}
	image := s.lab.ImageMirror() + "/python:3.8-slim"
	s.want(host, "docker pull -q "+image+" >/dev/null && docker run --rm "+image+" python -c 'print(40 + 2)'", "42")
	s.want(host, `printf 'FROM `+image+`\nRUN echo made >/made\n' | docker buildx build -q -t made - >/dev/null && docker run --rm made cat /made && docker rmi made >/dev/null`, "made")
	s.on(host, "docker compose version")
	plan, _ := s.provision(2, "plan", "--detailed-exitcode")
	s.contains(plan, "add container prefect-server")
	if strings.Contains(plan, "add docker") {
		s.Errorf("Docker is to be installed once more:\n%s", plan)
	}
}

// wrongRepositories tries what does not work: each leaves the host's package sources and packages as they were, and apt works.
func (s *site) wrongRepositories(host *lab.Host, repository *lab.DockerRepository, suite string) {
	s.Helper()
	listing := `find /etc/apt /usr/bin /usr/sbin -xdev ! -type d -printf '%p %s\n' | sort | sha256sum; dpkg-query -W -f '${Package} ${db:Status-Status}\n' | grep ' installed$' | sort | sha256sum; dpkg --audit`
	s.on(host, "apt-get -q update && apt-get -q -y --no-install-recommends install ca-certificates")
	before := s.on(host, listing)
	fails := func(code int, url, words string) {
		s.Helper()
		s.edit("inventory.toml", "docker_repository = ", "docker_repository = \""+url+"\" # ")
		_, said := s.provision(code, "apply", "--yes")
		s.contains(said, words)
		s.want(host, listing, before)
		s.on(host, "apt-get -q -o APT::Update::Error-Mode=any update && apt-get -q -y -s install hello >/dev/null")
	}
	fails(15, repository.Other(), "it has the fingerprint "+repository.OtherKey)
	fails(20, repository.Forged(), "signature")
	fails(20, repository.Broken(), "dpkg: error processing package docker-ce")
	// Foreign entries: one that ours would contradict, and one that gives Docker's packages, which is used.
	foreign := func(code int, url, component, words string) {
		s.Helper()
		s.on(host, fmt.Sprintf("/usr/lib/apt/apt-helper download-file %[1]s/debian/gpg /usr/share/keyrings/foreign.asc >/dev/null && echo 'deb [signed-by=/usr/share/keyrings/foreign.asc] %[1]s/debian %[2]s %[3]s' >/etc/apt/sources.list.d/foreign.list", url, suite, component))
		before = s.on(host, listing)
		fails(code, repository.Good(), words)
		s.on(host, "rm /etc/apt/sources.list.d/foreign.list")
		before = s.on(host, listing)
	}
	foreign(15, repository.Good(), "other", "Conflicting values set for option Signed-By")
	foreign(20, repository.Broken(), "stable", "dpkg: error processing package docker-ce")
	s.edit("stack.toml", fmt.Sprintf("key = %q", repository.Key), "")
	fails(15, repository.Good(), "not 9dc858229fc7dd38854ae2d88d81803c0ebfcd88")
	s.edit("stack.toml", `source = "official"`, fmt.Sprintf("source = \"official\"\nkey = %q", repository.Key))
}
