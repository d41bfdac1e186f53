package remote_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"provision/remote"
)

// listen serves TCP connections on loopback until the test ends.
func listen(t *testing.T, serve func(net.Conn)) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port
}

func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		serve func(net.Conn)
		words []string
	}{
		{"silent", silent, []string{"no SSH session within", "the server said nothing"}},
		{"banner, then silence", func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-x\r\n"); silent(c) }, []string{"no SSH session within", "SSH-2.0-x", "key exchange did not end"}},
		{"endless text before the banner", func(c net.Conn) {
			for {
				if _, err := fmt.Fprint(c, "hello\x1b[2J\n"); err != nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		}, []string{"no SSH session within", `hello\x1b[2J`}},
		{"one byte a second", func(c net.Conn) {
			for {
				if _, err := c.Write([]byte("S")); err != nil {
					return
				}
				time.Sleep(200 * time.Millisecond)
			}
		}, []string{"no SSH session within"}},
		{"another protocol", func(c net.Conn) {
			_, _ = bufio.NewReader(c).ReadString('\n')
			fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_ = c.Close()
		}, []string{"HTTP/1.1 400 Bad Request"}},
		{"banned", func(c net.Conn) { fmt.Fprint(c, "Not allowed at this time\r\n"); _ = c.Close() }, []string{"PerSourcePenalties"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			port := listen(t, tt.serve)
			start := time.Now()
			_, err := hermetic(t).Dial(ctx(t), remote.Target{Name: "web-1", Address: "127.0.0.1", Port: port, ConnectTimeout: time.Second})
			wantError(t, err, remote.Unreachable, append(tt.words, "web-1", "ssh -v")...)
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		start := time.Now()
		_, err := hermetic(t).Dial(ctx(t), remote.Target{Address: "127.0.0.1", Port: freePort(t)})
		wantError(t, err, remote.Unreachable, "refused", "check address, port")
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("took %v: a refusal was tried again", d)
		}
	})
	t.Run("no such name", func(t *testing.T) {
		t.Parallel()
		_, err := hermetic(t).Dial(ctx(t), remote.Target{Address: "host.invalid", ConnectTimeout: 5 * time.Second})
		wantError(t, err, remote.Unreachable, "host.invalid")
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		why := errors.New("operator said stop")
		c, cancel := context.WithCancelCause(ctx(t))
		time.AfterFunc(200*time.Millisecond, func() { cancel(why) })
		_, err := hermetic(t).Dial(c, remote.Target{Address: "127.0.0.1", Port: listen(t, silent)})
		if !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
	})
	for _, address := range []string{"", "-oProxyCommand=x", "a b", "a\nb", "a/b", "a'b"} {
		_, err := hermetic(t).Dial(ctx(t), remote.Target{Address: address})
		wantError(t, err, remote.Unreachable, "is not a host")
	}
}

func TestConnectionResetsAreTriedAgain(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	var n atomic.Int32
	port := listen(t, func(c net.Conn) {
		if n.Add(1) <= 3 {
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
			return
		}
		forward(c, s.port, nil)
	})
	target := s.target()
	target.Port, target.HostKey = port, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.hostKey)))
	dial(t, s.dialer(t), target)
	if got := n.Load(); got != 4 {
		t.Errorf("%d connections, want 4", got)
	}
}

// forward passes bytes to a port and back until either side ends or cut is closed.
func forward(c net.Conn, port int, cut <-chan struct{}) {
	up, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		_ = c.Close()
		return
	}
	var wg sync.WaitGroup
	ended := make(chan struct{}, 2)
	for _, p := range [][2]net.Conn{{c, up}, {up, c}} {
		wg.Go(func() { _, _ = io.Copy(p[0], p[1]); ended <- struct{}{} })
	}
	select {
	case <-ended:
	case <-cut:
	}
	_ = c.Close()
	_ = up.Close()
	wg.Wait()
}

func TestManyDialsToADefaultServer(t *testing.T) {
	t.Parallel()
	s := startSSHD(t) // MaxStartups 10:30:100
	d := s.dialer(t)
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			c, err := d.Dial(ctx(t), s.target())
			if err != nil {
				t.Error(full(err))
				return
			}
			_ = c.Close()
		})
	}
	wg.Wait()
}

func TestAllAddressesOfANameAreTried(t *testing.T) {
	t.Parallel()
	s := startSSHD(t) // on 127.0.0.1 only, while localhost may be ::1 as well
	target := s.target()
	target.Address = "localhost"
	write(t, s.known, []byte(fmt.Sprintf("[localhost]:%d %s", s.port, ssh.MarshalAuthorizedKey(s.hostKey))))
	dial(t, s.dialer(t), target)
}

func TestIPv6Literals(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("needs IPv6 on loopback")
	} else {
		_ = l.Close()
	}
	port := freePort(t)
	s := startSSHD(t, fmt.Sprintf("ListenAddress [::1]:%d", port))
	write(t, s.known, []byte(fmt.Sprintf("[::1]:%d %s", port, ssh.MarshalAuthorizedKey(s.hostKey))))
	for _, address := range []string{"::1", "[::1]", "::1%lo"} {
		target := s.target()
		target.Address, target.Port = address, port
		if strings.Contains(address, "%") {
			target.HostKey = string(ssh.MarshalAuthorizedKey(s.hostKey))
		}
		c := dial(t, s.dialer(t), target)
		if res, err := c.Run(ctx(t), remote.Command{Script: "echo six"}); err != nil || string(res.Stdout) != "six\n" {
			t.Errorf("%s: %q, %v", address, res.Stdout, err)
		}
	}
}

func TestHostKeyErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	other := writeKey(t, filepath.Join(s.dir, "other"), "")
	here := fmt.Sprintf("[127.0.0.1]:%d", s.port)
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.hostKey)))

	var dials atomic.Int32
	d := s.dialer(t)
	d.Log = func(format string, args ...any) {
		if strings.Contains(format, "trying again") {
			dials.Add(1)
		}
	}
	write(t, s.known, []byte(here+" "+string(ssh.MarshalAuthorizedKey(other))))
	_, err := d.Dial(ctx(t), s.target())
	wantError(t, err, remote.HostKey, "the host key changed", ssh.FingerprintSHA256(s.hostKey), ssh.FingerprintSHA256(other),
		fmt.Sprintf("ssh-keygen -R '%s' -f '%s'", here, s.known), s.known+":1")
	if dials.Load() != 0 {
		t.Error("a changed host key was tried again")
	}

	write(t, s.known, nil)
	_, err = d.Dial(ctx(t), s.target())
	wantError(t, err, remote.HostKey, "not in known_hosts", ssh.FingerprintSHA256(s.hostKey), fmt.Sprintf("echo '%s %s' >> '%s'", here, line, s.known))

	write(t, s.known, []byte(here+" "+line+"\n@revoked * "+line+"\n"))
	_, err = d.Dial(ctx(t), s.target())
	wantError(t, err, remote.HostKey, "revoked", s.known+":2")

	pinned := s.target()
	pinned.HostKey = line
	_, err = d.Dial(ctx(t), pinned)
	wantError(t, err, remote.HostKey, "revoked")
	write(t, s.known, nil)
	_ = dial(t, d, pinned).Close()
	pinned.HostKey = string(ssh.MarshalAuthorizedKey(other))
	_, err = d.Dial(ctx(t), pinned)
	wantError(t, err, remote.HostKey, "not the pinned one", ssh.FingerprintSHA256(s.hostKey), ssh.FingerprintSHA256(other))
	pinned.HostKey = "ssh-ed25519 rubbish"
	_, err = d.Dial(ctx(t), pinned)
	wantError(t, err, remote.HostKey, "pinned host key")

	summed := s.target()
	for _, sums := range [][]string{{remote.HostKeySum(s.hostKey)}, {remote.HostKeySum(other), remote.HostKeySum(s.hostKey)}} {
		summed.HostKeySums = sums
		_ = dial(t, d, summed).Close() // known_hosts does not have it
	}
	summed.HostKeySums = []string{remote.HostKeySum(other)}
	_, err = d.Dial(ctx(t), summed)
	wantError(t, err, remote.HostKey, "differs from those that are recorded", remote.HostKeySum(s.hostKey), remote.HostKeySum(other))
	summed.HostKey = line
	_, err = d.Dial(ctx(t), summed)
	wantError(t, err, remote.HostKey, "differs from those that are recorded")
	write(t, s.known, []byte("@revoked * "+line+"\n"))
	summed.HostKeySums = []string{remote.HostKeySum(s.hostKey)}
	_, err = d.Dial(ctx(t), summed)
	wantError(t, err, remote.HostKey, "revoked")

	// OpenSSH would add a key that is revoked for the name without the port.
	write(t, s.known, []byte("@revoked 127.0.0.1 "+line+"\n"))
	brave := s.target()
	brave.HostKeyChecking = "accept-new"
	_, err = d.Dial(ctx(t), brave)
	wantError(t, err, remote.HostKey, "revoked")
	brave.HostKeyChecking = "off"
	_, err = d.Dial(ctx(t), brave)
	wantError(t, err, remote.Unreachable, "want strict or accept-new")
}

func TestBadLinesOfKnownHostsAreNamed(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	good, err := os.ReadFile(s.known)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.known, append([]byte("# fine\nrubbish\n"), good...))
	var mu sync.Mutex
	var said []string
	d := s.dialer(t)
	d.Log = func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, fmt.Sprintf(format, args...))
	}
	dial(t, d, s.target())
	if all := strings.Join(said, "\n"); !strings.Contains(all, s.known+":2: skipped") {
		t.Errorf("log: %s", all)
	}
}

func TestAcceptNewInParallel(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "MaxStartups 100")
	other := writeKey(t, filepath.Join(s.dir, "other"), "")
	file := filepath.Join(s.dir, "new", "known_hosts") // its directory does not exist yet
	target := s.target()
	target.KnownHosts, target.HostKeyChecking = file, "accept-new"
	d := s.dialer(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			c, err := d.Dial(ctx(t), target)
			if err != nil {
				t.Error(full(err))
				return
			}
			_ = c.Close()
		})
	}
	wg.Wait()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("[127.0.0.1]:%d %s", s.port, ssh.MarshalAuthorizedKey(s.hostKey)); string(got) != want {
		t.Errorf("known_hosts is %q, want the one line %q", got, want)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	write(t, file, []byte(fmt.Sprintf("[127.0.0.1]:%d %s", s.port, ssh.MarshalAuthorizedKey(other))))
	_, err = d.Dial(ctx(t), target)
	wantError(t, err, remote.HostKey, "changed")
}
