package remote

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// keyFileError says why a file is no private key that can be used here, and what makes it one.
type keyFileError struct {
	path, what string
	hint       string
}

func (e *keyFileError) Error() string { return e.path + ": " + e.what }

var pemType = regexp.MustCompile(`-----BEGIN ([A-Z0-9 ]+)-----`)

// describeKeyFile looks at what ssh.ParsePrivateKey, whose error is err, could not take.
func describeKeyFile(path string, content []byte, err error) *keyFileError {
	q := Quote(path)
	anew := "convert it to OpenSSH's format, under its passphrase: ssh-keygen -p -f " + q
	is := func(what, hint string) *keyFileError { return &keyFileError{path, what, hint} }
	text := string(content)
	kind := ""
	if m := pemType.FindStringSubmatch(text); m != nil {
		kind = m[1]
	}
	public := embeddedPublic(content)
	switch {
	case len(bytes.TrimSpace(content)) == 0:
		return is("the file is empty", "name the right identity file")
	case bytes.HasPrefix(content, []byte("\xef\xbb\xbf")):
		return is("begins with a byte order mark, as some editors write it", `take it off: sed -i '1s/^\xEF\xBB\xBF//' `+q)
	case bytes.HasPrefix(content, []byte("\xff\xfe")), bytes.HasPrefix(content, []byte("\xfe\xff")):
		return is("is text in UTF-16", fmt.Sprintf("iconv -f UTF-16 -t UTF-8 %s >%s && chmod 600 %[2]s, and name that file", q, Quote(path+".utf8")))
	case strings.HasPrefix(text, "PuTTY-User-Key-File-"):
		return is("is a key of PuTTY (.ppk)", fmt.Sprintf("puttygen %s -O private-openssh -o %s (package putty-tools), and name that file", q, Quote(strings.TrimSuffix(path, ".ppk")+".openssh")))
	case strings.HasPrefix(text, "---- BEGIN SSH2 PUBLIC KEY"):
		return is("is a public key, in the format of RFC 4716", "name the file of the private key")
	case strings.HasPrefix(text, "---- BEGIN SSH2 "):
		return is("is a key of SSH.COM's format", fmt.Sprintf("ssh-keygen -i -f %s >%s && chmod 600 %[2]s, and name that file", q, Quote(path+".openssh")))
	case kind == "PUBLIC KEY", kind == "RSA PUBLIC KEY", kind == "CERTIFICATE", kind == "SSH2 PUBLIC KEY":
		return is("holds no private key, it is a "+strings.ToLower(strings.TrimPrefix(kind, "RSA ")), "name the file of the private key")
	case kind == "":
		return is("holds no key", "name the right identity file")
	case isOneLine(text):
		return is("is a key in one line, its line breaks are lost", fmt.Sprintf("%s >%s && chmod 600 %[2]s, and name that file", oneLineRepair(q), Quote(path+".lines")))
	case kind == "ENCRYPTED PRIVATE KEY":
		return is("is an encrypted PKCS #8 key", "let the agent open it: ssh-add "+q+"\nor "+anew)
	case isHardware(public):
		return is("is the handle of a hardware key (FIDO), which only an agent can use", "ssh-add "+q)
	case kind == "DSA PRIVATE KEY", public != nil && public.Type() == ssh.InsecureKeyAlgoDSA: //nolint:staticcheck // it is refused
		return is("is a DSA key, which servers refuse", "make another one: ssh-keygen -t ed25519")
	}
	why := strings.TrimPrefix(err.Error(), "ssh: ")
	if head, ok := opensshKey(content); kind == "OPENSSH PRIVATE KEY" && (!ok || head.readable()) {
		return is("is damaged: "+why, "see whether OpenSSH can read it: ssh-keygen -y -f "+q)
	}
	return is("cannot be read: "+why, anew)
}

// isOneLine tells whether a begin mark is followed by something else than the end of its line.
func isOneLine(text string) bool {
	m := pemType.FindStringIndex(text)
	return m != nil && !strings.HasPrefix(strings.TrimLeft(text[m[1]:], " \t\r"), "\n")
}

// oneLineRepair prints a key whose line breaks became blanks, or backslash and n, with line breaks.
func oneLineRepair(file string) string {
	return `sed -e 's/\\n/ /g' -e 's/"//g' -e 's/\(-----BEGIN [A-Z0-9 ]*-----\)/\1\n/' -e 's/\(-----END [A-Z0-9 ]*-----\)/\n\1\n/' ` + file + ` | sed -e '/^-/!s/ //g' -e '/^$/d' | fold -w 64`
}

// opensshHead is what a private key file in OpenSSH's format shows even when it is encrypted.
type opensshHead struct {
	Cipher, KDF, Options string
	Keys                 uint32
	Public               []byte
	Rest                 []byte `ssh:"rest"`
}

// readable tells whether x/crypto reads such files: it knows one key a file, and the ciphers that ssh-keygen takes by itself.
func (h opensshHead) readable() bool {
	return h.Keys == 1 && slices.Contains([]string{"none", "aes256-ctr", "aes256-cbc"}, h.Cipher)
}

func opensshKey(content []byte) (head opensshHead, ok bool) {
	const magic = "openssh-key-v1\x00"
	block, _ := pem.Decode(content)
	if block == nil || !bytes.HasPrefix(block.Bytes, []byte(magic)) {
		return head, false
	}
	return head, ssh.Unmarshal(block.Bytes[len(magic):], &head) == nil
}

// embeddedPublic is the public half that such a file shows.
func embeddedPublic(content []byte) ssh.PublicKey {
	head, ok := opensshKey(content)
	if !ok {
		return nil
	}
	key, err := ssh.ParsePublicKey(head.Public)
	if err != nil {
		return nil
	}
	return key
}

// isHardware tells whether only a security key can sign for a public key.
func isHardware(key ssh.PublicKey) bool { return key != nil && strings.HasPrefix(key.Type(), "sk-") }

// needsAgent notes a key that no agent holds, though only one could sign with it.
func (k *keyring) needsAgent(path string, public ssh.PublicKey) {
	_, err := os.Stat(path)
	switch {
	case isHardware(public):
		k.bad = append(k.bad, &keyFileError{path, "is the handle of a hardware key (FIDO), and no agent holds it", "let the agent use it: ssh-add " + Quote(path)})
	case errors.Is(err, fs.ErrNotExist):
		k.bad = append(k.bad, &keyFileError{path, "is not there, and no agent holds the key of " + path + ".pub", "name the file of the private key, or give it to the agent: ssh-add FILE"})
	case readPublic(path) != nil:
		hint := "name the file of the private key, or give it to the agent: ssh-add FILE"
		if private, ok := strings.CutSuffix(path, ".pub"); ok {
			if _, err := os.Stat(private); err == nil {
				hint = "name the private key: " + private
			}
		}
		k.bad = append(k.bad, &keyFileError{path, "is a public key, and no agent holds its private half", hint})
	}
}
