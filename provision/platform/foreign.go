package platform

import "strings"

// foreign is how a line begins, as grep -E reads it, that says why a program failed which says nothing else of it: the exit status of
// both package managers is the same for all failures.
type foreign struct {
	program string // and the version whose text it is
	begins  string
}

// foreigns are the lines of each package manager; the first one that a program prints is shown as the cause.
var foreigns = map[string][]foreign{
	"apt": {
		{"dpkg 1.21", "dpkg: error"},
		{"apt 2.6", "W: (GPG|OpenPGP|An error)"},
		{"apt 2.6", "E: "},
	},
	"dnf": {
		{"dnf 4.14", " *- (Status code|Curl error|nothing provides)"},
		{"dnf 4.14", " Problem( [0-9]+)?: problem"},
		{"dnf 4.14", "Error( in|: .)"},
		{"dnf 4.14", "Public key for"},
		{"dnf 4.14", "Package .* is not signed"},
		{"rpm 4.18", "warning: .* failed"},
	},
}

// causes are the lines of a package manager as one expression.
func causes(m PackageManager) string {
	var all []string
	for _, f := range foreigns[m.Words().Program] {
		all = append(all, f.begins)
	}
	return strings.Join(all, "|")
}
