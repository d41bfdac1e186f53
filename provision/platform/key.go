package platform

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"provision/remote"
)

// keyComment marks the key files that provision wrote.
const keyComment = "Added by provision"

// SigningKey returns the one key of a keyring that has this fingerprint, armored again. A repository is
// free to show further keys, and whoever can change what it shows can add some: everything in the result
// is either that key or signed by it, because a package manager trusts all that a key file holds.
func SigningKey(keyring []byte, fingerprint string) (string, error) {
	ring, err := readKeys(keyring)
	if err != nil {
		return "", err
	}
	var others []string
	for _, key := range ring {
		got := hex.EncodeToString(key.PrimaryKey.Fingerprint)
		if got == fingerprint {
			return armored(key)
		}
		others = append(others, got)
		for _, sub := range key.Subkeys {
			if hex.EncodeToString(sub.PublicKey.Fingerprint) == fingerprint {
				return "", fmt.Errorf("%s is a subkey; the fingerprint of its primary key is %s", fingerprint, got)
			}
		}
	}
	if len(others) == 0 {
		return "", errors.New("there is no key in it")
	}
	return "", fmt.Errorf("it has the fingerprint %s, not %s", strings.Join(others, ", "), fingerprint)
}

// OnlyKey tells whether a keyring holds the key with this fingerprint and no other.
func OnlyKey(keyring []byte, fingerprint string) bool {
	ring, err := readKeys(keyring)
	return err == nil && len(ring) > 0 && !slices.ContainsFunc(ring, func(key *openpgp.Entity) bool {
		return hex.EncodeToString(key.PrimaryKey.Fingerprint) != fingerprint
	})
}

// readKeys reads every key of a keyring: binary, or in any number of armored blocks.
func readKeys(keyring []byte) (openpgp.EntityList, error) {
	if !bytes.Contains(keyring, []byte("-----BEGIN PGP ")) {
		return openpgp.ReadKeyRing(bytes.NewReader(keyring))
	}
	var ring openpgp.EntityList
	for r := bufio.NewReader(bytes.NewReader(keyring)); ; {
		block, err := armor.Decode(r)
		if errors.Is(err, io.EOF) {
			return ring, nil
		}
		if err != nil {
			return nil, err
		}
		packets, err := io.ReadAll(block.Body)
		if err != nil {
			return nil, fmt.Errorf("an armored block is damaged: %s", remote.Sanitize(err.Error()))
		}
		if block.Type != openpgp.PublicKeyType {
			continue
		}
		keys, err := openpgp.ReadKeyRing(bytes.NewReader(packets))
		if err != nil {
			return nil, err
		}
		ring = append(ring, keys...)
	}
}

// armored writes one key: the primary key, what it says of itself, and its subkeys. What others say of it is left out.
func armored(key *openpgp.Entity) (string, error) {
	for _, name := range key.Identities {
		name.Signatures = slices.DeleteFunc(name.Signatures, func(s *packet.Signature) bool { return !s.CheckKeyIdOrFingerprint(key.PrimaryKey) })
	}
	var b strings.Builder
	w, err := armor.Encode(&b, openpgp.PublicKeyType, map[string]string{"Comment": keyComment})
	if err == nil {
		err = key.Serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	return b.String() + "\n", err
}
