package remote

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the format of hashed names in known_hosts
	"encoding/base64"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// The matching below is OpenSSH's own (hostfile.c, sshconnect.c), because the
// knownhosts packages for Go differ from it where it matters: one bad line fails
// the whole file, a pattern without a port does not match another port, and a
// revoked key is revoked for all hosts. Lines, keys and certificates are parsed
// and checked by x/crypto.

// hostLine is one usable line of a known_hosts file.
type hostLine struct {
	file   string
	line   int
	marker string // "", "cert-authority", "revoked"
	names  []string
	key    ssh.PublicKey
}

// hostLines are the lines of all files, in order.
type hostLines []hostLine

// parseKnownHosts reads the lines of one file. A line that cannot be used is told to
// warn and skipped: as it names no key, skipping it can only make a host less known.
func parseKnownHosts(file string, content []byte, warn func(format string, args ...any)) hostLines {
	var lines hostLines
	n := 0
	for raw := range bytes.Lines(content) {
		n++
		raw = bytes.Trim(raw, " \t\r\n")
		if len(raw) == 0 || raw[0] == '#' {
			continue
		}
		marker, names, key, _, _, err := ssh.ParseKnownHosts(raw)
		switch {
		case err != nil:
			warn("%s:%d: skipped: %v", file, n, err)
		case marker == "cert-authority" && !bytes.HasPrefix(raw, []byte("@cert-authority ")) && bytes.ContainsRune(raw, ' '):
			// For OpenSSH a marker goes up to the first blank of the line, if it has one. That
			// @revoked is taken less strictly here refuses more than it has to.
			warn("%s:%d: skipped: a blank has to follow @cert-authority", file, n)
		case marker != "" && strings.HasPrefix(names[0], "@"):
			warn("%s:%d: skipped: two markers", file, n)
		case marker != "" && marker != "cert-authority" && marker != "revoked":
			warn("%s:%d: skipped: unknown marker @%s", file, n, Sanitize(marker))
		default:
			lines = append(lines, hostLine{file, n, marker, names, key})
		}
	}
	return lines
}

// knownName is how known_hosts names a port of a host.
func knownName(host string, port int) string {
	host = strings.ToLower(host)
	if port == 22 {
		return host
	}
	return "[" + host + "]:" + strconv.Itoa(port)
}

func (ls hostLines) of(names ...string) hostLines {
	var m hostLines
	for _, l := range ls {
		if slices.ContainsFunc(names, l.matches) {
			m = append(m, l)
		}
	}
	return m
}

