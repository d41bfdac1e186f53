//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// keyTypes are the host keys that Debian's OpenSSH makes for itself.
var keyTypes = []string{"ed25519", "ecdsa", "rsa"}

// keygen makes a key pair without a passphrase at path and path.pub, unless
// there is one.
func keygen(ctx context.Context, path, kind, comment string) error {
	if _, err := os.Stat(path + ".pub"); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	_, err := run(ctx, "ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", path)
	return err
}

// hostKeys makes the keys of a host in its root and returns their public lines,
// "TYPE BASE64" each.
func hostKeys(ctx context.Context, root, name string) ([]string, error) {
	var public []string
	for _, kind := range keyTypes {
		path := filepath.Join(root, "etc/ssh/ssh_host_"+kind+"_key")
		if err := keygen(ctx, path, kind, "root@"+name); err != nil {
			return nil, fmt.Errorf("making the host keys of %s: %w", name, err)
		}
		b, err := os.ReadFile(path + ".pub")
		if err != nil {
			return nil, err
		}
		f := strings.Fields(string(b))
		if len(f) < 2 {
			return nil, fmt.Errorf("%s.pub holds no key", path)
		}
		public = append(public, f[0]+" "+f[1])
	}
	return public, nil
}

// KnownHosts are the lines of a known_hosts file for this host, one a key.
func (h *Host) KnownHosts() string {
	var lines strings.Builder
	for _, key := range h.HostKeys {
		fmt.Fprintf(&lines, "%s %s\n", h.Address, key)
	}
	return lines.String()
}
