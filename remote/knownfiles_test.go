package remote

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// knownFleet writes a known_hosts file with a line per host, and returns it with the key of the last one.
func knownFleet(t *testing.T, hosts int) (file string, last ssh.PublicKey) {
	t.Helper()
	var b strings.Builder
	for n := range hosts {
		seed := make([]byte, ed25519.SeedSize)
		copy(seed, fmt.Sprint(n))
		key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(seed).Public())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "host-%d %s", n, ssh.MarshalAuthorizedKey(key))
		last = key
	}
	file = filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, last
}

// checkOf is the check that a connection to a host keeps.
func checkOf(t testing.TB, d *Dialer, file, host string) ssh.HostKeyCallback {
	t.Helper()
	check, _, err := d.hostKeyCheck(&handshake{hop: &hop{label: host, host: host, port: 22, userKnown: []string{file}}})
	if err != nil {
		t.Fatal(err)
	}
	return check
}

// TestKnownHostsAreReadAgain: what another program writes between two handshakes counts for the second.
func TestKnownHostsAreReadAgain(t *testing.T) {
	t.Parallel()
	file, key := knownFleet(t, 3)
	d := &Dialer{}
	if err := checkOf(t, d, file, "host-2")("", nil, key); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The same size, so that nothing but the content tells the two apart.
	if err := os.WriteFile(file, []byte(strings.Replace(string(content), "host-2", "host-9", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkOf(t, d, file, "host-2")("", nil, key); err == nil {
		t.Error("a host whose line was removed is still known")
	}
	if err := checkOf(t, d, file, "host-9")("", nil, key); err != nil {
		t.Errorf("a host whose line was added: %v", err)
	}
}
