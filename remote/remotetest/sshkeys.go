package remotetest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"io/fs"
	"strings"

	gossh "golang.org/x/crypto/ssh"
)

const hostKeyFile = "/etc/ssh/ssh_host_ed25519_key"

// newHostKey is the key of HostOptions, or a fresh one.
func (h *Host) newHostKey() (gossh.Signer, error) {
	private := h.options.HostKey
	if len(private) == 0 {
		private, _ = newKeyPair("root@" + h.name)
	}
	signer, err := gossh.ParsePrivateKey(private)
	if err != nil {
		return nil, err
	}
	if err := h.tree.writeFile(hostKeyFile, string(private), 0o600); err != nil {
		return nil, err
	}
	return signer, h.tree.writeFile(hostKeyFile+".pub", string(gossh.MarshalAuthorizedKey(signer.PublicKey())), 0o644)
}

// newKeyPair panics only if the system has no randomness.
func newKeyPair(comment string) (private []byte, public string) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	block, err := gossh.MarshalPrivateKey(key, comment)
	if err != nil {
		panic(err)
	}
	p, err := gossh.NewPublicKey(pub)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(block), strings.TrimSpace(string(gossh.MarshalAuthorizedKey(p))) + " " + comment + "\n"
}

// readHostKey is what sshd does when it is started or told to reload: sessions go on, new ones see
// the key in the file.
func (h *Host) readHostKey() {
	text, err := h.tree.readFile(hostKeyFile)
	if err != nil {
		return
	}
	signer, err := gossh.ParsePrivateKey(text)
	if err != nil {
		return
	}
	h.server.AddHostKey(signer)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.key = signer
}

// sshKeygenMain is ssh-keygen -q -t ed25519 -N EMPTY -C COMMENT -f FILE.
func sshKeygenMain(p *proc) int {
	o := p.options("q", "t:N:C:f:", nil)
	if o.value["t"] != "ed25519" || o.value["N"] != "" || o.value["f"] == "" || len(o.args) > 0 {
		p.unsupported("ssh-keygen " + strings.Join(p.argv[1:], " "))
	}
	file := p.abs(o.value["f"])
	if _, err := p.host.tree.stat(p.cred, file, true); err == nil {
		p.printf("%s already exists.\nOverwrite (y/n)? ", file)
		return 1
	}
	private, public := newKeyPair(o.value["C"])
	for name, f := range map[string]struct {
		text string
		mode fs.FileMode
	}{file: {string(private), 0o600}, file + ".pub": {public, 0o644}} {
		if err := p.host.tree.writeFile(name, f.text, f.mode); err != nil {
			p.errorf("Saving key \"%s\" failed: %s\n", file, strerror(err))
			return 1
		}
	}
	return 0
}
