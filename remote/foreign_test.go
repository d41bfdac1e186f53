package remote_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"provision/remote"
	"provision/remote/remotecontract"
)

// TestForeign: each text that is known is in what the program said here, and means that alone.
func TestForeign(t *testing.T) {
	t.Parallel()
	remotecontract.CheckForeign(t, remote.ForeignTexts, map[string]remote.Meaning{
		"/etc/ssh/ssh_config.d/a.conf: line 3: Bad configuration option: no":                                         "a file of ssh_config is to blame",
		"Can't open user config file /root/.ssh/none: No such file or directory":                                     "a file of ssh_config is to blame",
		"Bad owner or permissions on /home/ada/.ssh/config":                                                          "a file of ssh_config is to blame",
		"/etc/ssh/ssh_config: terminating, 1 bad configuration options":                                              "so many settings were refused, each with a line of its own",
		"ssh: Could not resolve hostname no.invalid: Name or service not known":                                      "the name has no address",
		`ssh: Could not resolve host "ada"`:                                                                          "the name has no address",
		"Exceeded MaxStartups":                                                                                       "the server takes no more connections now",
		"Not allowed at this time":                                                                                   "the server bans this address for a while",
		`ssh: disconnect, reason 2: "Too many authentication failures"`:                                              "the server ended the connection with a reason",
		"WARNING: Your password has expired.":                                                                        "the password has expired",
		"Password change required but no TTY available.":                                                             "the password has expired",
		"You are required to change your password immediately (administrator enforced).":                             "the password has expired",
		"sudo: Account or password is expired, reset your password and try again":                                    "the password has expired",
		"sudo: Password expired, contact your system administrator":                                                  "the password has expired",
		"Your account has expired; please contact your system administrator.":                                        "the account has expired",
		`sudo: Account expired or PAM config lacks an "account" section for sudo, contact your system administrator`: "the account has expired",
		"This account is currently not available.":                                                                   "the account may not log in, or not now",
		"System is booting up. Unprivileged users are not permitted to log in yet. Please come back later. For technical details, see pam_nologin(8).": "the account may not log in, or not now",
		"sudo: sorry, you must have a tty to run sudo":                             "sudo wants a terminal",
		"sudo: no tty present and no askpass program specified":                    "sudo wants a terminal",
		"sudo: account validation failure, is your account locked?":                "sudo refuses the account",
		"ada is not in the sudoers file.":                                          "the account may not use sudo",
		"Sorry, user ada may not run sudo on db1.":                                 "the account may not use sudo",
		"Sorry, user ada is not allowed to execute '/bin/sh -c x' as root on db1.": "the account may not use sudo",
		"sudo: /etc/sudoers is owned by uid 1000, should be 0":                     "sudo cannot read its rules",
		"sudo: no valid sudoers sources found, quitting":                           "sudo cannot read its rules",
		"/etc/sudoers.d/ada:1:9: syntax error":                                     "sudo cannot read its rules",
		"sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set":   "sudo cannot become root",
		"sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' option set or an NFS file system without root privileges?": "sudo cannot become root",
		`sudo: The "no new privileges" flag is set, which prevents sudo from running as root.`:                                                        "sudo cannot become root",
		"sudo: 1 incorrect password attempt": "the password is wrong",
	})
}

// TestSudoSpeaksEnglish runs the command line as a login shell does, in an account of another language.
func TestSudoSpeaksEnglish(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"sh", "bash"} {
		cmd := exec.Command(shell, "-c", remote.CommandLine("REACHED", "env", `exec printf "%s" "$LC_ALL"`))
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=de_DE.UTF-8"}
		cmd.Stdin = strings.NewReader("exit 87\n")
		if out, err := cmd.Output(); err != nil || string(out) != "REACHED\nC" {
			t.Errorf("%s: %q, %v", shell, out, err)
		}
	}
}

// TestConfigErrorNames: an error that a file of the controller has for every host names none, and one about the way to a host
// names it, whatever words are in either.
func TestConfigErrorNames(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	for _, c := range []struct {
		name, text, ssh, host string
		kind                  remote.Kind
	}{
		{"a setting that is not understood without ssh", "Host *\n  ???\n", "there-is-no-such-program", "", remote.Config},
		{"a setting that ssh does not understand", "Host *\n  Foo bar\n", "ssh", "", remote.Config},
		{"a value that cannot be used", "Host a\n  IdentityFile ~no-config/key\n", "ssh", "here", remote.Config},
		{"a name without an address", "Host *\n  CanonicalizeHostname yes\n  CanonicalDomains invalid\n  CanonicalizeFallbackLocal no\n", "ssh", "here", remote.Unreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "settings")
			write(t, file, []byte(c.text))
			d := &remote.Dialer{ConfigFile: file, AgentSocket: "none", SSH: c.ssh}
			_, err := d.Dial(context.Background(), remote.Target{Name: "here", Address: "a"})
			var e *remote.Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.Host != c.host {
				t.Errorf("%#v of host %q, want one of %q", err, e.Host, c.host)
			}
		})
	}
}
