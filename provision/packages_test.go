package provision_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"provision/provision/report"
	"provision/remote/remotetest"
)

// signer is a key that a mirror of Docker's packages may be signed with.
type signer struct {
	fingerprint string
	public      []byte
}

var signers = sync.OnceValue(func() (two [2]signer) {
	for n := range two {
		key, err := openpgp.NewEntity(fmt.Sprintf("mirror %d", n), "", "", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
		if err != nil {
			panic(err)
		}
		var b bytes.Buffer
		w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
		if err = errors.Join(err, key.Serialize(w), w.Close()); err != nil {
			panic(err)
		}
		two[n] = signer{hex.EncodeToString(key.PrimaryKey.Fingerprint), append(b.Bytes(), '\n')}
	}
	return two
})

// mirrorURL does not say whose packages it has: no source can be told by its name.
const mirrorURL = "http://mirror.example.org/ce"

// mirrored is a single host whose files name a mirror that is signed by the first of the signers.
func mirrored(t *testing.T, distro, source string) (*site, *remotetest.DockerRepository) {
	t.Helper()
	key := signers()[0]
	s := arrange(t, layout{
		top:   "url = \"https://prefect.demo.test\"\n[site]\ndocker_repository = \"" + mirrorURL + "\"\n",
		stack: fmt.Sprintf("[docker]\nsource = %q\nkey = %q\n", source, key.fingerprint),
		host:  func(_ string, o *remotetest.HostOptions) { o.Distro = distro },
	})
	return s, &remotetest.DockerRepository{URL: mirrorURL, Key: key.public, Signer: key.fingerprint}
}

const (
	dockerSources = "/etc/apt/sources.list.d/docker.sources"
	dockerKey     = "/etc/apt/keyrings/docker.asc"
)

// aptFiles are the files of apt's configuration, with the mode of each.
func aptFiles(h *remotetest.Host) (names []string) {
	for _, f := range h.Files("/etc/apt") {
		if !f.IsDir() || strings.Contains(f.Path, ".provision") {
			names = append(names, fmt.Sprintf("%s %s", f.Path, f.Mode()))
		}
	}
	return names
}

// TestDockersOwnRepository installs from a mirror that its owner signs: the default way of Debian 12, which has no other.
func TestDockersOwnRepository(t *testing.T) {
	t.Parallel()
	for _, distro := range []string{"debian 12", "debian 13", "ubuntu 24.04"} {
		t.Run(distro, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t, distro, "auto")
			mirror.Key = append(bytes.Clone(mirror.Key), signers()[1].public...)
			s.server.SetDockerRepository(mirror)
			s.converge()
			sh(t, s, 0, "apt-get update; dpkg -s docker-ce; dpkg -s docker-buildx-plugin; ! dpkg -s docker.io")
			trusted, err := s.server.ReadFile(dockerKey)
			if err != nil {
				t.Fatal(err)
			}
			if ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(trusted)); err != nil || len(ring) != 1 || bytes.Count(trusted, []byte("BEGIN")) != 1 {
				t.Errorf("%d keys are trusted: %v", len(ring), err)
			}
			if got := aptFiles(s.server); len(got) != 2 {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestARepositoryThatDoesNotWork wants the host's package sources, and its packages, to be as before after each way in
// which an installation can fail; then the repository works, and the same command goes through.
func TestARepositoryThatDoesNotWork(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		broken     func(m *remotetest.DockerRepository)
		code       int
	}{
		{"another key", "not " + signers()[0].fingerprint, func(m *remotetest.DockerRepository) { m.Key = signers()[1].public }, report.ExitPreflight},
		{"signed by another key", "NO_PUBKEY", func(m *remotetest.DockerRepository) { m.Signer = signers()[1].fingerprint }, report.ExitStep},
		{"a wrong suite", "404", func(m *remotetest.DockerRepository) { m.Update = errors.New("404  Not Found") }, report.ExitStep},
		{"expired", "is expired", func(m *remotetest.DockerRepository) { m.Update = errors.New("Release file is expired") }, report.ExitStep},
		{"another hash", "Hash Sum mismatch", func(m *remotetest.DockerRepository) { m.Update = errors.New("Hash Sum mismatch") }, report.ExitStep},
		{"a package is gone", "404", func(m *remotetest.DockerRepository) { m.Fetch = errors.New("404  Not Found") }, report.ExitStep},
		{"a package's hash", "Hash Sum mismatch", func(m *remotetest.DockerRepository) { m.Fetch = errors.New("Hash Sum mismatch") }, report.ExitStep},
		{"a broken package", "error processing package docker-ce", func(m *remotetest.DockerRepository) { m.Broken = "docker-ce" }, report.ExitStep},
		{"a broken dependency", "error processing package containerd.io", func(m *remotetest.DockerRepository) { m.Broken = "containerd.io" }, report.ExitStep},
		{"nobody answers", "Could not resolve host", func(m *remotetest.DockerRepository) { m.URL = "http://elsewhere.example.org" }, report.ExitPreflight},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t, "debian 13", "official")
			bad := *mirror
			tt.broken(&bad)
			s.server.SetDockerRepository(&bad)
			before := aptFiles(s.server)
			_, err := s.attempt().apply()
			if !isCode(err, tt.code) || !strings.Contains(explain(err), tt.want) {
				t.Errorf("%s", explain(err))
			}
			if got := aptFiles(s.server); !slices.Equal(got, before) {
				t.Errorf("left behind: %q, before %q", got, before)
			}
			sh(t, s, 0, `apt-get -o APT::Update::Error-Mode=any update; [ -z "$(dpkg --audit)" ]; ! dpkg -s docker-ce; apt-get -y install curl`)
			s.server.SetDockerRepository(mirror)
			s.converge()
			sh(t, s, 0, "dpkg -s docker-ce")
		})
	}
}

