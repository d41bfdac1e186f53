package provision_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"provision/provision/report"
	"provision/remote/remotetest"
)

const (
	dnfSources = "/etc/yum.repos.d/docker-ce.repo"
	dnfKey     = "/etc/pki/rpm-gpg/RPM-GPG-KEY-docker"
)

// dnfState are the files of dnf's configuration, with the mode of each, and all packages and keys that rpm knows.
func dnfState(t *testing.T, s *site) (state []string) {
	t.Helper()
	for _, dir := range []string{"/etc/yum.repos.d", "/etc/pki/rpm-gpg"} {
		for _, f := range s.server.Files(dir) {
			state = append(state, fmt.Sprintf("%s %s", f.Path, f.Mode()))
		}
	}
	sh(t, s, 0, "rpm -qa >/root/packages")
	packages, err := s.server.ReadFile("/root/packages")
	if err != nil {
		t.Fatal(err)
	}
	return append(state, string(packages))
}

// TestDockersOwnRepositoryWithDnf installs from a mirror that its owner signs, which is the only way there; the mirror shows one
// more key, which is not trusted.
func TestDockersOwnRepositoryWithDnf(t *testing.T) {
	t.Parallel()
	for distro, below := range map[string]string{
		"rhel 9": "rhel/9", "rocky 9": "rhel/9", "almalinux 10": "rhel/10", "centos 10": "centos/10", "fedora 42": "fedora/42",
	} {
		t.Run(distro, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t, distro, "auto")
			mirror.Key = append(bytes.Clone(mirror.Key), signers()[1].public...)
			s.server.SetDockerRepository(mirror)
			s.converge()
			sh(t, s, 0, "rpm -q docker-ce docker-buildx-plugin gpg-pubkey-"+signers()[0].fingerprint[32:])
			sh(t, s, 0, "! rpm -q gpg-pubkey-"+signers()[1].fingerprint[32:])
			got, _ := s.server.ReadFile(dnfSources)
			for _, want := range []string{"baseurl=" + mirrorURL + "/" + below + "/$basearch/stable\n", "gpgcheck=1\n", "gpgkey=file://" + dnfKey + "\n"} {
				if !strings.Contains(string(got), want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			if key, _ := s.server.ReadFile(dnfKey); bytes.Count(key, []byte("BEGIN")) != 1 {
				t.Errorf("%s", key)
			}
		})
	}
}

// TestARepositoryThatDoesNotWorkOnRocky wants package sources, keys and packages to be as before after each way in which an
// installation can fail; then the repository works, and the same command goes through.
func TestARepositoryThatDoesNotWorkOnRocky(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		broken     func(m *remotetest.DockerRepository)
		code       int
	}{
		{"another key", "not " + signers()[0].fingerprint, func(m *remotetest.DockerRepository) { m.Key = signers()[1].public }, report.ExitPreflight},
		{"signed by another key", "Public key for containerd.io", func(m *remotetest.DockerRepository) { m.Signer = signers()[1].fingerprint }, report.ExitStep},
		{"no metadata", "Status code: 404 for", func(m *remotetest.DockerRepository) { m.Update = errors.New("404") }, report.ExitStep},
		{"a broken package", "Error in PREIN scriptlet in rpm package docker-ce", func(m *remotetest.DockerRepository) { m.Broken = "docker-ce" }, report.ExitStep},
		{"nobody answers", "Could not resolve host", func(m *remotetest.DockerRepository) { m.URL = "http://elsewhere.example.org" }, report.ExitPreflight},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t, "rocky 9", "auto")
			bad := *mirror
			tt.broken(&bad)
			s.server.SetDockerRepository(&bad)
			before := dnfState(t, s)
			_, err := s.attempt().apply()
			if !isCode(err, tt.code) || !strings.Contains(explain(err), tt.want) {
				t.Errorf("%s", explain(err))
			}
			if got := dnfState(t, s); !slices.Equal(got, before) {
				t.Errorf("left behind: %q, before %q", got, before)
			}
			s.server.SetDockerRepository(mirror)
			s.converge()
		})
	}
}

// TestKilledWhileSourcesAreAddedOnRocky pulls the plug at moments of an installation; the repository does not work any more when the
// host is back: what was added to its sources is gone after the next run, which the repository's return lets through.
func TestKilledWhileSourcesAreAddedOnRocky(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"^mv .*RPM-GPG-KEY-docker", "^dnf .*reposdir", "^mv .*docker-ce.repo", "^dnf .* install docker-ce"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t, "rocky 9", "auto")
			s.server.SetDockerRepository(mirror)
			before := s.server.Files("/etc/yum.repos.d")
			s.server.Fail(remotetest.Failure{Match: at, Late: !strings.HasPrefix(at, "^dnf"), Do: func() { go s.server.Reboot() }, Hang: true})
			if _, err := s.attempt().apply(); err == nil {
				t.Fatal("it was not killed")
			}
			s.server.SetDockerRepository(&remotetest.DockerRepository{URL: mirrorURL, Key: mirror.Key, Signer: mirror.Signer, Update: errors.New("404")})
			if _, err := s.attempt().apply(); !isCode(err, report.ExitStep) {
				t.Errorf("%s", explain(err))
			}
			if got := s.server.Files("/etc/yum.repos.d"); len(got) != len(before) {
				t.Errorf("left behind: %v", got)
			}
			s.server.SetDockerRepository(mirror)
			s.converge()
		})
	}
}

