package remote

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

const (
	// maxOffers stays below MaxAuthTries 6, at which a default sshd hangs up.
	maxOffers       = 5
	agentTimeout    = 3 * time.Second  // to answer which keys it has
	agentSignPeriod = 30 * time.Second // to sign; a person may have to touch a token
)

// offer is one key that may be shown to the server, and what became of it.
type offer struct {
	signer ssh.AlgorithmSigner
	from   string
	tried  bool
	signed bool
	err    error // signing was not possible
}

func (o *offer) String() string {
	var became string
	switch {
	case !o.tried:
		became = "not offered"
	case o.err != nil:
		became = "accepted by the server, but not usable: " + o.err.Error()
	case o.signed:
		became = "accepted by the server, its signature refused"
	default:
		became = "refused by the server"
	}
	key := o.signer.PublicKey()
	return fmt.Sprintf("%s %s (%s): %s", key.Type(), ssh.FingerprintSHA256(key), o.from, became)
}

// PublicKey, Sign and SignWithAlgorithm make the offer a signer that remembers.
func (o *offer) PublicKey() ssh.PublicKey { return o.signer.PublicKey() }

func (o *offer) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return o.SignWithAlgorithm(rand, data, "")
}

func (o *offer) SignWithAlgorithm(rand io.Reader, data []byte, algo string) (*ssh.Signature, error) {
	sig, err := o.signer.SignWithAlgorithm(rand, data, algo)
	o.signed, o.err = err == nil, err
	return sig, err
}

var _ ssh.AlgorithmSigner = (*offer)(nil)

// keyring is what one handshake may log in with.
type keyring struct {
	offers []*offer
	notes  []string // what could not be offered, and why
	locked []string // encrypted key files that no one can be asked about
	asks   []string // methods that the server still wanted when the keys ran out
	agent  net.Conn
}

func (k *keyring) close() {
	if k.agent != nil {
		_ = k.agent.Close()
	}
}

// errNoKey ends the authentication when every key was offered.
var errNoKey = errors.New("no key was accepted")

// next is asked by the ssh library before each attempt.
func (k *keyring) next(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	k.asks = c.AllowedMethods
	if slices.Contains(c.AllowedMethods, "publickey") {
		for _, o := range k.offers {
			if !o.tried {
				o.tried = true
				return ssh.PublicKeys(o), nil
			}
		}
	}
	if len(c.PartialSuccessMethods) > 0 {
		return nil, fmt.Errorf("%w: the server wants more than a key", errNoKey)
	}
	return nil, errNoKey
}

// evidence says which keys were shown, from where, and what the server made of them.
func (k *keyring) evidence() string {
	var lines []string
	for _, o := range k.offers {
		lines = append(lines, o.String())
	}
	lines = append(lines, k.notes...)
	if len(k.offers) == 0 {
		lines = append(lines, "no key to offer")
	}
	if len(k.asks) > 0 {
		lines = append(lines, "the server accepts: "+strings.Join(k.asks, ", "))
	}
	return Sanitize(strings.Join(lines, "\n"))
}

// keyring collects the keys: the files in order of preference, held by the agent
// where it has them, then the agent's others.
func (d *Dialer) keyring(ctx context.Context, h *hop, wait *patience) *keyring {
	k := &keyring{}
	held := d.agentKeys(k, wait)
	seen := make(map[string]bool)
	add := func(s ssh.AlgorithmSigner, from string) {
		id := string(s.PublicKey().Marshal())
		if !seen[id] {
			seen[id] = true
			k.offers = append(k.offers, &offer{signer: s, from: from})
		}
	}
	for _, path := range h.identities {
		for _, f := range d.fileKeys(ctx, k, path, wait) {
			if i := slices.IndexFunc(held, func(s ssh.AlgorithmSigner) bool { return sameKey(s.PublicKey(), f.public) }); i >= 0 {
				add(held[i], path+", by the agent")
			} else if f.signer != nil {
				add(f.signer, path)
			}
		}
	}
	if !h.onlyIdentities {
		for _, s := range held {
			add(s, "agent")
		}
	}
	if n := len(k.offers) - maxOffers; n > 0 {
		k.offers = k.offers[:maxOffers]
		k.notes = append(k.notes, fmt.Sprintf("%d more keys were not offered: servers hang up after a few, name the right one as identity file", n))
	}
	return k
}

// agentKeys asks the agent. Every wait on it is bounded: an agent that hangs or is
// gone only costs its keys.
func (d *Dialer) agentKeys(k *keyring, wait *patience) []ssh.AlgorithmSigner {
	socket := d.AgentSocket
	if socket == "" {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket == "" || socket == "none" {
		return nil
	}
	conn, err := net.DialTimeout("unix", socket, agentTimeout)
	if err != nil {
		k.notes = append(k.notes, fmt.Sprintf("agent %s: %v", socket, err))
		return nil
	}
	k.agent = conn
	_ = conn.SetDeadline(time.Now().Add(agentTimeout))
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		k.notes = append(k.notes, fmt.Sprintf("agent %s: list keys: %v", socket, err))
		return nil
	}
	var out []ssh.AlgorithmSigner
	for _, s := range signers {
		if as, ok := s.(ssh.AlgorithmSigner); ok {
			out = append(out, &agentSigner{as, conn, wait})
		}
	}
	return out
}