// With source auto a repository that does not work is noted, and the distribution's packages are taken.
func TestFromTheDistributionInstead(t *testing.T) {
	t.Parallel()
	s, mirror := mirrored(t, "debian 13", "auto")
	mirror.Broken = "docker-ce"
	s.server.SetDockerRepository(mirror)
	s.converge()
	if got := aptFiles(s.server); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
	sh(t, s, 0, "apt-get update; dpkg -s docker.io; ! dpkg -s docker-ce")
}

// TestDockersSourceIsThere has a foreign entry for Docker's packages: one that works is used as it is, and nothing is
// written beside one that does not.
func TestDockersSourceIsThere(t *testing.T) {
	t.Parallel()
	const key = "/usr/share/keyrings/ours.asc"
	works := map[string]string{
		"/etc/apt/sources.list.d/internal.list":    "deb [arch=amd64 signed-by=" + key + "] " + mirrorURL + "/debian trixie stable\n",
		"/etc/apt/sources.list.d/internal.sources": "Types: deb\nURIs: " + mirrorURL + "/debian\nSuites: trixie\nComponents: stable\nSigned-By: " + key + "\n",
		dockerSources: "Types: deb\nURIs: " + mirrorURL + "/debian\nSuites: trixie\nComponents: stable\nSigned-By: " + key + "\n",
	}
	for file, content := range works {
		t.Run("works as "+file, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t, "debian 13", "auto")
			mirror.Signer = signers()[1].fingerprint // another than the inventory's
			s.server.SetDockerRepository(mirror)
			s.put(key, string(signers()[1].public))
			s.put(file, content)
			s.converge()
			if got := aptFiles(s.server); len(got) != 1 {
				t.Errorf("%q", got)
			}
			if got, _ := s.server.ReadFile(file); string(got) != content {
				t.Errorf("%q", got)
			}
			sh(t, s, 0, "apt-get update; dpkg -s docker-ce")
		})
	}
	for name, tt := range map[string]struct{ file, content, want string }{
		"contradicts ours": {"/etc/apt/sources.list.d/internal.list", "deb [signed-by=" + key + "] " + mirrorURL + "/debian trixie test\n", "Conflicting values set for option Signed-By"},
		"has our name":     {dockerSources, "Types: deb\nURIs: " + mirrorURL + "/debian\nSuites: trixie\nComponents: test\nSigned-By: " + key + "\n", dockerSources + " is there already, but gives no docker-ce"},
		"has another key":  {dockerKey, string(signers()[1].public), dockerKey + " is there already, with other keys than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t, "debian 13", "official")
			s.server.SetDockerRepository(mirror)
			s.put(key, string(signers()[0].public))
			s.put(tt.file, tt.content)
			before := aptFiles(s.server)
			_, err := s.attempt().apply()
			if !isCode(err, report.ExitPreflight) || !strings.Contains(explain(err), tt.want) {
				t.Errorf("%s", explain(err))
			}
			if got := aptFiles(s.server); !slices.Equal(got, before) {
				t.Errorf("%q, before %q", got, before)
			}
			if got, _ := s.server.ReadFile(tt.file); string(got) != tt.content {
				t.Errorf("%q", got)
			}
			sh(t, s, 0, "apt-get -o APT::Update::Error-Mode=any update")
		})
	}
}

