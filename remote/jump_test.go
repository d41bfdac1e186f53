package remote_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"provision/remote"
)

func TestJumpHosts(t *testing.T) {
	t.Parallel()
	last, second, first := startSSHD(t), startSSHD(t), startSSHD(t)
	all := filepath.Join(t.TempDir(), "known_hosts")
	var lines []byte
	for _, s := range []*sshd{last, second, first} {
		content, err := os.ReadFile(s.known)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, content...)
		allow(t, s, publicOf(t, last.key))
	}
	write(t, all, lines)
	me := login(t)
	target := last.target()
	target.KnownHosts = all
	chain := fmt.Sprintf("%s@127.0.0.1:%d,ssh://127.0.0.1:%d", me, first.port, second.port)

	t.Run("chain", func(t *testing.T) {
		target := target
		target.Jump = chain
		var ops []string
		d := last.dialer(t)
		d.Observe = func(o remote.Op) {
			if !o.Done {
				ops = append(ops, string(o.Name)+" "+o.Host)
			}
		}
		c := dial(t, d, target)
		res, err := c.Run(ctx(t), remote.Command{Script: `echo "${SSH_CONNECTION##* }"`})
		if want := fmt.Sprintf("%d\n", last.port); err != nil || string(res.Stdout) != want {
			t.Errorf("ran on port %q, %v, want %q", res.Stdout, err, want)
		}
		if n := c.Stats().Connections; n != 3 {
			t.Errorf("%d connections, want 3", n)
		}
		if len(ops) != 4 || !strings.Contains(ops[0], fmt.Sprintf("web-1 (jump 127.0.0.1:%d)", first.port)) {
			t.Errorf("observed %q", ops)
		}
	})
	t.Run("of ssh_config", func(t *testing.T) {
		d := last.dialer(t)
		write(t, d.ConfigFile, []byte(fmt.Sprintf("Host db\n HostName 127.0.0.1\n Port %d\n ProxyJump bastion\n IdentityFile %s\n UserKnownHostsFile %s\nHost bastion\n HostName 127.0.0.1\n Port %d\n ProxyJump outer\nHost outer\n HostName 127.0.0.1\n Port %d\nHost *\n IdentityFile %[2]s\n UserKnownHostsFile %[3]s\n",
			last.port, last.key, all, second.port, first.port)))
		c := dial(t, d, remote.Target{Address: "db"})
		if n := c.Stats().Connections; n != 3 {
			t.Errorf("%d connections, want 3", n)
		}
		direct := dial(t, d, remote.Target{Address: "db", Jump: "none"})
		if n := direct.Stats().Connections; n != 1 {
			t.Errorf("%d connections with jump none, want 1", n)
		}
	})
	t.Run("unknown jump host", func(t *testing.T) {
		target := target
		target.KnownHosts, target.Jump = last.known, fmt.Sprintf("127.0.0.1:%d", first.port)
		_, err := last.dialer(t).Dial(ctx(t), target)
		wantError(t, err, remote.HostKey, fmt.Sprintf("web-1 (jump 127.0.0.1:%d)", first.port))
	})
	t.Run("target refused behind the jump", func(t *testing.T) {
		target := target
		target.Jump, target.Port = chain, freePort(t)
		_, err := last.dialer(t).Dial(ctx(t), target)
		e := wantError(t, err, remote.Unreachable, "refused")
		if e.Host != "web-1" {
			t.Errorf("host %q", e.Host)
		}
	})
	t.Run("target silent behind the jump", func(t *testing.T) {
		target := target
		target.Jump, target.Port, target.ConnectTimeout = chain, listen(t, silent), time.Second
		_, err := last.dialer(t).Dial(ctx(t), target)
		wantError(t, err, remote.Unreachable, "no SSH session within", "-J")
	})
	t.Run("loop", func(t *testing.T) {
		d := last.dialer(t)
		write(t, d.ConfigFile, []byte("Host a\nProxyJump b\nHost b\nProxyJump a\n"))
		_, err := d.Dial(ctx(t), remote.Target{Address: "a"})
		wantError(t, err, remote.Unreachable, "loop")
	})
	t.Run("bad port", func(t *testing.T) {
		target := target
		target.Jump = "host:99999"
		_, err := last.dialer(t).Dial(ctx(t), target)
		wantError(t, err, remote.Unreachable, "out of range")
	})
}

func publicOf(t *testing.T, path string) ssh.PublicKey {
	t.Helper()
	content, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSSHConfig(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	d := s.dialer(t)
	id := filepath.Join(d.Home, "my key")
	content, err := os.ReadFile(s.key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, id, content)
	write(t, d.ConfigFile, []byte(fmt.Sprintf("Host db\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  IdentityFile \"%%d/my key\"\n  UserKnownHostsFile /none %s\nHost slow\n  HostName 127.0.0.1\n  ConnectTimeout 1\n Port %d\nMatch host nobody exec \"touch /tmp/never\"\n  Port 1\n  HostName 192.0.2.1\nMatch all\n  LogLevel ERROR\n",
		s.port, login(t), s.known, listen(t, silent))))
	dial(t, d, remote.Target{Address: "db"})

	start := time.Now()
	_, err = d.Dial(ctx(t), remote.Target{Address: "slow"})
	wantError(t, err, remote.Unreachable, "within 1s")
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	other := &remote.Dialer{Home: d.Home, ConfigFile: filepath.Join(d.Home, "none"), AgentSocket: "none"}
	_, err = other.Dial(ctx(t), remote.Target{Address: "db"})
	wantError(t, err, remote.Config, "none: No such file")
}