// TestBeforeAnythingOnRocky says in the plan what stands in the way.
func TestBeforeAnythingOnRocky(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, distro, source, prepare, want string }{
		{"packages that conflict", "rocky 9", "auto", "dnf -y install podman-docker runc", "Docker's packages conflict with some that are installed: podman-docker, runc\n  evidence: \n  hint: on the host, if nothing needs them: dnf remove podman-docker runc\n"},
		{"a file with our name", "rocky 9", "auto", "printf '[theirs]\\nbaseurl=http://mirror.rocky.example/x\\n' >" + dnfSources, dnfSources + " is there already, but gives no docker-ce"},
		{"another key with our name", "rocky 9", "auto", "echo x >" + dnfKey, dnfKey + " is there already, with other keys than"},
		{"the distribution has none", "rocky 9", "distro", ":", "the packages of Rocky Linux 9.6 (Blue Onyx) have no Docker with Compose 2 that provision knows of"},
		{"too old", "rocky 8", "auto", ":", "is not among the systems that Docker is installed on"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t, tt.distro, tt.source)
			s.server.SetDockerRepository(mirror)
			sh(t, s, 0, tt.prepare)
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

// A repository of the site that gives Docker's packages is used as it is.
func TestDockersSourceIsThereOnRocky(t *testing.T) {
	t.Parallel()
	s, mirror := mirrored(t, "rocky 9", "auto")
	mirror.Signer = signers()[1].fingerprint // another than the inventory's
	s.server.SetDockerRepository(mirror)
	const file = "/etc/yum.repos.d/internal.repo"
	content := "[internal-docker]\nbaseurl=" + mirrorURL + "/rhel/9/$basearch/stable\ngpgkey=file:///etc/pki/rpm-gpg/internal\n"
	s.put("/etc/pki/rpm-gpg/internal", string(signers()[1].public))
	s.put(file, content)
	s.converge()
	if got, _ := s.server.ReadFile(file); string(got) != content {
		t.Errorf("%s", got)
	}
	if _, err := s.server.Stat(dnfSources); err == nil {
		t.Error("a second source was added")
	}
}

// TestInstalledPackagesThatCannotBeTold: what cannot be read is not taken for "not installed", and nothing is installed over it.
func TestInstalledPackagesThatCannotBeTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		distro, install, want string
		fault                 remotetest.Failure
	}{
		{"debian 13", "apt-get .* install docker", "dpkg-query cannot read", remotetest.Failure{Match: "^dpkg-query -W .*podman-docker", Code: 2, Stderr: "dpkg-query: error: parsing file '/var/lib/dpkg/status' near line 1\n"}},
		{"rocky 9", "^dnf .* install docker", "error: cannot open Packages database", remotetest.Failure{Match: "^rpm -q .*podman-docker", Code: 1, Stderr: "error: cannot open Packages database in /var/lib/rpm\n"}},
	} {
		t.Run(tt.distro, func(t *testing.T) {
			t.Parallel()
			s, mirror := mirrored(t, tt.distro, "official")
			s.server.SetDockerRepository(mirror)
			tt.fault.Nth = -1
			s.server.Fail(tt.fault)
			if _, err := s.attempt().apply(); !isCode(err, report.ExitStep) || !strings.Contains(explain(err), tt.want) {
				t.Errorf("%s", explain(err))
			}
			if ran := s.server.Ran(tt.install); len(ran) > 0 {
				t.Errorf("installed all the same: %q", ran)
			}
		})
	}
}

// TestAKeyThatRPMKeeps: a key that rpm does not let go of stays noted, so that the next run removes it.
func TestAKeyThatRPMKeeps(t *testing.T) {
	t.Parallel()
	s, mirror := mirrored(t, "rocky 9", "auto")
	before := dnfState(t, s)
	broken := *mirror
	broken.Broken = "docker-ce"
	s.server.SetDockerRepository(&broken)
	s.server.Fail(remotetest.Failure{Match: "^rpm -e gpg-pubkey", Code: 1, Stderr: "error: can't create transaction lock\n"})
	if _, err := s.attempt().apply(); !isCode(err, report.ExitStep) {
		t.Errorf("%s", explain(err))
	}
	if got, _ := s.server.ReadFile(dnfSources); !strings.Contains(string(got), "# gpg-pubkey-") || strings.Contains(string(got), "[docker-ce-stable]") {
		t.Errorf("the note is\n%s", got)
	}
	if _, err := s.attempt().apply(); !isCode(err, report.ExitStep) {
		t.Errorf("%s", explain(err))
	}
	if got := dnfState(t, s); !slices.Equal(got, before) {
		t.Errorf("left behind: %q, before %q", got, before)
	}
}
