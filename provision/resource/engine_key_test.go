package resource

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"provision/provision/platform"
)

// shownKey is a key as a repository shows it.
type shownKey struct {
	fingerprint string
	block       []byte
}

func newKey(t *testing.T) shownKey {
	t.Helper()
	key, err := openpgp.NewEntity("a key", "", "key@example.org", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(key.Serialize(w), w.Close()); err != nil {
		t.Fatal(err)
	}
	return shownKey{hex.EncodeToString(key.PrimaryKey.Fingerprint), append(b.Bytes(), '\n')}
}

// keyHost answers with what a mirror shows as its key.
type keyHost struct {
	key     []byte
	scripts *[]string
}

func (h keyHost) Sh(_ context.Context, s string) (string, error) {
	*h.scripts = append(*h.scripts, s)
	return "", nil
}

func (h keyHost) Get(_ context.Context, s string) (string, error) {
	*h.scripts = append(*h.scripts, s)
	if strings.Contains(s, "apt-helper") {
		return "mirror " + base64.StdEncoding.EncodeToString(h.key) + "\n", nil
	}
	return "", nil
}

func (keyHost) Stage(context.Context, string, []byte) (string, error) { return "", nil }

// TestOnlyTheExpectedKeyReachesTheHost wants no other key in any script, whatever the mirror shows beside the right one.
func TestOnlyTheExpectedKeyReachesTheHost(t *testing.T) {
	t.Parallel()
	docker, evil := newKey(t), newKey(t)
	var scripts []string
	r := &Run{Host: func(context.Context, string) (Host, error) {
		return keyHost{append(bytes.Clone(docker.block), evil.block...), &scripts}, nil
	}}
	e := &Engine{Host: "h", Repository: "http://mirror.example.org/docker", Key: docker.fingerprint}
	fam, _ := platform.Find("debian")
	if err := e.official(t.Context(), r, fam, fam.Repository(e.Repository, platform.OSRelease("ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n"))); err != nil {
		t.Fatal(err)
	}
	written := 0
	for _, s := range scripts {
		at := strings.Index(s, "-----BEGIN PGP")
		if at < 0 {
			continue
		}
		written++
		if !platform.OnlyKey([]byte(s[at:]), docker.fingerprint) {
			t.Error("other keys are written")
		}
	}
	if written != 1 {
		t.Errorf("keys are written %d times", written)
	}
}
