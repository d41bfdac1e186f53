package remote

import (
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"
)

// addCertificates offers the certificates of the keys at hand: those that
// CertificateFile names, before everything else, or those that are beside the
// identity files, before their keys. Who holds the key, the agent or a file, does
// not matter.
func (k *keyring) addCertificates(h *hop) {
	if len(h.certificates) == 0 {
		for _, path := range h.identities {
			if cert, ok := readPublic(path + "-cert.pub").(*ssh.Certificate); ok {
				k.addCertificate(cert, path+"-cert.pub", false)
			}
		}
		return
	}
	for _, path := range slices.Backward(h.certificates) {
		cert, ok := readPublic(path).(*ssh.Certificate)
		if !ok {
			k.notes = append(k.notes, path+": no certificate")
			continue
		}
		k.addCertificate(cert, path, true)
	}
}

func (k *keyring) addCertificate(cert *ssh.Certificate, path string, first bool) {
	i := slices.IndexFunc(k.offers, func(o *offer) bool { return sameKey(o.signer.PublicKey(), cert.Key) })
	if i < 0 {
		k.notes = append(k.notes, path+": its private key was not found")
		return
	}
	if slices.ContainsFunc(k.offers, func(o *offer) bool { return sameKey(o.signer.PublicKey(), cert) }) {
		return // the agent has it as well
	}
	signer, err := ssh.NewCertSigner(cert, k.offers[i].signer)
	as, ok := signer.(ssh.AlgorithmSigner)
	if err != nil || !ok {
		k.notes = append(k.notes, fmt.Sprintf("%s: cannot be used: %v", path, err))
		return
	}
	o := &offer{signer: as, from: path + ", key of " + k.offers[i].from, byAgent: k.offers[i].byAgent}
	if first {
		i = 0
	}
	k.offers = slices.Insert(k.offers, i, o)
}

// limit leaves out what PubkeyAcceptedAlgorithms does.
func (k *keyring) limit(h *hop) {
	k.offers = slices.DeleteFunc(k.offers, func(o *offer) bool {
		algos, limited := h.algorithms.signable(o.signer.PublicKey())
		if limited && len(algos) == 0 {
			k.notes = append(k.notes, fmt.Sprintf("%s %s (%s): left out by PubkeyAcceptedAlgorithms of ssh_config",
				o.signer.PublicKey().Type(), ssh.FingerprintSHA256(o.signer.PublicKey()), o.from))
			return true
		}
		o.algos = algos
		return false
	})
}

// rsaAlgorithms are those to try with an RSA key, in order.
func (o *offer) rsaAlgorithms() []string {
	if o.algos == nil {
		return rsaAlgorithms
	}
	return o.algos
}
