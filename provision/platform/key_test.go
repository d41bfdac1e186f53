package platform

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

func newKey(t *testing.T, name string) *openpgp.Entity {
	t.Helper()
	key, err := openpgp.NewEntity(name, "", name+"@example.org", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func print40(key *openpgp.Entity) string { return hex.EncodeToString(key.PrimaryKey.Fingerprint) }

func packets(t *testing.T, keys ...*openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, k := range keys {
		if err := k.Serialize(&b); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func block(t *testing.T, keys ...*openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, map[string]string{"Version": "x", "Comment": "y"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(packets(t, keys...)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

// TestSigningKey wants nothing in a key file that is to be trusted but the key that is expected: apt takes all of it.
func TestSigningKey(t *testing.T) {
	t.Parallel()
	docker, evil := newKey(t, "docker"), newKey(t, "evil")
	if err := docker.AddSigningSubkey(&packet.Config{Algorithm: packet.PubKeyAlgoEdDSA}); err != nil {
		t.Fatal(err)
	}
	if err := docker.SignIdentity("docker <docker@example.org>", evil, nil); err != nil {
		t.Fatal(err)
	}
	signing := docker.Subkeys[len(docker.Subkeys)-1].PublicKey
	// A subkey of the evil one behind the packets of the other: nothing binds it.
	var stray bytes.Buffer
	if err := evil.Subkeys[0].PublicKey.Serialize(&stray); err != nil {
		t.Fatal(err)
	}
	if err := evil.Subkeys[0].Sig.Serialize(&stray); err != nil {
		t.Fatal(err)
	}
	good := block(t, docker)
	for _, tt := range []struct {
		name, refused string
		ring          []byte
	}{
		{name: "alone", ring: good},
		{name: "a second block", ring: append(bytes.Clone(good), block(t, evil)...)},
		{name: "a second block before it", ring: append(block(t, evil), good...)},
		{name: "two keys in one block", ring: block(t, docker, evil)},
		{name: "two keys, the other first", ring: block(t, evil, docker)},
		{name: "binary", ring: packets(t, docker)},
		{name: "binary with two keys", ring: packets(t, docker, evil)},
		{name: "binary, the other first", ring: packets(t, evil, docker)},
		{name: "text around it", ring: append([]byte("hello\n"), append(bytes.Clone(good), "bye\n"...)...)},
		{name: "another kind of block", ring: append(bytes.ReplaceAll(block(t, evil), []byte("PUBLIC KEY BLOCK"), []byte("MESSAGE")), good...)},
		{name: "a subkey that is not its own", ring: append(packets(t, docker), stray.Bytes()...), refused: "subkey signature invalid"},
		{name: "another key", ring: block(t, evil), refused: "it has the fingerprint " + print40(evil) + ", not " + print40(docker)},
		{name: "cut off", ring: good[:len(good)/2], refused: "damaged"},
		{name: "a damaged block behind it", ring: append(bytes.Clone(good), block(t, evil)[:200]...), refused: "damaged"},
		{name: "empty", refused: "there is no key in it"},
		{name: "a page", ring: []byte("<html>not found</html>"), refused: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := SigningKey(tt.ring, print40(docker))
			if tt.refused != "" || tt.name == "a page" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Fatalf("%v, want %q", err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(got, "BEGIN PGP"); n != 1 {
				t.Errorf("%d blocks", n)
			}
			ring, err := openpgp.ReadArmoredKeyRing(strings.NewReader(got))
			if err != nil || len(ring) != 1 || print40(ring[0]) != print40(docker) {
				t.Fatalf("%v, %v", ring, err)
			}
			if len(ring[0].Subkeys) != 2 || hex.EncodeToString(ring[0].Subkeys[1].PublicKey.Fingerprint) != hex.EncodeToString(signing.Fingerprint) {
				t.Error("the subkey that it signs with is missing")
			}
			for _, name := range ring[0].Identities {
				if len(name.Signatures) != 1 {
					t.Errorf("%d signatures on its name", len(name.Signatures))
				}
			}
		})
	}
	if _, err := SigningKey(good, hex.EncodeToString(signing.Fingerprint)); err == nil || !strings.Contains(err.Error(), "the fingerprint of its primary key is "+print40(docker)) {
		t.Errorf("a subkey's fingerprint: %v", err)
	}
	if OnlyKey(append(bytes.Clone(good), block(t, evil)...), print40(docker)) || OnlyKey(nil, print40(docker)) || !OnlyKey(good, print40(docker)) {
		t.Error("only")
	}
}
