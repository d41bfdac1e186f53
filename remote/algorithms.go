package remote

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// algorithms are what ssh_config sets otherwise than ssh does by itself; nil lists
// leave it to the library, which knows fewer but prefers well.
type algorithms struct {
	keyExchanges, ciphers, macs, hostKeys, publicKeys []string
}

// algorithms takes from each list what the library supports. One of which nothing
// is left is an error: the connection cannot be made as it is wanted.
func (r *reading) algorithms() algorithms {
	supported, weak := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	library := func(list, all []string) []string {
		if list == nil {
			return all // more than the library would offer by itself
		}
		return list
	}
	take := func(have, insecure []string, keywords ...string) []string {
		for _, keyword := range keywords {
			want := r.o.one(keyword)
			if want == "" || want == r.known.usually(keyword) {
				continue
			}
			names := strings.Split(want, ",")
			left := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
				return !slices.Contains(have, name) && !slices.Contains(insecure, name)
			})
			if len(left) == 0 {
				r.fail(keyword, fmt.Errorf("provision has none of %s; it has %s", want, strings.Join(have, ",")))
			}
			return left
		}
		return nil
	}
	return algorithms{
		keyExchanges: library(take(supported.KeyExchanges, weak.KeyExchanges, "kexalgorithms"), supported.KeyExchanges),
		ciphers:      library(take(supported.Ciphers, weak.Ciphers, "ciphers"), supported.Ciphers),
		macs:         library(take(supported.MACs, weak.MACs, "macs"), supported.MACs),
		hostKeys:     take(supported.HostKeys, weak.HostKeys, "hostkeyalgorithms"),
		publicKeys:   take(slices.Concat(supported.PublicKeyAuths, supported.HostKeys), weak.PublicKeyAuths, "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes"),
	}
}

// allowed keeps of the wanted algorithms those that ssh_config allows, and adds
// those that it alone wants.
func (a algorithms) allowed(wanted []string) []string {
	if a.hostKeys == nil {
		return wanted
	}
	out := slices.DeleteFunc(slices.Clone(wanted), func(algo string) bool { return !slices.Contains(a.hostKeys, algo) })
	for _, algo := range a.hostKeys {
		if !slices.Contains(out, algo) {
			out = append(out, algo)
		}
	}
	return out
}

// signable are the algorithms that ssh_config allows for a key; nil if it says
// nothing about them.
func (a algorithms) signable(key ssh.PublicKey) (names []string, limited bool) {
	if a.publicKeys == nil {
		return nil, false
	}
	for _, algo := range a.publicKeys {
		_, cert := key.(*ssh.Certificate)
		if keyTypeOf(algo) == plainKey(key).Type() && strings.Contains(algo, "-cert-") == cert {
			names = append(names, strings.TrimSuffix(algo, "-cert-v01@openssh.com"))
		}
	}
	return names, true
}

// knownAlgorithms says that the library has all of them.
func knownAlgorithms(names []string) bool {
	for _, all := range []ssh.Algorithms{ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()} {
		known := slices.Concat(all.KeyExchanges, all.Ciphers, all.MACs, all.HostKeys, all.PublicKeyAuths)
		names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(known, n) })
	}
	return len(names) == 0
}
