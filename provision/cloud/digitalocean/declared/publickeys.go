package declared

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"provision/inventory"
	"provision/inventory/strict"
)

// publicKeys reads a file with one public key on each line, as authorized_keys has them.
func publicKeys(text []byte) ([]PublicKey, error) {
	if strings.Contains(string(text), "PRIVATE KEY") {
		return nil, errors.New("is a private key; the public one ends in .pub")
	}
	var out []PublicKey
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, comment, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
		switch {
		case err != nil && len(out) == 0:
			return nil, errors.New("has no public key in OpenSSH's form")
		case err != nil:
			return nil, fmt.Errorf("has something else than a public key in OpenSSH's form in its line %d", number)
		case len(options) > 0:
			return nil, fmt.Errorf("has a key with options in its line %d, which the account does not keep: it could log in without them", number)
		}
		out = append(out, PublicKey{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), comment, ssh.FingerprintLegacyMD5(key)})
	}
	if len(out) == 0 {
		return nil, errors.New("has no public key in OpenSSH's form")
	}
	return out, nil
}

// PublicKey is a key of ssh_keys as the API knows it.
type PublicKey struct{ Text, Comment, Fingerprint string }

// PublicKeys reads the files of ssh_keys: every key of each of them, and each key once.
func (d *Account) PublicKeys() ([]PublicKey, error) {
	var out []PublicKey
	for _, name := range d.SSHKeys {
		text, err := strict.ReadFile(name, inventory.MaxFile)
		if err != nil {
			return nil, fmt.Errorf("read ssh_keys: %w", err)
		}
		keys, err := publicKeys(text)
		if err != nil {
			return nil, fmt.Errorf("read ssh_keys: %s %w", name, err)
		}
		for _, k := range keys {
			if !slices.ContainsFunc(out, func(o PublicKey) bool { return o.Text == k.Text }) {
				out = append(out, k)
			}
		}
	}
	return out, nil
}
