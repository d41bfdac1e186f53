package remote_test

import (
	"errors"
	"fmt"
	mrand "math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"provision/remote"
)

// TestRevokedHostKeysAreOpenSSHs asks ssh and this package to connect with the same
// RevokedHostKeys. What both must say is written down as well.
func TestRevokedHostKeysAreOpenSSHs(t *testing.T) {
	needsSSH(t)
	keys := newHostKeys(t, "ed", "ed2", "rsa", "ca", "ca2")
	plain := startSSHD(t, "HostKey "+filepath.Join(keys.dir, "ed"), "MaxStartups 100")
	cert := startSSHD(t, "HostKey "+filepath.Join(keys.dir, "ed"), "HostCertificate "+keys.certify(t, "ed", "ca", "cert", func(c *ssh.Certificate) { c.Serial = 7 }), "MaxStartups 100")
	krl := func(args ...string) func(string) {
		return func(file string) {
			args := append([]string{"-q", "-k", "-f", file}, args...)
			if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
				t.Fatalf("ssh-keygen %q: %v %s", args, err, out)
			}
		}
	}
	text := func(lines string) func(string) {
		return func(file string) {
			for name := range keys.signers {
				lines = strings.ReplaceAll(lines, "<"+name+">", keys.line(name))
			}
			write(t, file, []byte(lines))
		}
	}
	pub := func(name string) string {
		file := filepath.Join(keys.dir, name+".only.pub")
		write(t, file, []byte(keys.line(name)+"\n"))
		return file
	}
	serial := filepath.Join(keys.dir, "serials")
	write(t, serial, []byte("serial: 7\n"))
	sums := filepath.Join(keys.dir, "sums")
	write(t, sums, []byte("hash: "+ssh.FingerprintSHA256(keys.signers["ed"].PublicKey())+"\n"))
	other := filepath.Join(keys.dir, "other")
	write(t, other, []byte("serial: 8\n"))

	for _, tt := range []struct {
		name   string
		list   func(file string)
		cert   bool
		ok     bool
		saying string
	}{
		{name: "empty text", list: text(""), ok: true},
		{name: "comments", list: text("# <ed>\n\n  \t# x\n"), ok: true},
		{name: "another key", list: text("<ed2>\n<rsa>\n"), ok: true},
		{name: "its key", list: text("<ed2>\n<ed> comment\n"), saying: "the host key is revoked"},
		{name: "its key, indented, without line break", list: text(" \t<ed>"), saying: "the host key is revoked"},
		{name: "its key with a carriage return", list: text("<ed2>\r\n<ed>\r\n"), saying: "the host key is revoked"},
		{name: "junk", list: text("junk\n"), saying: ":1: not a public key"},
		{name: "junk behind its key", list: text("<ed>\njunk\n"), saying: "the host key is revoked"},
		{name: "junk behind another key", list: text("<ed2>\njunk\n"), saying: ":2: not a public key"},
		{name: "fingerprints", list: text(ssh.FingerprintSHA256(keys.signers["ed"].PublicKey()) + "\n"), saying: "not a public key"},
		{name: "a line of known_hosts", list: text("* <ed>\n"), saying: "not a public key"},
		{name: "options before the key", list: text("no-pty <ed>\n"), saying: "not a public key"},
		{name: "half a key", list: text("ssh-ed25519 AAAA\n"), saying: "not a public key"},
		{name: "another type before the key", list: func(file string) {
			write(t, file, []byte("ssh-rsa "+strings.Fields(keys.line("ed2"))[1]+"\n"))
		}, saying: "not a public key"},
		{name: "missing", list: func(string) {}, saying: "no such file"},
		{name: "a directory", list: func(file string) { _ = os.Mkdir(file, 0o700) }, saying: "RevokedHostKeys"},
		{name: "list of keys", list: krl(pub("ed")), saying: "the host key is revoked"},
		{name: "list of other keys", list: krl(pub("ed2")), ok: true},
		{name: "list of digests", list: krl(sums), saying: "the host key is revoked"},
		{name: "half a list", list: func(file string) { write(t, file, []byte("SSHKRL\n\x00\x00\x00")) }, saying: "ssh-keygen"},
		{name: "certificate's key in text", list: text("<ed>\n"), cert: true, saying: "the host key is revoked"},
		{name: "authority in text", list: text("<ca>\n"), cert: true, saying: "the host key is revoked"},
		{name: "another authority in text", list: text("<ca2>\n"), cert: true, ok: true},
		{name: "serial", list: krl("-s", pub("ca"), serial), cert: true, saying: "the host key is revoked"},
		{name: "another serial", list: krl("-s", pub("ca"), other), cert: true, ok: true},
		{name: "serial of another authority", list: krl("-s", pub("ca2"), serial), cert: true, ok: true},
		{name: "authority in a list", list: krl(pub("ca")), cert: true, saying: "the host key is revoked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, known := plain, "* "+keys.line("ed")
			if tt.cert {
				s, known = cert, "@cert-authority * "+keys.line("ca")
			}
			dir := t.TempDir()
			list := filepath.Join(dir, "revoked list")
			tt.list(list)
			write(t, filepath.Join(dir, "known"), []byte(known+"\n"))
			config := filepath.Join(dir, "config")
			write(t, config, []byte(fmt.Sprintf("UserKnownHostsFile %s/known\nGlobalKnownHostsFile none\nRevokedHostKeys %q\nIdentityFile %s\nIdentitiesOnly yes\n", dir, list, s.key)))
			out, theirs := exec.Command("ssh", "-F", config, "-o", "BatchMode=yes", "-p", fmt.Sprint(s.port), "127.0.0.1", "true").CombinedOutput()
			c, ours := (&remote.Dialer{ConfigFile: config, AgentSocket: "none"}).Dial(ctx(t), remote.Target{Address: "127.0.0.1", Port: s.port})
			if ours == nil {
				_ = c.Close()
			} else {
				wantError(t, ours, remote.HostKey, tt.saying, list)
			}
			if (theirs == nil) != tt.ok || (ours == nil) != tt.ok {
				t.Errorf("want ok %v\nOpenSSH: %v %s\nours: %v", tt.ok, theirs, out, full(ours))
			}
		})
	}
	t.Run("no ssh-keygen", func(t *testing.T) {
		list := filepath.Join(t.TempDir(), "krl")
		krl(pub("ed2"))(list)
		t.Setenv("PATH", t.TempDir())
		if _, err := remote.RevokedBy(list, keys.signers["ed"].PublicKey()); err == nil || !strings.Contains(err.Error(), "no ssh-keygen") {
			t.Errorf("got %v", err)
		}
	})
}

