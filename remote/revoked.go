package remote

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// checkRevoked asks the files of RevokedHostKeys, before anything else counts. As
// with ssh, a file that cannot be asked refuses every key.
func checkRevoked(hs *handshake, key ssh.PublicKey) *Error {
	for _, file := range hs.hop.revoked {
		revoked, err := revokedBy(file, key)
		if err != nil {
			return hostKeyError(hs, fmt.Errorf("RevokedHostKeys: %w", err), "",
				"ssh_config names a list of revoked keys that cannot be read, so no key is accepted: correct the file or the setting")
		}
		if revoked {
			return hostKeyError(hs, errors.New("the host key is revoked"),
				fmt.Sprintf("%s is in the RevokedHostKeys of ssh_config: %s", fingerprint(key), file),
				"give the host a new key; a revoked one may be in wrong hands")
		}
	}
	return nil
}

// krlMagic begins a key revocation list; everything else is text.
var krlMagic = []byte("SSHKRL\n\x00")

func revokedBy(file string, key ssh.PublicKey) (bool, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	if bytes.HasPrefix(content, krlMagic) {
		return revokedByList(file, key)
	}
	return revokedByText(file, content, key)
}

// revokedByText: one public key per line. A line that is not a key refuses every key whose
// own line does not come before it, as with ssh.
func revokedByText(file string, content []byte, key ssh.PublicKey) (bool, error) {
	n := 0
	for line := range strings.Lines(string(content)) {
		n++
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(words) < 2 {
			return false, fmt.Errorf("%s:%d: not a public key", file, n)
		}
		blob, err := base64.StdEncoding.DecodeString(words[1])
		var listed ssh.PublicKey
		if err == nil {
			listed, err = ssh.ParsePublicKey(blob)
		}
		if err != nil || listed.Type() != words[0] {
			return false, fmt.Errorf("%s:%d: not a public key", file, n)
		}
		cert, isCert := key.(*ssh.Certificate)
		if sameKey(plainKey(listed), plainKey(key)) || isCert && sameKey(plainKey(listed), cert.SignatureKey) {
			return true, nil
		}
	}
	return false, nil
}

// revokedByList asks ssh-keygen, because a revocation list also holds serial
// numbers, names and digests of certificates.
func revokedByList(file string, key ssh.PublicKey) (bool, error) {
	program, err := exec.LookPath("ssh-keygen")
	if err != nil {
		return false, fmt.Errorf("%s is a key revocation list, and there is no ssh-keygen to read it with", file)
	}
	dir, err := os.MkdirTemp("", "provision-krl-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	shown := filepath.Join(dir, "key.pub")
	if err := os.WriteFile(shown, ssh.MarshalAuthorizedKey(key), 0o600); err != nil {
		return false, err
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	cmd := exec.CommandContext(ctx, program, "-Q", "-f", file, shown)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	said := strings.TrimSpace(string(out))
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false, nil
	case errors.As(err, &exit) && exit.ExitCode() == 1: // any other failure is 255
		return true, nil
	}
	return false, fmt.Errorf("%s: ssh-keygen -Q: %s", file, Sanitize(strings.TrimPrefix(said, "ssh-keygen: ")))
}
