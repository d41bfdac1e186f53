package remote_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"provision/remote"
)

// hostKeys are key pairs on disk; the public ones as they are in known_hosts.
type hostKeys struct {
	dir     string
	signers map[string]ssh.Signer
}

func newHostKeys(t *testing.T, names ...string) *hostKeys {
	t.Helper()
	k := &hostKeys{t.TempDir(), make(map[string]ssh.Signer)}
	for _, name := range names {
		path := filepath.Join(k.dir, name)
		var private any
		var err error
		switch {
		case strings.HasPrefix(name, "rsa"):
			private, err = rsa.GenerateKey(rand.Reader, 2048)
		case strings.HasPrefix(name, "ecdsa"):
			private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		default:
			writeKey(t, path, "")
		}
		if err != nil {
			t.Fatal(err)
		}
		if private != nil {
			block, err := ssh.MarshalPrivateKey(private, "")
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, pem.EncodeToMemory(block))
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if k.signers[name], err = ssh.ParsePrivateKey(content); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func (k *hostKeys) line(name string) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.signers[name].PublicKey())))
}

// certify writes a host certificate for a key and returns its path.
func (k *hostKeys) certify(t *testing.T, name, ca, file string, change func(*ssh.Certificate)) string {
	t.Helper()
	cert := &ssh.Certificate{
		Key: k.signers[name].PublicKey(), CertType: ssh.HostCert, KeyId: file, ValidPrincipals: []string{"127.0.0.1"},
		ValidAfter: uint64(time.Now().Add(-time.Hour).Unix()), ValidBefore: uint64(time.Now().Add(time.Hour).Unix()),
	}
	if change != nil {
		change(cert)
	}
	if err := cert.SignCert(rand.Reader, k.signers[ca]); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(k.dir, file)
	write(t, path, ssh.MarshalAuthorizedKey(cert))
	return path
}

