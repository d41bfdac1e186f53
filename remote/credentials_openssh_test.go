package remote_test

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"provision/remote"
)

// TestLogsInWithWhatSSHConfigNames logs in to a real server by ssh and by this package with the credentials that
// ssh_config names: keys in an agent, certificates in files, and certificates in an agent.
func TestLogsInWithWhatSSHConfigNames(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	writeKey(t, file("authority"), "")
	writeKey(t, file("certified"), "")
	writeKey(t, file("stranger"), "")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", file("rsa")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := startSSHD(t, "TrustedUserCAKeys "+file("authority.pub"))
	sign := func(key, principal string) {
		t.Helper()
		if out, err := exec.Command("ssh-keygen", "-q", "-s", file("authority"), "-I", "test", "-n", principal, file(key+".pub")).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	sign("certified", login(t))
	sign("rsa", login(t))
	sign("stranger", "nobody-here")
	// ssh takes a certificate beside its key without being told; there it is under another name.
	move := func(from, to string) {
		t.Helper()
		if err := exec.Command("mv", file(from), file(to)).Run(); err != nil {
			t.Fatal(err)
		}
	}
	holder, _ := realAgent(t, s.key)
	certified, _ := realAgent(t, file("certified")) // ssh-add takes the certificate along
	rsa, _ := realAgent(t, file("rsa"))
	move("certified-cert.pub", "elsewhere-cert.pub")
	move("stranger-cert.pub", "other-cert.pub")

	for _, tt := range []struct {
		name, config string
		logsIn       bool
	}{
		{"an agent", "IdentityAgent " + holder, true},
		{"an agent and the public half of its key", "IdentityAgent " + holder + "\n IdentityFile " + s.key + ".pub\n IdentitiesOnly yes", true},
		{"an agent that may show only another key", "IdentityAgent " + holder + "\n IdentityFile " + file("stranger.pub") + "\n IdentitiesOnly yes", false},
		{"no agent", "IdentityAgent none\n IdentityFile " + file("certified"), false},
		{"a certificate in a file", "IdentityAgent none\n IdentityFile " + file("certified") + "\n CertificateFile " + file("elsewhere-cert.pub"), true},
		{"a certificate in a file for a key in an agent", "IdentityAgent " + certified + "\n IdentityFile " + file("certified.pub") + "\n CertificateFile " + file("elsewhere-cert.pub") + "\n IdentitiesOnly yes", true},
		{"a certificate for somebody else", "IdentityAgent none\n IdentityFile " + file("stranger") + "\n CertificateFile " + file("other-cert.pub"), false},
		{"a certificate in an agent", "IdentityAgent " + certified, true},
		{"an RSA certificate in an agent", "IdentityAgent " + rsa, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config := filepath.Join(t.TempDir(), "config")
			rest := ""
			if !strings.Contains(tt.config, "IdentityFile") {
				rest = " IdentityFile none\n"
			}
			write(t, config, []byte("Host db\n HostName 127.0.0.1\n UserKnownHostsFile "+s.known+"\n BatchMode yes\n "+tt.config+"\n"+rest))
			port := s.target().Port
			out, err := exec.Command("ssh", "-F", config, "-p", strconv.Itoa(port), "db", "echo in").CombinedOutput()
			if got := err == nil; got != tt.logsIn {
				t.Fatalf("ssh: %v: %s", err, out)
			}
			c, err := (&remote.Dialer{ConfigFile: config}).Dial(ctx(t), remote.Target{Name: "web-1", Address: "db", Port: port})
			if !tt.logsIn {
				wantError(t, err, remote.Auth, "web-1")
				return
			}
			if err != nil {
				t.Fatal(full(err))
			}
			_ = c.Close()
		})
	}
}