// TestGeneratedKnownHosts makes known_hosts with revoked keys, and lists of revoked
// keys, by chance. Which lines are about a host says ssh-keygen -F, and which keys
// a list revokes ssh-keygen -Q.
func TestGeneratedKnownHosts(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("needs ssh-keygen: apt-get install openssh-client")
	}
	count := 1000
	if testing.Short() {
		count = 200
	}
	names := []string{"a", "b", "c", "d"}
	lines := make(map[string]string)
	publics := make(map[string]ssh.PublicKey)
	for _, n := range names {
		publics[n] = writeKey(t, filepath.Join(t.TempDir(), n), "")
		lines[n] = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(publics[n])))
	}
	var seen [4]atomic.Int64
	t.Run("all", func(t *testing.T) {
		for part := range 4 {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				known, list, krl := filepath.Join(dir, "known"), filepath.Join(dir, "list"), filepath.Join(dir, "krl")
				for n := part; n < count; n += 4 {
					g := mrand.New(mrand.NewSource(int64(n)))
					pick := func(of ...string) string { return of[g.Intn(len(of))] }
					port := []int{22, 2222}[g.Intn(2)]
					host := pick("db", "web-1", "10.0.0.5")
					here := host
					if port != 22 {
						here = fmt.Sprintf("[%s]:%d", host, port)
					}
					var file strings.Builder
					for range g.Intn(6) {
						name := pick(here, here, host, "*", "other", here+",other", "!"+here+",*", "[*]:2222", knownhosts.HashHostname(here), "10.0.0.*", "DB")
						fmt.Fprintf(&file, "%s%s%s%s\n", pick("", "", "@revoked ", "@cert-authority ", "@unknown "), name, pick(" ", "\t"), pick(lines[pick(names...)], "junk", lines[pick(names...)]+" comment"))
					}
					write(t, known, []byte(file.String()))
					key := pick(names...)

					var revoked []string
					var inList bool
					if g.Intn(2) == 0 {
						var text strings.Builder
						for range g.Intn(3) {
							fmt.Fprintln(&text, lines[pick(names...)])
						}
						write(t, list, []byte("# revoked\n"+text.String()))
						_ = os.Remove(krl)
						if out, err := exec.Command("ssh-keygen", "-q", "-k", "-f", krl, list).CombinedOutput(); err != nil {
							t.Fatalf("%v %s", err, out)
						}
						shown := filepath.Join(dir, "shown.pub")
						write(t, shown, []byte(lines[key]+"\n"))
						inList = exec.Command("ssh-keygen", "-Q", "-f", krl, shown).Run() != nil
						revoked = []string{[]string{list, krl}[g.Intn(2)]}
					}
					var want string
					if inList {
						want = "revoked"
					} else if want = keygenSays(t, known, here, lines[key]); want == "not in known_hosts" && port != 22 {
						// The plain name may still know it. A key that is revoked for it is refused.
						if plain := keygenSays(t, known, host, lines[key]); plain == "ok" || plain == "revoked" {
							want = plain
						}
					}
					got := "ok"
					if err := remote.HostKeyVerdict(&remote.Dialer{}, host, port, []string{known}, revoked, publics[key]); err != nil {
						got = err.Error()
					}
					if !strings.Contains(got, want) {
						t.Errorf("seed %d: %s shows %s: %s, want %s\n%s\nrevoked %v:", n, here, key, got, want, file.String(), revoked)
					}
					for i, w := range []string{"ok", "revoked", "changed", "not in known_hosts"} {
						if want == w {
							seen[i].Add(1)
						}
					}
				}
			})
		}
	})
	for i := range seen {
		if seen[i].Load() < int64(count/40) {
			t.Errorf("verdict %d was seen %d times only", i, seen[i].Load())
		}
	}
}

// keygenSays is the verdict about a key by the lines that ssh-keygen finds.
func keygenSays(t *testing.T, file, name, key string) string {
	t.Helper()
	out, err := exec.Command("ssh-keygen", "-F", name, "-f", file).Output()
	var notFound *exec.ExitError
	if err != nil && !errors.As(err, &notFound) {
		t.Fatal(err)
	}
	blob := strings.Fields(key)[1]
	verdict := "not in known_hosts"
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		switch {
		case len(f) < 3 || f[0] == "#":
		case f[0] == "@revoked":
			if len(f) > 3 && f[3] == blob {
				return "revoked"
			}
		case f[0][0] == '@':
		case f[2] == blob:
			verdict = "ok"
		case verdict != "ok":
			verdict = "changed"
		}
	}
	return verdict
}
