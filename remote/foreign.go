package remote

import (
	"regexp"
	"slices"
	"strings"
)

// Foreign is a text that a foreign program says in English, and for which it has no exit status, type or code. Such texts are in
// these tables alone, one table per package, and choose words: the text may change with any version of the program.
type Foreign struct {
	Program string // and the version whose text it is
	Text    string // a part of it, in upper or lower case
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
		if one.Means == means && strings.Contains(text, strings.ToLower(one.Text)) {
			return true
		}
	}
	return false
}

// Text is the one that means this.
func (f Foreigns) Text(means Meaning) string {
	return f[slices.IndexFunc(f, func(one Foreign) bool { return one.Means == means })].Text
}

// Expression is those that mean this, as grep -E finds them in what the program printed.
func (f Foreigns) Expression(means Meaning) string {
	var all []string
	for _, one := range f {
		if one.Means == means {
			all = append(all, regexp.QuoteMeta(one.Text))
		}
	}
	return strings.Join(all, "|")
}

const (
	aboutFile        Meaning = "a file of ssh_config is to blame"
	onlyCounts       Meaning = "so many settings were refused, each with a line of its own"
	noSuchName       Meaning = "the name has no address"
	tooMany          Meaning = "the server takes no more connections now"
	banned           Meaning = "the server bans this address for a while"
	disconnected     Meaning = "the server ended the connection with a reason"
	passwordExpired  Meaning = "the password has expired"
	accountExpired   Meaning = "the account has expired"
	noLogin          Meaning = "the account may not log in, or not now"
	wantsTerminal    Meaning = "sudo wants a terminal"
	badAccount       Meaning = "sudo refuses the account"
	notAllowed       Meaning = "the account may not use sudo"
	badRules         Meaning = "sudo cannot read its rules"
	cannotBecomeRoot Meaning = "sudo cannot become root"
	wrongPassword    Meaning = "the password is wrong"
)

// foreign are the texts that this package knows. sudo is started with LC_ALL=C; ssh, sshd and pam_nologin have English alone; what
// PAM says is in the language of the host, and in another one the general words are used.
var foreign = Foreigns{
	{"ssh 9.2", " line ", aboutFile},
	{"ssh 9.2", "can't open user config file ", aboutFile},
	{"ssh 9.2", "bad owner or permissions on ", aboutFile},
	{"ssh 9.2", ": terminating, ", onlyCounts},
	{"ssh 9.2", "could not resolve host", noSuchName},
	{"sshd 9.2", "exceeded maxstartups", tooMany},
	{"sshd 9.8", "not allowed at this time", banned},
	{"x/crypto/ssh 0.58", "ssh: disconnect, reason", disconnected}, // of a type that is not exported
	{"sshd 9.2", "password has expired", passwordExpired},
	{"sshd 9.2", "password change required", passwordExpired},
	{"pam_unix 1.5", "change your password", passwordExpired},
	{"sudo 1.9", "password is expired", passwordExpired},
	{"sudo 1.9", "password expired", passwordExpired},
	{"pam_unix 1.5", "account has expired", accountExpired},
	{"sudo 1.9", "account expired", accountExpired},
	{"nologin of shadow 4.13", "account is currently not available", noLogin},
	{"systemd 252, by pam_nologin", "system is booting up", noLogin},
	{"systemd 252, by pam_nologin", "unprivileged users are not permitted", noLogin},
	{"sudo 1.9", "must have a tty", wantsTerminal},
	{"sudo 1.8", "no tty present", wantsTerminal},
	{"sudo 1.9", "account validation failure", badAccount},
	{"sudo 1.9", "not in the sudoers", notAllowed},
	{"sudo 1.9", "may not run sudo", notAllowed},
	{"sudo 1.9", "is not allowed to", notAllowed},
	{"sudo 1.9", "/etc/sudoers", badRules},
	{"sudo 1.9", "no valid sudoers", badRules},
	{"sudo 1.9", "syntax error", badRules},
	{"sudo 1.9", "must be owned by uid 0 and have the setuid bit", cannotBecomeRoot},
	{"sudo 1.9", "effective uid is not 0", cannotBecomeRoot},
	{"sudo 1.9", "no new privileges", cannotBecomeRoot},
	{"sudo 1.9", "incorrect password", wrongPassword},
}

// asOther is how hosts of clouds name the user that is to log in: cloud-init 22, and images of Amazon.
var asOther = regexp.MustCompile(`(?i)log ?in as (?:the )?(?:user )?"?([a-z_][a-z0-9_.-]*)"?(?: user)? (?:rather than|instead of)`)
