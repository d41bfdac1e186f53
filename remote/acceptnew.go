package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// errOtherKey: while one process was about to add a host, another added it with
// another key.
var errOtherKey = errors.New("known_hosts got another key for this host in the meantime")

// addKnownHost appends one line to file, under the file's lock and in one write,
// so that parallel runs neither mix nor lose lines. It looks again under the
// lock: what another run added decides.
func addKnownHost(file, host string, port int, key ssh.PublicKey, hashed bool) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("add to known_hosts: %w", err)
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("add to known_hosts: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// Closing the file gives the lock back.
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", file, err)
	}
	content, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	quiet := func(string, ...any) {}
	switch parseKnownHosts(file, content, quiet).verify(host, port, key).status {
	case hostOK:
		return nil
	case hostChanged, hostRevoked:
		return errOtherKey
	case hostUnknown:
	}

	name := knownName(host, port)
	if hashed {
		name = knownhosts.HashHostname(name)
	}
	line := append([]byte(name+" "), ssh.MarshalAuthorizedKey(key)...)
	if len(content) > 0 && !bytes.HasSuffix(content, []byte("\n")) {
		line = append([]byte("\n"), line...)
	}
	if _, err := f.Write(line); err != nil {
		return fmt.Errorf("add to %s: %w", file, err)
	}
	return nil
}
