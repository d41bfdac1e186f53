package remote_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"provision/remote"
)

func allow(t *testing.T, s *sshd, keys ...ssh.PublicKey) {
	t.Helper()
	var lines []byte
	for _, k := range keys {
		lines = append(lines, ssh.MarshalAuthorizedKey(k)...)
	}
	write(t, filepath.Join(s.dir, "authorized_keys"), lines)
}

// startAgent serves an agent with the private keys in the files.
func startAgent(t *testing.T, files ...string) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		key, err := ssh.ParseRawPrivateKey(content)
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	return listenUnix(t, func(c net.Conn) { _ = agent.ServeAgent(ring, c) })
}

func listenUnix(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent") // a short path: sockets allow 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var conns []net.Conn
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
			go serve(c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
		for _, c := range conns {
			_ = c.Close()
		}
		_ = os.RemoveAll(dir)
	})
	return filepath.Join(dir, "s")
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "MaxStartups 100")
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	var others []string
	for _, n := range []string{"other1", "other2", "other3", "other4", "other5", "other6", "other7"} {
		writeKey(t, path(n), "")
		others = append(others, path(n))
	}
	inAgent := writeKey(t, path("agentkey"), "")
	locked := writeKey(t, path("locked"), "open sesame")
	configured := writeKey(t, path("configured"), "")
	lockedAndHeld := writeKey(t, path("held"), "")
	good, err := os.ReadFile(s.key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	goodKey, _, _, _, err := ssh.ParseAuthorizedKey(good)
	if err != nil {
		t.Fatal(err)
	}
	allow(t, s, goodKey, inAgent, locked, configured, lockedAndHeld)

	held := startAgent(t, append([]string{path("agentkey"), path("held")}, others...)...)
	crowd := startAgent(t, append(others, path("agentkey"))...)
	hung := listenUnix(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	// The private half of "held" is only in the agent.
	if err := os.Rename(path("held"), path("gone")); err != nil {
		t.Fatal(err)
	}
	write(t, path("broken"), []byte("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"))

	openKey, err := os.ReadFile(path("other1"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, path("public"), openKey)
	if err := os.Chmod(path("public"), 0o644); err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct {
		name, identity, agent, config string
		words                         []string // of the error; nil: it works
	}{
		{name: "identity file", identity: s.key},
		{name: "identity file first, in spite of a full agent", identity: s.key, agent: crowd},
		{name: "identity of ssh_config", config: "IdentityFile " + path("configured")},
		{name: "agent", agent: held},
		{name: "agent holds the private half of the identity", identity: path("held"), agent: held},
		{name: "identity is a public key, agent has the rest", identity: path("held.pub"), agent: held},
		{name: "hung agent", identity: s.key, agent: hung},
		{name: "dead agent", identity: s.key, agent: path("nothing")},
		{
			name: "refused", identity: path("other1"),
			words: []string{"no key was accepted, 1 offered", "other1): refused by the server", "the server accepts: publickey", "ssh -v -o BatchMode=yes"},
		},
		{
			name: "too many keys in the agent", agent: crowd,
			words: []string{"5 offered", "3 more keys were not offered"},
		},
		{name: "IdentitiesOnly", identity: path("other1"), agent: held, config: "IdentitiesOnly yes", words: []string{"1 offered"}},
		{name: "no such file", identity: path("nothing"), words: []string{"0 offered", "no such file", "no key to offer"}},
		{name: "encrypted", identity: path("locked"), words: []string{"encrypted", "ssh-add '" + path("locked") + "'"}},
		{name: "broken file", identity: path("broken"), words: []string{"broken: is damaged", "ssh-keygen -y"}},
		{name: "private key open to others", identity: path("public"), words: []string{"0 offered", "chmod 600"}},
		{name: "dead agent and nothing else", agent: path("nothing"), words: []string{"0 offered", "agent " + path("nothing")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := hermetic(t)
			if tt.agent != "" {
				d.AgentSocket = tt.agent
			}
			write(t, d.ConfigFile, []byte("Host *\n"+tt.config+"\n"))
			target := s.target()
			target.IdentityFile = tt.identity
			c, err := d.Dial(ctx(t), target)
			if tt.words == nil {
				if err != nil {
					t.Fatal(full(err))
				}
				_ = c.Close()
				return
			}
			if err == nil {
				_ = c.Close()
			}
			wantError(t, err, remote.Auth, tt.words...)
		})
	}
}

func TestPassphraseIsAskedForOnceAndOnlyIfWanted(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	key := filepath.Join(t.TempDir(), "locked")
	public := writeKey(t, key, "open sesame")
	d := s.dialer(t)
	var asked atomic.Int32
	d.Prompt = func(_ context.Context, question string) (string, error) {
		if !strings.Contains(question, key) {
			t.Errorf("the question %q does not name the key", question)
		}
		// Longer than the connect timeout: people may think.
		time.Sleep(1500 * time.Millisecond)
		if asked.Add(1) == 1 {
			return "wrong", nil
		}
		return "open sesame", nil
	}
	target := s.target()
	target.IdentityFile, target.ConnectTimeout = key, time.Second
	_, err := d.Dial(ctx(t), target)
	wantError(t, err, remote.Auth, "refused by the server")
	if n := asked.Load(); n != 0 {
		t.Fatalf("asked %d times for a key that the server does not want", n)
	}

	allow(t, s, public)
	for range 3 {
		_ = dial(t, d, target).Close()
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want a wrong answer and a right one", n)
	}

	stop := errors.New("no thanks")
	d = s.dialer(t)
	d.Prompt = func(context.Context, string) (string, error) { return "", stop }
	_, err = d.Dial(ctx(t), target)
	wantError(t, err, remote.Auth, "no thanks")
}

func TestTooManyFailuresIsAnAuthError(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "MaxAuthTries 2")
	var files []string
	for _, n := range []string{"a", "b", "c", "d"} {
		f := filepath.Join(s.dir, n)
		writeKey(t, f, "")
		files = append(files, f)
	}
	d := s.dialer(t)
	d.AgentSocket = startAgent(t, files...)
	target := s.target()
	target.IdentityFile = ""
	_, err := d.Dial(ctx(t), target)
	wantError(t, err, remote.Auth, "Too many authentication failures")
}
