package remote

import (
	"bytes"
	"cmp"
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
	bannerLimit     = 2000             // bytes of what the server said that are kept
)

// offer is one key that may be shown to the server, and what became of it.
type offer struct {
	signer  ssh.AlgorithmSigner
	from    string
	byAgent bool
	algos   []string // signature algorithms that ssh_config allows; nil = any
	rsa     []string // signature algorithms that an RSA key was offered with
	tried   bool
	shown   bool // the server was asked whether it takes the key
	signed  bool
	err     error // signing was not possible
}

func (o *offer) String() string {
	var became string
	switch {
	case !o.tried:
		became = "not offered"
	case o.err != nil:
		became = "accepted by the server, but not usable: " + o.err.Error()
	case o.signed:
		became = "accepted by the server"
	case !o.shown:
		became = "not offered: the server takes RSA keys with SHA-1 (ssh-rsa) alone, which is not safe"
	case o.isRSA():
		became = "refused by the server with " + strings.Join(o.rsa, " and ") + "; ssh-rsa (SHA-1) is not offered"
	default:
		became = "refused by the server"
	}
	key := o.signer.PublicKey()
	return fmt.Sprintf("%s %s (%s): %s", key.Type(), ssh.FingerprintSHA256(key), o.from, became)
}

// rsaAlgorithms are for RSA keys and certificates, in order of preference. SHA-1 is not among them.
var rsaAlgorithms = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}

func (o *offer) isRSA() bool { return plainKey(o.signer.PublicKey()).Type() == ssh.KeyAlgoRSA }

// shownKey notes that a key is written to the server: the ssh library leaves out a key for which it
// finds no signature algorithm.
type shownKey struct {
	ssh.PublicKey
	o *offer
}

func (k shownKey) Marshal() []byte {
	k.o.shown = true
	return k.PublicKey.Marshal()
}

// PublicKey, Algorithms, Sign and SignWithAlgorithm make the offer a signer that remembers.
func (o *offer) PublicKey() ssh.PublicKey { return shownKey{o.signer.PublicKey(), o} }

// Algorithms is one alone: servers that announce more than they take are asked for the next by
// another try.
func (o *offer) Algorithms() []string {
	if o.isRSA() {
		return o.rsa[len(o.rsa)-1:]
	}
	return []string{plainKey(o.signer.PublicKey()).Type()}
}

func (o *offer) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return o.SignWithAlgorithm(rand, data, "")
}

func (o *offer) SignWithAlgorithm(rand io.Reader, data []byte, algo string) (*ssh.Signature, error) {
	sig, err := o.signer.SignWithAlgorithm(rand, data, algo)
	o.signed, o.err = err == nil, err
	return sig, err
}

var _ ssh.MultiAlgorithmSigner = (*offer)(nil)

// keyring is what one handshake may log in with.
type keyring struct {
	offers  []*offer
	notes   []string // what could not be offered, and why
	bad     []*keyFileError
	locked  []string // encrypted key files that no one can be asked about
	asks    []string // methods that the server still wanted when the keys ran out
	passed  []string // methods that it has accepted, though they do not suffice
	agent   net.Conn
	empty   string // the socket of an agent that has no keys
	factor  *factor
	banner  tail // what the server said on the way
	parting bool // some of it after it had accepted a key
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
	k.asks, k.passed = c.AllowedMethods, c.PartialSuccessMethods
	if o := k.nextOffer(); o != nil && slices.Contains(c.AllowedMethods, "publickey") {
		o.tried = true
		if o.isRSA() {
			o.rsa = append(o.rsa, o.rsaAlgorithms()[len(o.rsa)])
		}
		return ssh.PublicKeys(o), nil
	}
	if m, err := k.factor.next(c); m != nil || err != nil {
		return m, err
	}
	return nil, errNoKey
}

// nextOffer is a key that was not tried yet, then an RSA key whose first algorithm was refused, as
// long as the server has not seen too many.
func (k *keyring) nextOffer() *offer {
	for _, o := range k.offers {
		if !o.tried {
			return o
		}
	}
	if k.offered() >= maxOffers {
		return nil
	}
	for _, o := range k.offers {
		if o.isRSA() && len(o.rsa) < len(o.rsaAlgorithms()) && !o.signed && o.err == nil {
			return o
		}
	}
	return nil
}

// ended tells whether an error of the handshake is one that next ended it with.
func (k *keyring) ended(err error) bool {
	return errors.Is(err, errNoKey) || errors.Is(err, errNoFactor) || errors.Is(err, errFactorRefused) || k.factor.err != nil && errors.Is(err, k.factor.err)
}

// heard keeps what the server says during the login.
func (k *keyring) heard(message string) error {
	k.banner.add([]byte(message + "\n"))
	k.parting = k.parting || k.used() != nil
	return nil
}

