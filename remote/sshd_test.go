package remote_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"provision/remote"
)

// sshd is a real OpenSSH server on loopback, run as the user who runs the tests,
// with its own configuration.
type sshd struct {
	dir     string
	port    int
	known   string // known_hosts with its ed25519 key
	key     string // identity that may log in
	hostKey ssh.PublicKey
	log     *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func login(t testing.TB) string {
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// startSSHD starts a server with further lines of sshd_config, before the
// defaults, so that they win.
func startSSHD(t testing.TB, config ...string) *sshd {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Skip("needs /usr/sbin/sshd: apt-get install openssh-server")
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &sshd{dir: t.TempDir(), log: &lockedBuffer{}}
	s.key = filepath.Join(s.dir, "id_ed25519")
	public := writeKey(t, s.key, "")
	s.hostKey = writeKey(t, filepath.Join(s.dir, "host_ed25519"), "")
	write(t, filepath.Join(s.dir, "authorized_keys"), ssh.MarshalAuthorizedKey(public))

	for try := 0; ; try++ {
		s.port = freePort(t)
		if s.run(t, program, config) {
			break
		}
		if try == 5 {
			t.Fatalf("sshd does not start:\n%s", s.log)
		}
	}
	s.known = filepath.Join(s.dir, "known_hosts")
	write(t, s.known, []byte(fmt.Sprintf("[127.0.0.1]:%d %s", s.port, ssh.MarshalAuthorizedKey(s.hostKey))))
	return s
}

func (s *sshd) run(t testing.TB, program string, config []string) bool {
	t.Helper()
	file := filepath.Join(s.dir, "sshd_config")
	lines := append(append([]string{}, config...),
		"ListenAddress 127.0.0.1:"+strconv.Itoa(s.port), "PidFile none", "UsePAM no", "StrictModes no",
		"AuthorizedKeysFile "+filepath.Join(s.dir, "authorized_keys"), "PasswordAuthentication no", "KbdInteractiveAuthentication no",
		"PermitRootLogin yes", "LogLevel DEBUG1",
		// bash reads ~/.bashrc under sshd only at level 1: that of whoever runs the
		// tests may be slow.
		"SetEnv SHLVL=5")
	if !strings.Contains(strings.Join(lines, "\n"), "Subsystem ") {
		lines = append(lines, "Subsystem sftp internal-sftp")
	}
	if !strings.Contains(strings.Join(lines, "\n"), "HostKey ") {
		lines = append(lines, "HostKey "+filepath.Join(s.dir, "host_ed25519"))
	}
	write(t, file, []byte(strings.Join(lines, "\n")+"\n"))
	cmd := exec.Command(program, "-D", "-e", "-f", file)
	cmd.Stderr = s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() && testing.Verbose() {
			t.Logf("sshd:\n%s", s.log)
		}
	})
	for range 200 {
		select {
		case <-ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
		if strings.Contains(s.log.String(), "Server listening") {
			return true
		}
	}
	return false
}

func (s *sshd) target() remote.Target {
	return remote.Target{Name: "web-1", Address: "127.0.0.1", Port: s.port, IdentityFile: s.key, KnownHosts: s.known}
}

// dialer knows neither the configuration nor the agent of the person who runs the
// tests.
func (s *sshd) dialer(t testing.TB) *remote.Dialer { return hermetic(t) }

func hermetic(t testing.TB) *remote.Dialer {
	t.Helper()
	home := t.TempDir()
	config := filepath.Join(home, "ssh_config")
	write(t, config, nil)
	return &remote.Dialer{Home: home, ConfigFile: config, AgentSocket: "none"}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeKey makes an ed25519 key pair in path and path.pub.
func writeKey(t testing.TB, path, passphrase string) ssh.PublicKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "test")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "test", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, pem.EncodeToMemory(block))
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()))
	return signer.PublicKey()
}

func ctx(t testing.TB) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return c
}

func dial(t testing.TB, d *remote.Dialer, target remote.Target) *remote.Conn {
	t.Helper()
	c, err := d.Dial(ctx(t), target)
	if err != nil {
		t.Fatalf("dial: %s", full(err))
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// full is an error with everything a person would be shown.
func full(err error) string {
	var e *remote.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("[%v] %v\nevidence: %s\nhint: %s", e.Kind, err, e.Evidence, e.Hint)
	}
	return fmt.Sprint(err)
}

// wantError fails unless err is of the kind and shows each of the words.
func wantError(t testing.TB, err error, kind remote.Kind, words ...string) *remote.Error {
	t.Helper()
	var e *remote.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error of kind %v", err, kind)
	}
	if e.Kind != kind {
		t.Errorf("got kind %v, want %v: %s", e.Kind, kind, full(err))
	}
	for _, w := range words {
		if !strings.Contains(full(err), w) {
			t.Errorf("%q is missing in: %s", w, full(err))
		}
	}
	if strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("not one clean line: %q", err.Error())
	}
	return e
}
