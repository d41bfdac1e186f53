package remote_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"provision/remote"
	"provision/remote/remotetest/foreigntest"
)

// TestForeign: each text that is known is in what the program said here, and means that alone.
func TestForeign(t *testing.T) {
	t.Parallel()
	foreigntest.Check(t, remote.ForeignTexts, map[string]remote.Meaning{
		"/etc/ssh/ssh_config.d/a.conf: line 3: Bad configuration option: no":     "a file of ssh_config is to blame",
		"Can't open user config file /root/.ssh/none: No such file or directory": "a file of ssh_config is to blame",
		"Bad owner or permissions on /home/ada/.ssh/config":                      "a file of ssh_config is to blame",
		"ssh: Could not resolve hostname no.invalid: Name or service not known":  "the name has no address",
		"ssh: Could not resolve host \"ada\"":                                    "the name has no address",
	})
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
