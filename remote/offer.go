package remote

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxOffers stays below MaxAuthTries 6, at which a default sshd hangs up.
const maxOffers = 5

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
