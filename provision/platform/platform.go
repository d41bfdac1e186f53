// Package platform knows how the Linux families differ that provision installs Docker on: the package manager, the init
// system, and a row per family. It gives the text of scripts and of advice, and runs nothing itself.
//
// A family with a package manager that is here is one more row in families. A package manager is one more file with an
// implementation of PackageManager, and the row that uses it.
package platform

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"provision/files/naming"
	"provision/remote"
)

// EngineMark says that this engine was installed by us; it is written before the first package, so
// that a run killed in between finishes what it began.
const EngineMark = naming.Root + "/engine"

// Family is a Linux family that Docker is installed on.
type Family struct {
	ID       string              // ID in os-release
	Name     string              // as people write it
	Distro   map[string][]string // release to the distribution's own packages
	Official []string            // releases that only Docker's own repository has packages for
	Suite    string              // field of os-release that Docker's repository names the release by
	Major    bool                // a release is what stands before the first dot of VERSION_ID
	Path     string              // below Docker's repository
	Images   bool                // droplets are made of a cloud's image of it
	Packages PackageManager
	Init     Init
}

var (
	ubuntuPackages = []string{"docker.io", "docker-compose-v2", "docker-buildx", "iptables"}
	majors         = []string{"9", "10"}
)

// families are the rows. The distributions' own packages are listed where they bring Compose 2. Debian 12 has none, and neither has the Red Hat family.
var families = []Family{
	{
		ID: "debian", Name: "Debian", Suite: "VERSION_CODENAME", Path: "debian", Images: true, Packages: apt{}, Init: Systemd,
		Distro:   map[string][]string{"13": {"docker.io", "docker-cli", "docker-compose", "docker-buildx", "iptables"}},
		Official: []string{"12"},
	},
	{
		ID: "ubuntu", Name: "Ubuntu", Suite: "UBUNTU_CODENAME", Path: "ubuntu", Images: true, Packages: apt{}, Init: Systemd,
		Distro:   map[string][]string{"24.04": ubuntuPackages, "25.04": ubuntuPackages, "25.10": ubuntuPackages, "26.04": ubuntuPackages},
		Official: []string{"22.04"},
	},
	{ID: "rhel", Name: "Red Hat Enterprise Linux", Official: majors, Suite: "VERSION_ID", Major: true, Path: "rhel", Packages: dnf{}, Init: Systemd},
	{ID: "rocky", Name: "Rocky Linux", Official: majors, Suite: "VERSION_ID", Major: true, Path: "rhel", Packages: dnf{}, Init: Systemd},
	{ID: "almalinux", Name: "AlmaLinux", Official: majors, Suite: "VERSION_ID", Major: true, Path: "rhel", Packages: dnf{}, Init: Systemd},
	{ID: "centos", Name: "CentOS Stream", Official: majors, Suite: "VERSION_ID", Major: true, Path: "centos", Packages: dnf{}, Init: Systemd},
	{ID: "fedora", Name: "Fedora", Official: []string{"42", "43"}, Suite: "VERSION_ID", Major: true, Path: "fedora", Packages: dnf{}, Init: Systemd},
}

// Find finds the family of an ID in os-release.
func Find(id string) (Family, bool) {
	for _, f := range families {
		if f.ID == id {
			return f, true
		}
	}
	return Family{}, false
}

// Of is the family of a host, by its os-release. Where that is of no family, it is the first one: of what is asked of such a
// host, nothing is done to it.
func Of(osRelease map[string]string) Family {
	if f, ok := Find(osRelease["ID"]); ok {
		return f
	}
	return families[0]
}

// Supported names the systems that Docker is installed on.
func Supported() string {
	var all []string
	for _, f := range families {
		all = append(all, f.Name+" "+strings.Join(f.Releases(), ", "))
	}
	return strings.Join(all, "; ")
}

// Releases are those that Docker is installed on.
func (f Family) Releases() []string {
	return slices.SortedFunc(slices.Values(slices.Concat(f.Official, slices.Collect(maps.Keys(f.Distro)))), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) // 9 before 10
	})
}

// Release is a host's, as Releases and Distro have it.
func (f Family) Release(osRelease map[string]string) string {
	version := osRelease["VERSION_ID"]
	if f.Major {
		version, _, _ = strings.Cut(version, ".")
	}
	return version
}

// Repository is where Docker's own packages of a host are, below a repository like Docker's.
func (f Family) Repository(below string, osRelease map[string]string) Repository {
	suite := osRelease[f.Suite]
	if f.Major {
		suite, _, _ = strings.Cut(suite, ".")
	}
	return Repository{URL: strings.TrimSuffix(below, "/") + "/" + f.Path, Suite: suite}
}

// OSRelease parses os-release. Values are data: they choose a row of our own table and are shown,
// nothing else.
func OSRelease(content string) map[string]string {
	m := map[string]string{}
	for l := range strings.Lines(content) {
		if k, v, ok := strings.Cut(strings.TrimSpace(l), "="); ok {
			m[k] = remote.Sanitize(strings.Trim(v, `"'`))
		}
	}
	return m
}
