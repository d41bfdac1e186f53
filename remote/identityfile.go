package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/crypto/ssh"
)

// fileKey is a key that a file names; signer is nil if only the agent can use it.
type fileKey struct {
	public ssh.PublicKey
	signer ssh.AlgorithmSigner
}

// fileKeys reads a private key file.
func (d *Dialer) fileKeys(ctx context.Context, k *keyring, path string, wait *patience) []fileKey {
	public := readPublic(path + ".pub")
	key := fileKey{public: public}
	switch content, err := readPrivate(path); {
	case errors.Is(err, fs.ErrNotExist):
		if public == nil {
			k.notes = append(k.notes, path+": no such file")
			return nil
		}
	case err != nil:
		k.notes = append(k.notes, fmt.Sprintf("%s: %v", path, err))
	default:
		if p := readPublic(path); p != nil { // the file itself is a public key: the agent has the rest
			key.public = p
			break
		}
		if p := embeddedPublic(content); isHardware(p) {
			key.public = p
			break
		}
		signer, err := d.privateKey(ctx, k, path, content, public, wait)
		var bad *keyFileError
		if errors.As(err, &bad) {
			k.bad = append(k.bad, bad)
			break
		} else if err != nil {
			k.notes = append(k.notes, fmt.Sprintf("%s: %v", path, err))
			break
		}
		key = fileKey{signer.PublicKey(), signer}
	}
	if key.public == nil {
		return nil
	}
	return []fileKey{key}
}

func readPublic(path string) ssh.PublicKey {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return nil // a pipe would be waited for
	}
	content, err := os.ReadFile(path)
	if err != nil || bytes.HasPrefix(content, []byte("-----")) {
		return nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		return nil
	}
	return key
}

// readPrivate refuses what ssh refuses: a private key that others can read.
func readPrivate(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(content, []byte("-----")) && st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("mode %#o lets others read the private key: chmod 600", st.Mode().Perm())
	}
	return content, nil
}
