package platform

import (
	"slices"
	"strings"

	"provision/remote"
)

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
	// Installed prints a line "installed NAME" for each of the packages that is.
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

// lockHolder defines holder FILE, which names the process that holds a lock on a file.
const lockHolder = `holder() { ino=$(stat -c %i "$1" 2>/dev/null) || return 1
	while read -r _ _ _ _ pid dev _; do case $dev in *:"$ino") printf 'process %s (%s)' "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null)"; return 0 ;; esac; done </proc/locks
	return 1; }
`

// FirstBoot waits until cloud-init has ended what it does at the first boot of a machine.
const FirstBoot = `n=0
while command -v cloud-init >/dev/null && s=$(cloud-init status 2>/dev/null || true) && case $s in *running*|*'not started'*|*'not run'*) true ;; *) false ;; esac; do
	[ $n -lt 180 ] || die "cloud-init did not end within 15 minutes: $s"
	[ $((n % 6)) -ne 0 ] || echo "waiting for cloud-init to end its first boot work"
	n=$((n + 1)); sleep 5
done
`

// Look defines look, the part of a blank host's record that tells what prevents the installation of packages: the host's own package
// sources where they cannot be read and, where Docker's repository is the only way, what keeps it from being added, what
// it shows as its key, or why it shows nothing. Nothing is written but below a directory of its own in /tmp.
func Look(below, source string) string {
	if source == "present" {
		return "look() { :; }"
	}
	var functions strings.Builder
	var rows, otherwise []string
	for _, m := range managers() {
		functions.WriteString("look_" + m.Words().Program + "() {\n" + m.Look() + "; }\n")
	}
	for _, f := range families {
		name := f.Packages.Words().Program
		suite := "${" + f.Suite + ":-}"
		if f.Major {
			suite = "${" + f.Suite + "%%.*}"
		}
		rows = append(rows, f.ID+") m="+name+" p="+f.Path+" c="+suite+" ;;")
		for v := range f.Distro {
			otherwise = append(otherwise, remote.Quote(f.ID+" "+v))
		}
	}
	slices.Sort(otherwise)
	only := "case \"$ID $VERSION_ID\" in " + strings.Join(otherwise, "|") + ") only= ;; esac"
	switch source {
	case "official":
		only = ":"
	case "distro":
		only = "only="
	}
	return functions.String() + `look() {
[ -r /etc/os-release ] || return
ID='' VERSION_ID='' m='' there='' only=yes; . /etc/os-release
case $ID in ` + strings.Join(rows, " ") + ` *) return ;; esac
` + only + `
b=` + remote.Quote(strings.TrimSuffix(below, "/")) + `/$p
look_$m
[ -z "${t:-}" ] || rm -rf "$t"; }`
}
