package remote_test

import (
	"bytes"
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

// TestForeign: each text that is known is in a line of its program, and means that alone. TestForeignInPrograms asks the programs themselves.
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

// TestForeignInPrograms finds the texts in the files of the programs that are installed here: a version that words it otherwise fails.
func TestForeignInPrograms(t *testing.T) {
	t.Parallel()
	files := map[string][]string{
		"ssh":               {"/usr/bin/ssh"},
		"sshd":              {"/usr/sbin/sshd", "/usr/lib/openssh/sshd-session", "/usr/lib/openssh/sshd-auth"},
		"pam_unix":          {"/usr/lib/*/security/pam_unix.so"},
		"nologin of shadow": {"/usr/sbin/nologin"},
		"systemd":           {"/usr/lib/tmpfiles.d/systemd-nologin.conf"},
		"sudo":              {"/usr/bin/sudo", "/usr/libexec/sudo/sudoers.so", "/usr/lib/sudo/sudoers.so"},
	}
	elsewhere := map[string]string{
		"exceeded maxstartups":                           "the compiler makes instructions of it",
		"not allowed at this time":                       "of sshd 9.8 and later",
		"no tty present":                                 "of sudo 1.8",
		"must be owned by uid 0 and have the setuid bit": "0 is a parameter",
		"effective uid is not 0":                         "0 is a parameter",
	}
	found := 0
	for _, f := range remote.ForeignTexts {
		program := f.Program[:strings.LastIndexByte(strings.TrimSuffix(f.Program, ", by pam_nologin"), ' ')]
		var content []byte
		for _, pattern := range files[program] {
			paths, err := filepath.Glob(pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range paths {
				if text, err := os.ReadFile(path); err == nil { // sudo's own file may be executable alone
					content = append(content, bytes.ToLower(text)...)
				}
			}
		}
		if content == nil {
			t.Logf("%s: not here", f.Program)
			continue
		}
		switch in := bytes.Contains(content, []byte(strings.ToLower(f.Text))); {
		case in:
			found++
		case elsewhere[f.Text] == "":
			t.Errorf("the %s that is installed here has no text %q", program, f.Text)
		}
	}
	if found == 0 {
		t.Skip("none of the programs is installed here")
	}
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
