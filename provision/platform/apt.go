package platform

import (
	"strings"

	"provision/files/naming"
	"provision/remote"
)

// apt is the package manager of Debian and what comes from it, with dpkg below.
type apt struct{}

// Where Docker's repository is added: under the names that Docker's own manual gives, so that whoever follows it later
// replaces our files and does not add a source that contradicts them.
const (
	aptSources = "/etc/apt/sources.list.d/docker.sources"
	aptKeyFile = "/etc/apt/keyrings/docker.asc"
)

// newPackages lists what a running installation brings to the host, until it has ended well.
const newPackages = naming.Root + "/engine.packages"

func (apt) Words() Words {
	return Words{
		Program: "apt", Check: "apt-get update", Install: "apt-get install", Remove: "apt-get remove", TimeSync: "systemd-timesyncd", Error: "E: ",
		SourceFile: aptSources, KeyFile: aptKeyFile, Key: "9dc858229fc7dd38854ae2d88d81803c0ebfcd88",
		Conflicting: []string{"podman-docker", "docker-ce", "docker.io", "docker-engine", "moby-engine"},
	}
}

// ready waits for first boot and for other package managers, and finishes an installation that was interrupted.
func (m apt) ready(script string, values ...string) string {
	values = append([]string{"S", aptSources, "K", aptKeyFile, "H", sourcesHead, "C", keyComment, "N", newPackages, "causes", causes(m)}, values...)
	return remote.Set(values...) + scripts.With("package_lock") + scripts.With("apt") + FirstBoot() + scripts.With("package_wait") +
		scripts.With("apt_finish") + script
}

func (m apt) Update() string { return m.ready(scripts.With("apt_update"), "mark", EngineMark) }

func (m apt) Install(packages ...string) string {
	return m.ready("aptinstall " + strings.Join(packages, " ") + "\n")
}

func (apt) Installed(packages ...string) string {
	return remote.Args(packages...) + scripts.With("apt_installed")
}

func (apt) Ask(from Repository) string {
	return remote.Args(DockerPackages...) + scripts.With("apt_ask", "S", aptSources, "K", aptKeyFile, "url", from.URL, "suite", from.Suite)
}

func (m apt) OfficialRepository(from Repository, key string) string {
	return m.ready(remote.Args(DockerPackages...)+scripts.With("apt_official"), "key", key, "url", from.URL, "suite", from.Suite)
}

func (apt) Look() string {
	return scripts.With("apt_look", "mark", EngineMark, "sources", aptSources, "keyfile", aptKeyFile, "head", sourcesHead, "comment", keyComment)
}
