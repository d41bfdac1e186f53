package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// bannerLimit is how many bytes of what the server said are kept.
const bannerLimit = 2000

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
