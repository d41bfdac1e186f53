package platform

import (
	"encoding/hex"
	"strings"

	"provision/remote"
)

// dnf is the package manager of the Red Hat family, with rpm below.
type dnf struct{}

// Where Docker's repository is added: the file and its section have the names that Docker's own manual gives.
const (
	dnfSources = "/etc/yum.repos.d/docker-ce.repo"
	dnfKeyFile = "/etc/pki/rpm-gpg/RPM-GPG-KEY-docker"
)

func (dnf) Words() Words {
	return Words{
		Program: "dnf", Check: "dnf makecache", Install: "dnf install", Remove: "dnf remove", TimeSync: "chrony", Error: "Error: ",
		SourceFile: dnfSources, KeyFile: dnfKeyFile, Key: "060a61c51b558a7f742b77aac52feb6b621e9f35",
		Conflicting: []string{"podman-docker", "runc", "containerd", "docker", "docker-engine", "moby-engine"},
	}
}

// ready waits for first boot and for other package managers.
func (m dnf) ready(script string, values ...string) string {
	values = append([]string{"S", dnfSources, "K", dnfKeyFile, "H", sourcesHead, "C", keyComment, "causes", causes(m)}, values...)
	return remote.Set(values...) + scripts.With("package_lock") + scripts.With("dnf") + FirstBoot() + scripts.With("package_wait") + script
}

func (m dnf) Update() string { return m.ready(scripts.With("dnf_update")) }

func (m dnf) Install(packages ...string) string {
	return m.ready("dnfinstall " + strings.Join(packages, " ") + "\n")
}

func (dnf) Installed(packages ...string) string {
	return remote.Args(packages...) + scripts.With("dnf_installed")
}

func (dnf) Ask(from Repository) string {
	return remote.Args(DockerPackages...) + scripts.With("dnf_ask", "S", dnfSources, "K", dnfKeyFile, "url", from.URL, "suite", from.Suite)
}

func (m dnf) OfficialRepository(from Repository, key string) string {
	id := ""
	if ring, err := readKeys([]byte(key)); err == nil && len(ring) == 1 {
		print40 := hex.EncodeToString(ring[0].PrimaryKey.Fingerprint)
		id = "gpg-pubkey-" + print40[max(0, len(print40)-8):]
	}
	return m.ready(remote.Args(DockerPackages...)+scripts.With("dnf_official"), "key", key, "id", id, "url", from.URL, "suite", from.Suite)
}

func (m dnf) Look() string {
	return scripts.With("dnf_look", "conflicting", strings.Join(m.Words().Conflicting, " "), "sources", dnfSources, "keyfile", dnfKeyFile, "head", sourcesHead, "comment", keyComment)
}