func (l hostLine) matches(name string) bool {
	if strings.HasPrefix(l.names[0], "|") {
		return len(l.names) == 1 && matchHashed(l.names[0], name)
	}
	found := false
	for _, p := range l.names {
		p, negated := strings.CutPrefix(p, "!")
		if !wildcard(strings.ToLower(p), name) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

func matchHashed(pattern, name string) bool {
	f := strings.Split(pattern, "|")
	if len(f) != 4 || f[1] != "1" {
		return false
	}
	salt, err1 := base64.StdEncoding.DecodeString(f[2])
	want, err2 := base64.StdEncoding.DecodeString(f[3])
	if err1 != nil || err2 != nil || len(salt) != sha1.Size {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return hmac.Equal(mac.Sum(nil), want)
}

// wildcard matches * and ?, in time bounded by the product of the lengths.
func wildcard(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

type hostStatus int

const (
	hostUnknown hostStatus = iota
	hostOK
	hostChanged
	hostRevoked
)

// verdict is what the known_hosts lines say of a key.
type verdict struct {
	status  hostStatus
	key     ssh.PublicKey // the key judged: of a certificate that did not help, the key in it
	because hostLine      // hostRevoked: the line; hostChanged: the first line with another key
	wrong   error         // why a certificate from a known authority did not count
}

// verify is OpenSSH's check_host_key. A certificate counts if an authority for
// the host signed it and it is good for the host; otherwise the key inside is
// judged as a plain one. A host on another port than 22 that has no line may be
// known by a line without a port.
func (ls hostLines) verify(host string, port int, key ssh.PublicKey) verdict {
	cert, isCert := key.(*ssh.Certificate)
	v := ls.judge(knownName(host, port), host, key)
	if v.status == hostUnknown && port != 22 {
		w := ls.judge(knownName(host, 22), host, key)
		// Anything but these two leaves the host unknown. OpenSSH lets accept-new
		// add even a key that is revoked for the plain name; that goes too far.
		if w.status == hostOK || w.status == hostRevoked {
			return w
		}
	}
	if isCert && v.status != hostOK && v.status != hostRevoked {
		plain := ls.verify(host, port, cert.Key)
		plain.wrong = v.wrong
		return plain
	}
	return v
}

func (ls hostLines) judge(name, host string, key ssh.PublicKey) verdict {
	v := verdict{status: hostUnknown, key: key}
	cert, isCert := key.(*ssh.Certificate)
	lines := ls.of(name)
	for _, l := range lines {
		if l.marker == "revoked" && (sameKey(l.key, plainKey(key)) || isCert && sameKey(l.key, cert.SignatureKey)) {
			return verdict{status: hostRevoked, key: key, because: l}
		}
	}
	for _, l := range lines {
		switch {
		case isCert && l.marker == "cert-authority" && sameKey(l.key, cert.SignatureKey):
			if v.wrong = checkHostCert(cert, strings.ToLower(host)); v.wrong == nil {
				v.status = hostOK
			}
			return v
		case !isCert && l.marker == "" && sameKey(l.key, key):
			v.status = hostOK
			return v
		case !isCert && l.marker == "" && v.status == hostUnknown:
			v.status, v.because = hostChanged, l
		}
	}
	return v
}

func checkHostCert(cert *ssh.Certificate, host string) error {
	if cert.CertType != ssh.HostCert {
		return errors.New("not a host certificate")
	}
	if cert.Signature.Format == ssh.KeyAlgoRSA {
		return errors.New("certificate signed with SHA-1")
	}
	return (&ssh.CertChecker{}).CheckCert(host, cert)
}

func plainKey(k ssh.PublicKey) ssh.PublicKey {
	if c, ok := k.(*ssh.Certificate); ok {
		return c.Key
	}
	return k
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// hostKeyAlgorithms is what OpenSSH offers, in its order, without SHA-1.
func hostKeyAlgorithms() []string {
	return []string{
		ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
		ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
	}
}

// preferredAlgorithms puts first what can be verified for the host, so that a
// server with keys of several types shows one that is known (order_hostkeyalgs).
func (ls hostLines) preferredAlgorithms(name string) []string {
	known := make(map[string]bool)
	authority := false
	for _, l := range ls.of(name) {
		switch l.marker {
		case "":
			known[l.key.Type()] = true
		case "cert-authority":
			authority = true
		}
	}
	algos := hostKeyAlgorithms()
	if known[ssh.KeyAlgoED25519] { // the type of OpenSSH's first choice
		return algos
	}
	return preferred(algos, func(algo string) bool {
		return known[keyTypeOf(algo)] || authority && strings.Contains(algo, "-cert-")
	})
}

func preferred(algos []string, first func(string) bool) []string {
	var yes, no []string
	for _, a := range algos {
		if first(a) {
			yes = append(yes, a)
		} else {
			no = append(no, a)
		}
	}
	return slices.Concat(yes, no)
}

// keyTypeOf is the type of the plain key behind a host key algorithm.
func keyTypeOf(algo string) string {
	algo = strings.TrimSuffix(algo, "-cert-v01@openssh.com")
	if strings.HasPrefix(algo, "rsa-sha2-") {
		return ssh.KeyAlgoRSA
	}
	return algo
}

func joinHostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
