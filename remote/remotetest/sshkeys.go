package remotetest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"io/fs"
	"strings"

	gossh "golang.org/x/crypto/ssh"

	"provision/remote/remotetest/unix"
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
	if err := h.sys.Tree.WriteFile(hostKeyFile, string(private), 0o600); err != nil {
		return nil, err
	}
	return signer, h.sys.Tree.WriteFile(hostKeyFile+".pub", string(gossh.MarshalAuthorizedKey(signer.PublicKey())), 0o644)
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
	text, err := h.sys.Tree.ReadFile(hostKeyFile)
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
	o := p.Options("q", "t:N:C:f:", nil)
	if o.Value["t"] != "ed25519" || o.Value["N"] != "" || o.Value["f"] == "" || len(o.Args) > 0 {
		p.Unsupported("ssh-keygen " + strings.Join(p.Argv[1:], " "))
	}
	file := p.Abs(o.Value["f"])
	if _, err := p.host.sys.Tree.Stat(p.Cred, file, true); err == nil {
		p.Printf("%s already exists.\nOverwrite (y/n)? ", file)
		return 1
	}
	private, public := newKeyPair(o.Value["C"])
	for name, f := range map[string]struct {
		text string
		mode fs.FileMode
	}{file: {string(private), 0o600}, file + ".pub": {public, 0o644}} {
		if err := p.host.sys.Tree.WriteFile(name, f.text, f.mode); err != nil {
			p.Errorf("Saving key \"%s\" failed: %s\n", file, unix.Strerror(err))
			return 1
		}
	}
	return 0
}
