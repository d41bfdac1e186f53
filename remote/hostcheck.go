package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// hostKeyCheck returns the check for one handshake and the algorithms to ask for.
func (d *Dialer) hostKeyCheck(hs *handshake) (ssh.HostKeyCallback, []string, error) {
	h := hs.hop
	host, port := h.knownAs()
	files := append(append([]string{}, h.userKnown...), h.globalKnown...)
	lines, err := d.knownHosts(files, host, port)
	if err != nil {
		return nil, nil, err
	}
	if h.knownCommand != "" && h.pinned == "" && len(h.sums) == 0 {
		return nil, nil, fmt.Errorf("ssh_config wants KnownHostsCommand %s, which is not run", h.knownCommand)
	}
	algorithms := h.algorithms.allowed(lines.preferredAlgorithms(knownName(host, port)))
	var pinned ssh.PublicKey
	if h.pinned != "" {
		if pinned, _, _, _, err = ssh.ParseAuthorizedKey([]byte(h.pinned)); err != nil {
			return nil, nil, fmt.Errorf("pinned host key: %w", err)
		}
		algorithms = preferred(hostKeyAlgorithms(), func(a string) bool {
			return !strings.Contains(a, "-cert-") && keyTypeOf(a) == pinned.Type()
		})
	}
	if len(h.sums) > 0 {
		algorithms = []string{ssh.KeyAlgoED25519}
	}
	return func(_ string, _ net.Addr, key ssh.PublicKey) error {
		hs.refused = checkRevoked(hs, key)
		switch {
		case hs.refused != nil:
		case len(h.sums) > 0:
			hs.refused = checkSums(hs, lines, key)
		case pinned != nil:
			hs.refused = checkPinned(hs, lines, pinned, key)
		default:
			hs.refused = d.checkKnown(hs, lines, key)
		}
		if hs.refused != nil {
			return hs.refused
		}
		hs.trusted = true
		return nil
	}, algorithms, nil
}

// checkPinned: the pinned key alone decides, but not against @revoked.
func checkPinned(hs *handshake, lines hostLines, pinned, key ssh.PublicKey) *Error {
	host, port := hs.hop.knownAs()
	if v := lines.verify(host, port, key); v.status == hostRevoked {
		return revokedError(hs, v)
	}
	if sameKey(plainKey(key), pinned) {
		return nil
	}
	return hostKeyError(hs, fmt.Errorf("host key is not the pinned one: it shows %s, pinned is %s", fingerprint(key), fingerprint(pinned)),
		"", "find out why the key differs (another machine at this address, or an attack); if the machine was rebuilt, pin its new key")
}

// HostKeySum is how HostKeySums names a key.
func HostKeySum(key ssh.PublicKey) string {
	sum := sha256.Sum256(key.Marshal())
	return hex.EncodeToString(sum[:])
}

// checkSums: one of the pinned fingerprints decides, but not against @revoked.
func checkSums(hs *handshake, lines hostLines, key ssh.PublicKey) *Error {
	host, port := hs.hop.knownAs()
	if v := lines.verify(host, port, key); v.status == hostRevoked {
		return revokedError(hs, v)
	}
	shown := HostKeySum(key)
	if slices.Contains(hs.hop.sums, shown) {
		return nil
	}
	return hostKeyError(hs, errors.New("the host key differs from those that are recorded for this machine"),
		"the server shows "+shown+"\nrecorded: "+strings.Join(hs.hop.sums, ", "),
		"find out why the key differs (another machine at this address, or an attack); do not continue before that")
}

func (d *Dialer) checkKnown(hs *handshake, lines hostLines, key ssh.PublicKey) *Error {
	h := hs.hop
	host, port := h.knownAs()
	v := lines.verify(host, port, key)
	switch v.status {
	case hostOK:
		return nil
	case hostRevoked:
		return revokedError(hs, v)
	case hostChanged:
		return changedError(hs, lines, v)
	case hostUnknown:
	}
	if h.acceptNew && len(h.userKnown) > 0 {
		err := addKnownHost(h.userKnown[0], host, port, v.key, h.hashKnown)
		if err == nil {
			d.logf("%s: added %s to %s", h.label, fingerprint(v.key), h.userKnown[0])
			return nil
		}
		return hostKeyError(hs, err, "the server shows "+fingerprint(v.key), "")
	}
	return unknownError(hs, v)
}

func hostKeyError(hs *handshake, err error, evidence, hint string) *Error {
	return &Error{Host: hs.hop.label, Op: "verify host key of " + hs.hop.addr(), Kind: HostKey, Err: err, Evidence: Sanitize(evidence), Hint: hint}
}

func fingerprint(k ssh.PublicKey) string {
	k = plainKey(k)
	return strings.TrimPrefix(k.Type(), "ssh-") + " " + ssh.FingerprintSHA256(k)
}

func revokedError(hs *handshake, v verdict) *Error {
	return hostKeyError(hs, errors.New("the host key is revoked"),
		fmt.Sprintf("%s is marked @revoked in %s:%d", fingerprint(v.because.key), v.because.file, v.because.line),
		"give the host a new key; a revoked one may be in wrong hands")
}

func changedError(hs *handshake, lines hostLines, v verdict) *Error {
	host, port := hs.hop.knownAs()
	name := knownName(host, port)
	var evidence, repair []string
	evidence = append(evidence, "the server shows "+fingerprint(v.key))
	for _, l := range lines.of(name) {
		if l.marker == "" {
			evidence = append(evidence, fmt.Sprintf("known is %s (%s:%d)", fingerprint(l.key), l.file, l.line))
			cmd := fmt.Sprintf("ssh-keygen -R %s -f %s", Quote(name), Quote(l.file))
			if len(repair) == 0 || repair[len(repair)-1] != cmd {
				repair = append(repair, cmd)
			}
		}
	}
	if v.wrong != nil {
		evidence = append(evidence, "its certificate does not count: "+v.wrong.Error())
	}
	return hostKeyError(hs, fmt.Errorf("the host key changed: it shows %s, known is %s", fingerprint(v.key), fingerprint(v.because.key)),
		strings.Join(evidence, "\n"),
		"find out why the key differs (another machine at this address, or an attack); if the machine was rebuilt, forget its old key:\n"+strings.Join(repair, "\n"))
}

func unknownError(hs *handshake, v verdict) *Error {
	h := hs.hop
	host, port := h.knownAs()
	evidence := "the server shows " + fingerprint(v.key)
	if v.wrong != nil {
		evidence += "\nits certificate does not count: " + v.wrong.Error()
	}
	hint := "compare the fingerprint with the host's console, or set host key checking to accept-new"
	if len(h.userKnown) > 0 && h.userKnown[0] != os.DevNull {
		line := knownName(host, port) + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(v.key)))
		hint = fmt.Sprintf("compare the fingerprint with the host's console, then: echo %s >> %s", Quote(line), Quote(h.userKnown[0]))
	}
	return hostKeyError(hs, errors.New("the host is not in known_hosts"), evidence, hint)
}
