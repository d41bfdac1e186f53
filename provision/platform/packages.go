package platform

import (
	"embed"
	"slices"
	"strings"

	"provision/remote"
)

//go:embed *.sh
var files embed.FS

// scripts are the shell of this package. Those of a package manager begin with its name; package_lock, first_boot and package_wait are for all.
var scripts = remote.ReadScripts(files)

// Repository is where Docker's own packages of one release of a family are.
type Repository struct{ URL, Suite string }

// DockerPackages are Docker's own, which have the same names for all package managers.
var DockerPackages = []string{"docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin"}

// PackageManager gives the scripts that install packages. Each is whole, and runs after the prelude of changes, which has set -eu, die
// and put. Whatever a script adds to the host's package sources, and whatever it unpacks, is taken back when it fails, and by
// Update when the one before was killed.
type PackageManager interface {
	// Words are what messages and advice need of it.
	Words() Words
	// Update waits until packages can be installed, finishes or takes back what was interrupted, and reads the host's package sources.
	Update() string
	// Install installs from the sources that the host has.
	Install(packages ...string) string
	// Installed prints a line "installed NAME" for each of the packages that is, and fails where that cannot be told.
	Installed(packages ...string) string
	// Ask prints "there" if the host's sources give Docker's own packages. Else it prints "host BASE64", the keys that the host has for
	// them already, if any, and "mirror BASE64", the keys that the repository shows.
	Ask(from Repository) string
	// OfficialRepository adds the repository, whose packages this armored key signs, and installs Docker from it. The host's sources
	// are tried together with it before it gets its place.
	OfficialRepository(from Repository, key string) string
	// Look is the body of a function of the observing script, which has v and is read-only but for a directory $t in /tmp. It runs
	// on a host that has no Docker, with the repository in $b and the release as that names it in $c, and answers with the fields
	// that the engine knows; $only is not empty where Docker's repository is the only way to Docker.
	Look() string
}

// Words are what messages and advice say of a package manager.
type Words struct {
	Program string // that reads the package sources
	Check   string // the command that ends well when they work
	Install string // the command that installs packages, without their names
	Remove  string
	// TimeSync is the package that keeps the clock right.
	TimeSync string
	// SourceFile and KeyFile are those of Docker's repository.
	SourceFile, KeyFile string
	// Key is the fingerprint of the key that signs Docker's packages.
	Key string
	// Conflicting packages stand in the way of Docker's own; they are named, never removed.
	Conflicting []string
	// Error is what its own errors begin with.
	Error string
}

// managers are the package managers of all families.
func managers() (all []PackageManager) {
	for _, f := range families {
		if !slices.Contains(all, f.Packages) {
			all = append(all, f.Packages)
		}
	}
	return all
}

// Installed prints a line "installed NAME" for each of the packages that is, on a host of any family.
func Installed(packages ...string) string {
	var all []string
	for _, m := range managers() {
		all = append(all, m.Installed(packages...))
	}
	return strings.Join(all, "\n")
}

// Keys are the fingerprints of all keys that sign Docker's packages.
func Keys() (all []string) {
	for _, m := range managers() {
		all = append(all, m.Words().Key)
	}
	return all
}

// sourcesHead is the first line of the files that provision adds to a host's package sources.
const sourcesHead = "# Added by provision, which takes it away again if Docker cannot be installed from here."

// FirstBoot waits until cloud-init has ended what it does at the first boot of a machine.
func FirstBoot() string { return scripts.With("first_boot") }

// Look defines look, the part of a blank host's record that tells what prevents the installation of packages: the host's own package
// sources where they cannot be read and, where Docker's repository is the only way, what keeps it from being added, what
// it shows as its key, or why it shows nothing. Nothing is written but below a directory of its own in /tmp.
func Look(below, source string) string {
	if source == "present" {
		return remote.Function("look", ":")
	}
	var b strings.Builder
	for _, m := range managers() {
		b.WriteString(remote.Function("look_"+m.Words().Program, m.Look()))
	}
	var rows, distro []string
	for _, f := range families {
		rows = append(rows, f.ID+"="+f.Packages.Words().Program+":"+f.Path+":"+f.Suite)
		for v := range f.Distro {
			distro = append(distro, f.ID+":"+v)
		}
	}
	slices.Sort(distro)
	only := "yes"
	switch source {
	case "official":
		distro = nil
	case "distro":
		only = ""
	}
	return b.String() + remote.Function("look", scripts.With("look", "below", strings.TrimSuffix(below, "/"), "families", strings.Join(rows, " "), "distro", strings.Join(distro, " "), "only", only))
}