// evidence says which keys were shown, from where, and what the server made of them.
func (k *keyring) evidence() string {
	var lines []string
	for _, o := range k.offers {
		lines = append(lines, o.String())
	}
	for _, b := range k.bad {
		lines = append(lines, b.Error())
	}
	lines = append(lines, k.notes...)
	if len(k.offers) == 0 {
		lines = append(lines, "no key to offer")
	}
	if len(k.asks) > 0 {
		lines = append(lines, "the server accepts: "+strings.Join(k.asks, ", "))
	}
	if said := strings.TrimSpace(k.banner.String()); said != "" {
		lines = append(lines, "the server said:", said)
	}
	return Sanitize(strings.Join(lines, "\n"))
}

// keyring collects the keys: the files in order of preference, held by the agent
// where it has them, then the agent's others.
func (d *Dialer) keyring(ctx context.Context, h *hop, wait *patience) *keyring {
	k := &keyring{factor: &factor{ctx: ctx, d: d, hop: h, wait: wait}, banner: tail{limit: bannerLimit}}
	held := d.agentKeys(k, h, wait)
	seen := make(map[string]bool)
	add := func(s ssh.AlgorithmSigner, from string, byAgent bool) {
		id := string(s.PublicKey().Marshal())
		if !seen[id] {
			seen[id] = true
			k.offers = append(k.offers, &offer{signer: s, from: from, byAgent: byAgent})
		}
	}
	for _, path := range h.identities {
		for _, f := range d.fileKeys(ctx, k, path, wait) {
			if i := slices.IndexFunc(held, func(s ssh.AlgorithmSigner) bool { return sameKey(s.PublicKey(), f.public) }); i >= 0 {
				add(held[i], path+", by the agent", true)
			} else if f.signer != nil {
				add(f.signer, path, false)
			} else {
				k.needsAgent(path, f.public)
			}
		}
	}
	if !h.onlyIdentities {
		for _, s := range held {
			add(s, "agent", true)
		}
	}
	k.addCertificates(h)
	k.limit(h)
	if n := len(k.offers) - maxOffers; n > 0 {
		k.offers = k.offers[:maxOffers]
		k.notes = append(k.notes, fmt.Sprintf("%d more keys were not offered: servers hang up after a few, name the right one as identity file", n))
	}
	return k
}

// agentKeys asks the agent. Every wait on it is bounded: an agent that hangs or is
// gone only costs its keys.
func (d *Dialer) agentKeys(k *keyring, h *hop, wait *patience) []ssh.AlgorithmSigner {
	socket := cmp.Or(h.agent, d.AgentSocket)
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
	if len(signers) == 0 {
		k.empty = socket
		k.notes = append(k.notes, fmt.Sprintf("agent %s: shows no key: none was added, or it is locked", socket))
	}
	var out []ssh.AlgorithmSigner
	for _, s := range signers {
		as, ok := s.(ssh.AlgorithmSigner)
		// What the agent lists are bytes: only what is parsed tells a certificate from a key.
		public, err := ssh.ParsePublicKey(s.PublicKey().Marshal())
		if ok && err == nil {
			out = append(out, &agentSigner{as, public, conn, wait})
		} else if err != nil {
			k.notes = append(k.notes, fmt.Sprintf("agent %s: a key of type %s: %v", socket, s.PublicKey().Type(), err))
		}
	}
	return out
}

// agentSigner bounds how long the agent may take to sign.
type agentSigner struct {
	ssh.AlgorithmSigner
	public ssh.PublicKey
	conn   net.Conn
	wait   *patience
}

func (a *agentSigner) PublicKey() ssh.PublicKey { return a.public }

func (a *agentSigner) SignWithAlgorithm(rand io.Reader, data []byte, algo string) (*ssh.Signature, error) {
	defer a.wait.pause()()
	_ = a.conn.SetDeadline(time.Now().Add(agentSignPeriod))
	sig, err := a.AlgorithmSigner.SignWithAlgorithm(rand, data, algo)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("the agent did not answer within %v", agentSignPeriod)
	} else if err != nil {
		return nil, fmt.Errorf("the agent refused: %w", err)
	}
	return sig, nil
}

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

func (d *Dialer) privateKey(ctx context.Context, k *keyring, path string, content []byte, public ssh.PublicKey, wait *patience) (ssh.AlgorithmSigner, error) {
	signer, err := ssh.ParsePrivateKey(content)
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		if missing.PublicKey != nil {
			public = missing.PublicKey
		}
		lazy := &lockedKey{public: public, open: func() (ssh.AlgorithmSigner, error) {
			defer wait.pause()()
			if s := d.opened(path); s != nil {
				return s, nil
			}
			if d.Prompt != nil {
				defer wait.borrow(&d.asking)()
			}
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
		return nil, describeKeyFile(path, content, err)
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

// opened is a key whose passphrase was given before.
func (d *Dialer) opened(path string) ssh.AlgorithmSigner {
	d.mu.Lock()
	defer d.mu.Unlock()
	as, _ := d.unlocked[path].(ssh.AlgorithmSigner)
	return as
}

// unlock asks for a passphrase, once for all hosts that want the key.
func (d *Dialer) unlock(ctx context.Context, path string, content []byte) (ssh.AlgorithmSigner, error) {
	if d.Prompt == nil {
		return nil, errNobodyToAsk
	}
	if as := d.opened(path); as != nil {
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