// agentSigner bounds how long the agent may take to sign.
type agentSigner struct {
	ssh.AlgorithmSigner
	conn net.Conn
	wait *patience
}

func (a *agentSigner) SignWithAlgorithm(rand io.Reader, data []byte, algo string) (*ssh.Signature, error) {
	defer a.wait.pause()()
	_ = a.conn.SetDeadline(time.Now().Add(agentSignPeriod))
	return a.AlgorithmSigner.SignWithAlgorithm(rand, data, algo)
}

// fileKey is a key that a file names; signer is nil if only the agent can use it.
type fileKey struct {
	public ssh.PublicKey
	signer ssh.AlgorithmSigner
}

// fileKeys reads a private key file, with its certificate if there is one.
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
		signer, err := d.privateKey(ctx, k, path, content, public, wait)
		if err != nil {
			k.notes = append(k.notes, fmt.Sprintf("%s: %v", path, err))
			break
		}
		key = fileKey{signer.PublicKey(), signer}
	}
	if key.public == nil {
		return nil
	}
	keys := []fileKey{key}
	if cert, ok := readPublic(path + "-cert.pub").(*ssh.Certificate); ok && key.signer != nil {
		if s, err := ssh.NewCertSigner(cert, key.signer); err == nil {
			if as, ok := s.(ssh.AlgorithmSigner); ok {
				keys = []fileKey{{cert, as}, key}
			}
		}
	}
	return keys
}

func readPublic(path string) ssh.PublicKey {
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

func (d *Dialer) privateKey(ctx context.Context, k *keyring, path string, content []byte, public ssh.PublicKey, wait *patience) (ssh.AlgorithmSigner, error) {
	signer, err := ssh.ParsePrivateKey(content)
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		if missing.PublicKey != nil {
			public = missing.PublicKey
		}
		lazy := &lockedKey{public: public, open: func() (ssh.AlgorithmSigner, error) {
			defer wait.pause()()
			s, err := d.unlock(ctx, path, content)
			if errors.Is(err, errNobodyToAsk) {
				k.locked = append(k.locked, path)
			}
			return s, err
		}}
		if public != nil {
			return lazy, nil // asked for only if the server wants this key
		}
		return lazy.open()
	}
	if err != nil {
		return nil, err
	}
	as, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, fmt.Errorf("keys of type %s are not supported", signer.PublicKey().Type())
	}
	return as, nil
}

// lockedKey is an encrypted private key, opened when it has to sign.
type lockedKey struct {
	public ssh.PublicKey
	open   func() (ssh.AlgorithmSigner, error)
}

func (l *lockedKey) PublicKey() ssh.PublicKey { return l.public }

func (l *lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return l.SignWithAlgorithm(rand, data, "")
}

func (l *lockedKey) SignWithAlgorithm(rand io.Reader, data []byte, algo string) (*ssh.Signature, error) {
	s, err := l.open()
	if err != nil {
		return nil, err
	}
	if !sameKey(s.PublicKey(), l.public) {
		return nil, errors.New("the .pub file beside the key belongs to another key")
	}
	return s.SignWithAlgorithm(rand, data, algo)
}

var errNobodyToAsk = errors.New("the key is encrypted and there is no terminal to ask for its passphrase")

// unlock asks for a passphrase, once for all hosts that want the key.
func (d *Dialer) unlock(ctx context.Context, path string, content []byte) (ssh.AlgorithmSigner, error) {
	if d.Prompt == nil {
		return nil, errNobodyToAsk
	}
	d.asking.Lock()
	defer d.asking.Unlock()
	d.mu.Lock()
	known := d.unlocked[path]
	d.mu.Unlock()
	if as, ok := known.(ssh.AlgorithmSigner); ok {
		return as, nil
	}
	question := fmt.Sprintf("passphrase of %s: ", path)
	for range 3 {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		answer, err := d.Prompt(ctx, question)
		if err != nil {
			return nil, fmt.Errorf("ask for the passphrase: %w", err)
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(content, []byte(answer))
		if errors.Is(err, x509.IncorrectPasswordError) {
			question = fmt.Sprintf("wrong; passphrase of %s: ", path)
			continue
		}
		if err != nil {
			return nil, err
		}
		as, ok := signer.(ssh.AlgorithmSigner)
		if !ok {
			return nil, fmt.Errorf("keys of type %s are not supported", signer.PublicKey().Type())
		}
		d.mu.Lock()
		if d.unlocked == nil {
			d.unlocked = make(map[string]ssh.Signer)
		}
		d.unlocked[path] = as
		d.mu.Unlock()
		return as, nil
	}
	return nil, errors.New("wrong passphrase")
}