// TestHostKeyVerdictIsOpenSSHs asks ssh and this package to connect to the same
// server with the same configuration. What both must say is written down as well,
// so that the table cannot agree on nonsense.
func TestHostKeyVerdictIsOpenSSHs(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("needs ssh: apt-get install openssh-client")
	}
	keys := newHostKeys(t, "ed", "ed2", "ecdsa", "ecdsa2", "rsa", "rsa2", "ca", "ca2", "rsaca")
	key := func(names ...string) []string {
		var lines []string
		for _, n := range names {
			lines = append(lines, "HostKey "+filepath.Join(keys.dir, n))
		}
		return lines
	}
	withCert := func(path, name string) []string { return append(key(name), "HostCertificate "+path) }
	servers := make(map[string]*sshd)
	for name, config := range map[string][]string{
		"all":       key("rsa", "ecdsa", "ed"),
		"rsa":       key("rsa"),
		"ed":        key("ed"),
		"cert":      withCert(keys.certify(t, "ed", "ca", "good", nil), "ed"),
		"certs":     append(withCert(keys.certify(t, "ed", "ca", "good2", nil), "ed"), key("rsa", "ecdsa")...),
		"rsacert":   withCert(keys.certify(t, "rsa", "ca", "rsagood", nil), "rsa"),
		"byrsa":     withCert(keys.certify(t, "ed", "rsaca", "byrsa", nil), "ed"),
		"wrongname": withCert(keys.certify(t, "ed", "ca", "wrongname", func(c *ssh.Certificate) { c.ValidPrincipals = []string{"other"} }), "ed"),
		"expired":   withCert(keys.certify(t, "ed", "ca", "expired", func(c *ssh.Certificate) { c.ValidBefore = uint64(time.Now().Add(-time.Minute).Unix()) }), "ed"),
		"future":    withCert(keys.certify(t, "ed", "ca", "future", func(c *ssh.Certificate) { c.ValidAfter = uint64(time.Now().Add(time.Minute * 30).Unix()) }), "ed"),
		"critical":  withCert(keys.certify(t, "ed", "ca", "critical", func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"x": "y"} }), "ed"),
	} {
		servers[name] = startSSHD(t, append(config, "MaxStartups 100")...)
	}
	hashed := func(name string) func(string) string {
		return func(here string) string { return knownhosts.HashHostname(strings.ReplaceAll(name, "HERE", here)) }
	}
	hash, hashPlain, hashOther := hashed("HERE"), hashed("127.0.0.1"), hashed("other")

	const yes, no = true, false
	for _, tt := range []struct {
		name, server  string
		user, global  string // HERE is [127.0.0.1]:PORT, <x> the public key x
		config        string
		acceptNew, ok bool
	}{
		{name: "known", server: "all", user: "HERE <ed>", ok: yes},
		{name: "unknown", server: "all", ok: no},
		{name: "known by its rsa key only", server: "all", user: "HERE <rsa>", ok: yes},
		{name: "known by its ecdsa key only", server: "all", user: "HERE <ecdsa>", ok: yes},
		{name: "two types, one right", server: "rsa", user: "HERE <ed>\nHERE <rsa>", ok: yes},
		{name: "another type is known, the server has it no more", server: "rsa", user: "HERE <ed>", ok: no},
		{name: "changed", server: "ed", user: "HERE <ed2>", ok: no},
		{name: "changed, of several types", server: "all", user: "HERE <ed2>\nHERE <ecdsa2>", ok: no},
		{name: "ed25519 changed, rsa right", server: "all", user: "HERE <ed2>\nHERE <rsa>", ok: no},
		{name: "two keys of one type", server: "ed", user: "HERE <ed2>\nHERE <ed>", ok: yes},
		{name: "two keys of one type, other order", server: "ed", user: "HERE <ed>\nHERE <ed2>", ok: yes},
		{name: "two keys of one type in two files", server: "ed", user: "HERE <ed2>", global: "HERE <ed>", ok: yes},
		{name: "global file", server: "all", global: "HERE <ed>", ok: yes},
		{name: "global file changed", server: "ed", global: "HERE <ed2>", ok: no},
		{name: "hashed", server: "all", user: "HASH <ed>", ok: yes},
		{name: "hashed, changed", server: "ed", user: "HASH <ed2>", ok: no},
		{name: "hashed, another host", server: "all", user: "HASHOTHER <ed>", ok: no},
		{name: "hashed without port", server: "all", user: "HASHPLAIN <ed>", ok: yes},
		{name: "broken hash", server: "all", user: "|1|abc|def <ed>", ok: no},
		{name: "broken hash beside a good line", server: "all", user: "|1|abc|def <ed2>\nHERE <ed>", ok: yes},
		{name: "without port", server: "all", user: "127.0.0.1 <ed>", ok: yes},
		{name: "without port, rsa only", server: "all", user: "127.0.0.1 <rsa>", ok: no},
		{name: "without port, changed", server: "ed", user: "127.0.0.1 <ed2>", ok: no},
		{name: "with port changed, without port right", server: "ed", user: "HERE <ed2>\n127.0.0.1 <ed>", ok: no},
		{name: "another port", server: "ed", user: "[127.0.0.1]:1 <ed>", ok: no},
		{name: "port without brackets", server: "ed", user: "127.0.0.1:PORT <ed>", ok: no},
		{name: "several names", server: "ed", user: "other,HERE,third <ed>", ok: yes},
		{name: "wildcard", server: "ed", user: "[127.0.*]:* <ed>", ok: yes},
		{name: "question mark", server: "ed", user: "[127.0.?.1]:PORT <ed>", ok: yes},
		{name: "star", server: "ed", user: "* <ed>", ok: yes},
		{name: "star, changed", server: "ed", user: "* <ed2>", ok: no},
		{name: "star too short", server: "ed", user: "127.0.0.? <ed>", ok: yes}, // by the rule without port
		{name: "negated", server: "ed", user: "*,!HERE <ed>", ok: yes},          // as the plain name matches *
		{name: "negated without port too", server: "ed", user: "*,!HERE,!127.0.0.1 <ed>", ok: no},
		{name: "negated first", server: "ed", user: "!HERE,HERE <ed>", ok: no},
		{name: "negated other", server: "ed", user: "!other,HERE <ed>", ok: yes},
		{name: "only negated", server: "ed", user: "!other <ed>", ok: no},
		{name: "line without key", server: "ed", user: "HERE\nHERE <ed>", ok: yes},
		{name: "line with half a key", server: "ed", user: "HERE ssh-ed25519 AAAA\nHERE <ed>", ok: yes},
		{name: "only half a key", server: "ed", user: "HERE ssh-ed25519 AAAA", ok: no},
		{name: "wrong type before the key", server: "ed", user: "HERE ssh-rsa <ed:blob>", ok: no},
		{name: "unknown key type elsewhere", server: "ed", user: "other ssh-future AAAAC3NzaC1lZDI1NTE5\nHERE <ed>", ok: yes},
		{name: "unknown marker", server: "ed", user: "@future HERE <ed>", ok: no},
		{name: "binary rubbish", server: "ed", user: "\x01\x02\xff\nHERE <ed>\n\x00", ok: yes},
		{name: "comments, blanks, tabs, CR", server: "ed", user: "# HERE <ed2>\n\n  \t\n  HERE\t<ed> comment # more\r", ok: yes},
		{name: "comment after the name", server: "ed", user: "HERE # <ed>", ok: no},
		{name: "no line break at the end", server: "ed", user: "other <ed2>\nHERE <ed>", ok: yes},
		{name: "revoked", server: "ed", user: "HERE <ed>\n@revoked HERE <ed>", ok: no},
		{name: "revoked first", server: "ed", user: "@revoked * <ed>\nHERE <ed>", ok: no},
		{name: "revoked globally", server: "ed", user: "HERE <ed>", global: "@revoked HERE <ed>", ok: no},
		{name: "revoked for another host", server: "ed", user: "HERE <ed>\n@revoked other <ed>", ok: yes},
		{name: "another key revoked", server: "ed", user: "HERE <ed>\n@revoked HERE <ed2>", ok: yes},
		{name: "revoked without port", server: "ed", user: "HERE <ed>\n@revoked 127.0.0.1 <ed>", ok: yes},
		{name: "authority", server: "cert", user: "@cert-authority HERE <ca>", ok: yes},
		{name: "authority *", server: "cert", user: "@cert-authority * <ca>", ok: yes},
		{name: "authority without port", server: "cert", user: "@cert-authority 127.0.0.* <ca>", ok: yes},
		{name: "authority for another host", server: "cert", user: "@cert-authority other <ca>", ok: no},
		{name: "another authority", server: "cert", user: "@cert-authority HERE <ca2>", ok: no},
		{name: "one of two authorities", server: "cert", user: "@cert-authority HERE <ca2>\n@cert-authority HERE <ca>", ok: yes},
		{name: "authority, several keys", server: "certs", user: "@cert-authority HERE <ca>", ok: yes},
		{name: "authority and the rsa key", server: "certs", user: "@cert-authority HERE <ca>\nHERE <rsa>", ok: yes},
		{name: "authority, rsa certificate", server: "rsacert", user: "@cert-authority HERE <ca>", ok: yes},
		{name: "rsa authority", server: "byrsa", user: "@cert-authority HERE <rsaca>", ok: yes},
		{name: "authority, server shows a plain key", server: "ed", user: "@cert-authority HERE <ca>", ok: no},
		{name: "authority, plain key known", server: "ed", user: "@cert-authority HERE <ca>\nHERE <ed>", ok: yes},
		{name: "the authority's key as a plain one", server: "cert", user: "HERE <ca>", ok: no},
		{name: "the key as an authority", server: "ed", user: "@cert-authority HERE <ed>", ok: no},
		{name: "certificate, its key known as plain", server: "cert", user: "HERE <ed>", ok: yes},
		{name: "certificate, another plain key known", server: "cert", user: "HERE <ed2>", ok: no},
		{name: "certificate for another name", server: "wrongname", user: "@cert-authority * <ca>", ok: no},
		{name: "certificate for another name, plain key known", server: "wrongname", user: "@cert-authority * <ca>\nHERE <ed>", ok: yes},
		{name: "certificate expired", server: "expired", user: "@cert-authority * <ca>", ok: no},
		{name: "certificate not yet valid", server: "future", user: "@cert-authority * <ca>", ok: no},
		{name: "certificate with a critical option", server: "critical", user: "@cert-authority * <ca>", ok: no},
		{name: "authority revoked", server: "cert", user: "@cert-authority HERE <ca>\n@revoked HERE <ca>", ok: no},
		{name: "authority revoked, plain key known", server: "cert", user: "HERE <ed>\n@revoked HERE <ca>", ok: no},
		{name: "key in the certificate revoked", server: "cert", user: "@cert-authority HERE <ca>\n@revoked HERE <ed>", ok: no},
		{name: "alias", server: "ed", user: "db <ed>", config: "HostKeyAlias db", ok: yes},
		{name: "alias, name known", server: "ed", user: "HERE <ed>", config: "HostKeyAlias db", ok: no},
		{name: "alias in capitals", server: "ed", user: "DB <ed>", config: "HostKeyAlias Db", ok: yes},
		{name: "accept-new: unknown", server: "all", acceptNew: yes, ok: yes},
		{name: "accept-new: unknown, hashing", server: "ed", acceptNew: yes, config: "HashKnownHosts yes", ok: yes},
		{name: "accept-new: known", server: "ed", user: "HERE <ed>", acceptNew: yes, ok: yes},
		{name: "accept-new: changed", server: "ed", user: "HERE <ed2>", acceptNew: yes, ok: no},
		{name: "accept-new: changed in the global file", server: "ed", global: "HERE <ed2>", acceptNew: yes, ok: no},
		{name: "accept-new: another type known", server: "rsa", user: "HERE <ed>", acceptNew: yes, ok: no},
		{name: "accept-new: revoked", server: "ed", user: "@revoked HERE <ed>", acceptNew: yes, ok: no},
		{name: "accept-new: known without port", server: "ed", user: "127.0.0.1 <ed>", acceptNew: yes, ok: yes},
		{name: "accept-new: changed without port", server: "ed", user: "127.0.0.1 <ed2>", acceptNew: yes, ok: yes},
		{name: "accept-new: certificate of an unknown authority", server: "cert", acceptNew: yes, ok: yes},
		{name: "accept-new: authority, plain key", server: "ed", user: "@cert-authority HERE <ca>", acceptNew: yes, ok: yes},
		{name: "accept-new: certificate expired", server: "expired", user: "@cert-authority * <ca>", acceptNew: yes, ok: yes},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := servers[tt.server]
			here := fmt.Sprintf("[127.0.0.1]:%d", s.port)
			fill := func(text string) []byte {
				for name := range keys.signers {
					text = strings.ReplaceAll(text, "<"+name+">", keys.line(name))
					text = strings.ReplaceAll(text, "<"+name+":blob>", strings.Fields(keys.line(name))[1])
				}
				if tt.acceptNew && text != "" {
					text += "\n"
				}
				return []byte(strings.NewReplacer("HASHPLAIN", hashPlain(here), "HASHOTHER", hashOther(here), "HASH", hash(here),
					"HERE", here, "PORT", fmt.Sprint(s.port)).Replace(text))
			}
			userLines, globalLines := fill(tt.user), fill(tt.global)
			verdict := func(connect func(config string) error) (bool, string, error) {
				dir := t.TempDir()
				user, global := filepath.Join(dir, "user"), filepath.Join(dir, "global")
				write(t, user, userLines)
				write(t, global, globalLines)
				config := filepath.Join(dir, "config")
				checking := "yes"
				if tt.acceptNew {
					checking = "accept-new"
				}
				write(t, config, []byte(fmt.Sprintf("Host *\n%s\nUserKnownHostsFile %s\nGlobalKnownHostsFile %s\nIdentityFile %s\nIdentitiesOnly yes\nStrictHostKeyChecking %s\nUpdateHostKeys no\n",
					tt.config, user, global, s.key, checking)))
				err := connect(config)
				after, readErr := os.ReadFile(user)
				if readErr != nil {
					t.Fatal(readErr)
				}
				return err == nil, string(after), err
			}
			theirs, theirFile, theirErr := verdict(func(config string) error {
				out, err := exec.Command("ssh", "-F", config, "-o", "BatchMode=yes", "-p", fmt.Sprint(s.port), login(t)+"@127.0.0.1", "true").CombinedOutput()
				if err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
				return nil
			})
			ours, ourFile, ourErr := verdict(func(config string) error {
				target := remote.Target{Address: "127.0.0.1", Port: s.port}
				if tt.acceptNew {
					target.HostKeyChecking = "accept-new"
				}
				c, err := (&remote.Dialer{ConfigFile: config, AgentSocket: "none", Home: t.TempDir()}).Dial(ctx(t), target)
				if err == nil {
					return c.Close()
				}
				wantError(t, err, remote.HostKey)
				return err
			})
			if ours != theirs || ours != tt.ok {
				t.Errorf("verdict %v, OpenSSH %v, want %v\nours: %s\nOpenSSH: %v", ours, theirs, tt.ok, full(ourErr), theirErr)
			}
			if !strings.Contains(tt.config, "HashKnownHosts") && ourFile != theirFile {
				t.Errorf("known_hosts after ours:\n%s\nafter OpenSSH:\n%s", ourFile, theirFile)
			}
			if strings.Contains(tt.config, "HashKnownHosts") && !strings.HasPrefix(ourFile, "|1|") {
				t.Errorf("known_hosts is not hashed: %s", ourFile)
			}
		})
	}
}