// TestSourcesThatAptCannotRead are said before anything is changed, wherever Docker comes from.
func TestSourcesThatAptCannotRead(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"auto", "official", "distro"} {
		s, _ := mirrored(t, "debian 13", source)
		s.put("/etc/apt/sources.list.d/twice.list", "deb [signed-by=/a] http://deb.example.org trixie main\ndeb [signed-by=/b] http://deb.example.org trixie main\n")
		_, err := s.attempt().plan()
		if !isCode(err, report.ExitPreflight) || !strings.Contains(explain(err), "apt cannot read the host's package sources: Conflicting values set for option Signed-By") {
			t.Errorf("%s: %s", source, explain(err))
		}
	}
}

// put writes a foreign file on the host.
func (s *site) put(name, content string) {
	s.t.Helper()
	if err := s.server.WriteFile(name, content, 0o644); err != nil {
		s.t.Fatalf("%v", err)
	}
}

// TestKilledWhileSourcesAreAdded pulls the plug at moments of an installation from Docker's repository, which does not
// work any more when the host is back: what was added is gone after the next run, and apt works.
func TestKilledWhileSourcesAreAdded(t *testing.T) {
	t.Parallel()
	for _, at := range []string{
		"^mv .*docker.asc", "^apt-get .*sourceparts", "^mv .*docker.sources", "^apt-get .* install docker-ce",
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t, "debian 13", "auto")
			s.server.SetDockerRepository(mirror)
			s.server.Fail(remotetest.Failure{Match: at, Late: !strings.HasPrefix(at, "^apt"), Do: func() { go s.server.Reboot() }, Hang: true})
			if _, err := s.attempt().apply(); err == nil {
				t.Fatal("it was not killed")
			}
			s.server.SetDockerRepository(&remotetest.DockerRepository{URL: mirrorURL, Update: errors.New("Hash Sum mismatch")})
			s.converge()
			sh(t, s, 0, "apt-get -o APT::Update::Error-Mode=any update; dpkg -s docker.io")
			if got := aptFiles(s.server); len(got) > 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

// A source that an older provision left and that does not work is taken away; one of others is not.
func TestAnOldSourceThatDoesNotWork(t *testing.T) {
	t.Parallel()
	old := "Types: deb\nURIs: http://gone.example.org/docker/debian\nSuites: trixie\nComponents: stable\nArchitectures: amd64\nSigned-By: " + dockerKey + "\n"
	for _, ours := range []bool{true, false} {
		s, mirror := mirrored(t, "debian 13", "official")
		s.server.SetDockerRepository(mirror)
		if ours {
			s.put("/var/lib/provision/engine", "installed by provision\n")
			s.server.AdvanceClock(time.Second)
		}
		s.put(dockerSources, old)
		s.put(dockerKey, string(signers()[1].public))
		if ours {
			s.converge()
			continue
		}
		_, err := s.attempt().apply()
		if !isCode(err, report.ExitStep) || !strings.Contains(explain(err), "apt-get update failed: Failed to fetch http://gone.example.org") {
			t.Errorf("%s", explain(err))
		}
		if got, _ := s.server.ReadFile(dockerSources); string(got) != old {
			t.Errorf("%q", got)
		}
	}
}

// A dpkg that was killed and left nothing but its journal is finished.
func TestOnlyTheJournalIsLeft(t *testing.T) {
	t.Parallel()
	s := arrange(t, single)
	s.put("/var/lib/dpkg/updates/0000", "")
	s.converge()
}

// TestEnginesOfOthers refuses in the plan what the stack cannot use, and installs nothing beside it.
func TestEnginesOfOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, docker, prepare, want string }{
		{"a snap", "", "mkdir -p /snap/bin; : >/snap/bin/docker; : >/run/docker.sock", "Docker is a snap on this host"},
		{"a snap without a socket", "", "mkdir -p /snap/bin; : >/snap/bin/docker", "Docker is a snap on this host"},
		{"without buildx", "running", "apt-get remove docker-buildx", "Docker 26.1.5+dfsg1 has no buildx, which builds the images\n  evidence: \n  hint: on the host: apt-get install docker-buildx\n"},
		{"without Compose", "running", "apt-get remove docker-compose", "Docker 26.1.5+dfsg1 has no Compose 2\n  evidence: \n  hint: on the host: apt-get install docker-compose\n"},
		{"userns-remap", "running", `printf '{"userns-remap":"default"}' >/etc/docker/daemon.json; systemctl restart docker`, "the engine runs with userns-remap"},
		{"SELinux", "running", `printf '{"selinux-enabled":true}' >/etc/docker/daemon.json; systemctl restart docker`, "the engine confines containers with SELinux"},
		{"an engine without a command", "running", "apt-get remove docker-cli", "there is an engine on this host, but no docker command"},
		{"a command without an engine", "running", "apt-get remove docker.io; systemctl stop docker", "there is a docker command on this host, but no engine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, layout{host: func(_ string, o *remotetest.HostOptions) { o.Docker = tt.docker }})
			sh(t, s, 0, "mkdir -p /etc/docker; "+tt.prepare)
			_, err := s.attempt().plan()
			if !isCode(err, report.ExitPreflight) || !strings.Contains(explain(err), tt.want) {
				t.Errorf("%s", explain(err))
			}
			if _, err := s.server.Stat("/var/lib/provision"); err == nil {
				t.Error("something was written")
			}
		})
	}
}

// TestNoWayToDocker has hosts whose distribution brings no Docker that will do, and no way to Docker's repository: the plan
// says so before anything is written.
func TestNoWayToDocker(t *testing.T) {
	t.Parallel()
	for distro, want := range map[string]string{
		"debian 11":    "is not among the systems that Docker is installed on: Debian 12, 13; Ubuntu 22.04",
		"debian 12":    "Docker cannot be installed from https://download.docker.com/linux/debian: Failed to fetch",
		"ubuntu 22.04": "Docker cannot be installed from https://download.docker.com/linux/ubuntu: Failed to fetch",
	} {
		s := arrange(t, layout{host: func(_ string, o *remotetest.HostOptions) { o.Distro = distro }})
		_, err := s.attempt().apply()
		if !isCode(err, report.ExitPreflight) || !strings.Contains(explain(err), want) {
			t.Errorf("%s: %s", distro, explain(err))
		}
		if _, err := s.server.Stat("/var/lib/provision/engine"); err == nil {
			t.Error("something was written")
		}
	}
}
