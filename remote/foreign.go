package remote

import "strings"

// Foreign is a text that a foreign program says in English, and for which it has no exit status, type or code. Such texts are in
// these tables alone, one table per package, and choose words: the text may change with any version of the program.
type Foreign struct {
	Program string // and the version whose text it is
	Text    string // a part of it, in lower case
	Means   Meaning
}

// Meaning is what such a text says, in the words of the package that asks.
type Meaning string

// Foreigns are the texts that a package knows.
type Foreigns []Foreign

// Say tells whether a text has one of those that mean this.
func (f Foreigns) Say(text string, means Meaning) bool {
	text = strings.ToLower(text)
	for _, one := range f {
		if one.Means == means && strings.Contains(text, one.Text) {
			return true
		}
	}
	return false
}

const (
	aboutFile  Meaning = "a file of ssh_config is to blame"
	noSuchName Meaning = "the name has no address"
)

// foreign are the texts that this package knows.
var foreign = Foreigns{
	{"ssh 9.2", " line ", aboutFile},
	{"ssh 9.2", "can't open user config file ", aboutFile},
	{"ssh 9.2", "bad owner or permissions on ", aboutFile},
	{"ssh 9.2", "could not resolve host", noSuchName},
}
