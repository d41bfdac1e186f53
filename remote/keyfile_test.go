package remote_test

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"provision/remote"
)

// TestKeyFiles: what a file is that cannot be used, and the command that makes it one that can. Each
// is offered to a real server that would take the key.
func TestKeyFiles(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "MaxStartups 100")
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	public := writeKey(t, good, "")
	allow(t, s, public)
	key, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	keygen := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen %q: %v\n%s", args, err, out)
		}
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	put := func(name string, content []byte) { write(t, path(name), content) }
	if err := os.Remove(good + ".pub"); err != nil {
		t.Fatal(err)
	}
	keygen("-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", path("pkcs8"))
	rsaPublic := publicOf(t, path("pkcs8"))
	allow(t, s, public, rsaPublic)
	keygen("-q", "-p", "-m", "PKCS8", "-N", "open sesame", "-f", path("pkcs8"))
	if err := os.Remove(path("pkcs8.pub")); err != nil {
		t.Fatal(err)
	}
	put("bom", append([]byte("\xef\xbb\xbf"), key...))
	put("blanks", bytes.ReplaceAll(bytes.TrimSpace(key), []byte("\n"), []byte(" ")))
	put("escaped", bytes.ReplaceAll(bytes.TrimSpace(key), []byte("\n"), []byte(`\n`)))
	put("crlf", bytes.ReplaceAll(key, []byte("\n"), []byte("\r\n")))
	put("cr and blanks", append([]byte("\n\n"), key...))
	var wide []byte
	for _, b := range key {
		wide = append(wide, b, 0)
	}
	put("wide", append([]byte("\xff\xfe"), wide...))
	put("key.ppk", []byte("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n"))
	put("rfc4716", []byte("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n"))
	put("certificate", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
	put("empty", nil)
	put("notes", []byte("the key is with Bob\n"))
	put("cut", key[:len(key)/2])
	put("public", ssh.MarshalAuthorizedKey(public))
	put("half.pub", ssh.MarshalAuthorizedKey(public))
	put("half", key)
	put("lonely.pub", ssh.MarshalAuthorizedKey(public))
	put("hardware", hardwareKey())

	for _, tt := range []struct {
		name, file string
		words      []string // nil: it works
		repaired   string   // the file that the command of the hint makes, which then works
	}{
		{name: "encrypted PKCS #8", file: "pkcs8", words: []string{"encrypted PKCS #8", "ssh-add '", "ssh-keygen -p -f '"}},
		{name: "byte order mark", file: "bom", words: []string{"byte order mark"}, repaired: "bom"},
		{name: "UTF-16", file: "wide", words: []string{"UTF-16"}, repaired: "wide.utf8"},
		{name: "line breaks became blanks", file: "blanks", words: []string{"in one line"}, repaired: "blanks.lines"},
		{name: "line breaks became backslash n", file: "escaped", words: []string{"in one line"}, repaired: "escaped.lines"},
		{name: "lines of Windows", file: "crlf"},
		{name: "empty lines before it", file: "cr and blanks"},
		{name: "PuTTY", file: "key.ppk", words: []string{"key of PuTTY", "puttygen '", "-O private-openssh"}},
		{name: "RFC 4716", file: "rfc4716", words: []string{"is a public key"}},
		{name: "certificate of X.509", file: "certificate", words: []string{"holds no private key, it is a certificate"}},
		{name: "empty", file: "empty", words: []string{"is empty"}},
		{name: "something else", file: "notes", words: []string{"holds no key"}},
		{name: "cut off", file: "cut", words: []string{"ssh-keygen -y -f '"}},
		{name: "public key", file: "public", words: []string{"is a public key, and no agent holds", "ssh-add FILE"}},
		{name: "public key beside the private one", file: "half.pub", words: []string{"is a public key", "name the private key: " + path("half")}},
		{name: "only the public half", file: "lonely", words: []string{"is not there, and no agent holds the key of " + path("lonely.pub")}},
		{name: "hardware key", file: "hardware", words: []string{"hardware key (FIDO)", "ssh-add '"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			try := func(file string) error {
				target := s.target()
				target.IdentityFile = path(file)
				c, err := s.dialer(t).Dial(ctx(t), target)
				if err == nil {
					_ = c.Close()
				}
				return err
			}
			err := try(tt.file)
			if tt.words == nil {
				if err != nil {
					t.Error(full(err))
				}
				return
			}
			e := wantError(t, err, remote.Auth, tt.words...)
			if strings.Contains(e.Hint, "authorized_keys") {
				t.Errorf("the hint is about another cause: %s", e.Hint)
			}
			if tt.repaired == "" {
				return
			}
			command, _, _ := strings.Cut(strings.TrimPrefix(e.Hint, "take it off: "), ", and name")
			if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", command, err, out)
			}
			if err := try(tt.repaired); err != nil {
				t.Errorf("after %s: %s", command, full(err))
			}
		})
	}
}

// hardwareKey is a file as ssh-keygen -t ed25519-sk writes it, without the token.
func hardwareKey() []byte {
	type field struct{ B []byte }
	str := func(s string) []byte { return ssh.Marshal(field{[]byte(s)}) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	public := join(str("sk-ssh-ed25519@openssh.com"), str(strings.Repeat("k", 32)), str("ssh:"))
	private := join([]byte("aaaaaaaa"), public, []byte{1}, str("handle"), str(""), str("comment"))
	for i := byte(1); len(private)%8 != 0; i++ {
		private = append(private, i)
	}
	body := join([]byte("openssh-key-v1\x00"), str("none"), str("none"), str(""), []byte{0, 0, 0, 1}, str(string(public)), str(string(private)))
	return []byte("-----BEGIN OPENSSH PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString(body) + "\n-----END OPENSSH PRIVATE KEY-----\n")
}
