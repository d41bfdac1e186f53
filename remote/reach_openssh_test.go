package remote_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"provision/remote"
	"provision/remote/remotetest"
)

// TestReachesTheServerThatSSHReaches connects with ssh and with this package by the
// same ssh_config to two real servers with one key, and asks which one answered.
func TestReachesTheServerThatSSHReaches(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	one, two := startSSHD(t), startSSHD(t)
	allow(t, two, publicOf(t, one.key))
	dir := t.TempDir()
	known := filepath.Join(dir, "known")
	write(t, known, []byte("* "+string(ssh.MarshalAuthorizedKey(one.hostKey))+"* "+string(ssh.MarshalAuthorizedKey(two.hostKey))))
	rest := fmt.Sprintf("Host *\n HostName 127.0.0.1\n UserKnownHostsFile %s\n IdentityFile %s\n IdentitiesOnly yes\n BatchMode yes\n", known, one.key)
	config := filepath.Join(dir, "config")
	for _, tt := range []struct{ name, config, port string }{
		{"host", "Host db\n Port ONE\nHost *\n Port TWO\n", "ONE"},
		{"match with a false condition", "Match host db exec false\n Port ONE\nHost *\n Port TWO\n", "TWO"},
		{"match with a true condition", "Match originalhost db exec \"test %n = db\"\n Port ONE\nHost *\n Port TWO\n", "ONE"},
		{"match host list", "Match host x,db\n Port ONE\nHost *\n Port TWO\n", "ONE"},
		{"match final", "Match final all\n Port ONE\nHost other\n Port TWO\n", "ONE"},
		{"quoted negation", "Host \"*\" \"!db\"\n Port ONE\nHost *\n Port TWO\n", "TWO"},
		{"question mark", "Host d?\n Port ONE\nHost *\n Port TWO\n", "ONE"},
		{"jump", "Host db\n Port ONE\n ProxyJump gate\nHost gate\n Port TWO\n", "ONE"},
		{"jump and a command behind it", "Host db\n Port ONE\n ProxyJump gate\n ProxyCommand false\nHost gate\n Port TWO\n", "ONE"},
		{"command", "Host db\n Port ONE\n ProxyCommand ssh -F CONFIG -W %h:%p gate\nHost gate\n Port TWO\n", "ONE"},
		{"command before a jump", "Host db\n Port 1\n ProxyCommand ssh -F CONFIG -W 127.0.0.1:ONE gate\n ProxyJump nowhere.invalid\nHost gate\n Port TWO\n", "ONE"},
		{"command on the jump host", "Host db\n Port ONE\n ProxyJump gate\nHost gate\n Port 1\n ProxyCommand ssh -F CONFIG -W 127.0.0.1:TWO last\nHost last\n Port ONE\n", "ONE"},
		{"command that the shell expands", "Host db\n Port 1\n ProxyCommand ssh -F CONFIG -W $(echo 127.0.0.1):ONE 'gate' 2>/dev/null\nHost gate\n Port TWO\n", "ONE"},
		{"bind address and family", "Host db\n Port ONE\n BindAddress 127.0.0.2\n AddressFamily inet\n", "ONE"},
		{"bind interface", "Host db\n Port ONE\n BindInterface lo\n", "ONE"},
		{"algorithms", "Host db\n Port ONE\n Ciphers aes256-ctr\n MACs hmac-sha2-512\n KexAlgorithms diffie-hellman-group16-sha512\n HostKeyAlgorithms ssh-ed25519\n PubkeyAcceptedAlgorithms ssh-ed25519\n", "ONE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := strings.NewReplacer("ONE", fmt.Sprint(one.port), "TWO", fmt.Sprint(two.port), "CONFIG", config)
			write(t, config, []byte(r.Replace(tt.config)+rest))
			want := r.Replace(tt.port)
			out, err := exec.Command("ssh", "-F", config, "db", `echo "${SSH_CONNECTION##* }"`).Output()
			if got := strings.TrimSpace(string(out)); got != want || err != nil {
				t.Fatalf("ssh reaches %q, %v, want %s", got, err, want)
			}
			c := dial(t, &remote.Dialer{ConfigFile: config, AgentSocket: "none"}, remote.Target{Address: "db"})
			res, err := c.Run(ctx(t), remote.Command{Script: `echo "${SSH_CONNECTION##* }"`})
			if got := strings.TrimSpace(string(res.Stdout)); got != want || err != nil {
				t.Errorf("provision reaches %q, %v, want %s", got, err, want)
			}
			_ = c.Close()
		})
	}
}

func TestProxyCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	d := &remote.Dialer{ConfigFile: config, AgentSocket: "none", Home: dir}
	try := func(command string) (*remote.Conn, error) {
		write(t, config, []byte("Host db\n HostName 127.0.0.1\n Port 2222\n User ops\n HostKeyAlias al\n ConnectTimeout 1\n ProxyCommand "+command+"\n"))
		d = &remote.Dialer{ConfigFile: config, AgentSocket: "none", Home: dir}
		return d.Dial(ctx(t), remote.Target{Address: "db"})
	}
	t.Run("fails", func(t *testing.T) {
		start := time.Now()
		_, err := try("sh -c 'echo no way to %h:%p as %r for %n, %k, %% >&2; exit 7'")
		wantError(t, err, remote.Unreachable, "ProxyCommand ended with status 7", "no way to 127.0.0.1:2222 as ops for db, al, %")
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("took %v", took)
		}
	})
	t.Run("is not there", func(t *testing.T) {
		_, err := try("/no/such/program %h")
		wantError(t, err, remote.Unreachable, "ProxyCommand", "/no/such/program 127.0.0.1")
	})
	t.Run("ends without a word", func(t *testing.T) {
		_, err := try("true")
		wantError(t, err, remote.Unreachable, "ProxyCommand ended without a connection")
	})
	t.Run("unknown token", func(t *testing.T) {
		_, err := try("nc %z")
		wantError(t, err, remote.Unreachable, "%z is unknown")
	})
	t.Run("hangs, and leaves nothing", func(t *testing.T) {
		pids := filepath.Join(dir, "pids")
		_, err := try("sh -c 'sleep 300 & echo $! > " + pids + "; trap \"\" HUP; wait; sleep 300'")
		wantError(t, err, remote.Unreachable, "no SSH session within 1s", "ProxyCommand sh")
		gone(t, pids)
	})
	t.Run("that passes its connection on", func(t *testing.T) {
		_, err := try("nc %h %p\n ProxyUseFdpass yes")
		wantError(t, err, remote.Config, "ProxyUseFdpass")
	})
}

// gone fails unless the process whose number is in a file has ended.
func gone(t *testing.T, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(content), &pid); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	t.Errorf("process %d is still there", pid)
}

func TestProxyCommandEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	s := startSSHD(t)
	dir := t.TempDir()
	config, pid := filepath.Join(dir, "config"), filepath.Join(dir, "pid")
	write(t, config, []byte(fmt.Sprintf("Host gate\n HostName 127.0.0.1\n Port %d\n UserKnownHostsFile %s\n IdentityFile %s\nHost db\n HostName 127.0.0.1\n Port %[1]d\n UserKnownHostsFile %[2]s\n IdentityFile %[3]s\n ProxyCommand sh -c 'echo $$ > %s; ssh -F %s -W %%h:%%p gate; true'\n",
		s.port, s.known, s.key, pid, config)))
	c := dial(t, &remote.Dialer{ConfigFile: config, AgentSocket: "none"}, remote.Target{Address: "db"})
	if res, err := c.Run(ctx(t), remote.Command{Script: "echo through"}); err != nil || string(res.Stdout) != "through\n" {
		t.Errorf("%q, %v", res.Stdout, err)
	}
	if got := c.RemoteAddr(); !strings.HasPrefix(got, "ProxyCommand ") {
		t.Errorf("address %q", got)
	}
	_ = c.Close()
	gone(t, pid)
}

func TestMatchExecIsBounded(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	dir := t.TempDir()
	config, pid := filepath.Join(dir, "config"), filepath.Join(dir, "pid")
	write(t, config, []byte("Match exec \"sleep 300 & echo $! > "+pid+"; wait\"\n Port 1\n"))
	short, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	start := time.Now()
	_, err := (&remote.Dialer{ConfigFile: config, AgentSocket: "none"}).Dial(short, remote.Target{Name: "web-1", Address: "db"})
	wantError(t, err, remote.Unreachable, "web-1")
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("took %v", took)
	}
	gone(t, pid)

	// A program that goes on behind a condition that was decided is ended as well.
	write(t, config, []byte("Match exec \"sleep 300 >/dev/null 2>&1 & echo $! > "+pid+"\"\n Port 1\n HostName 127.0.0.1\n"))
	_, err = (&remote.Dialer{ConfigFile: config, AgentSocket: "none"}).Dial(ctx(t), remote.Target{Name: "web-1", Address: "db"})
	wantError(t, err, remote.Unreachable, "refused")
	gone(t, pid)
}

// TestOneQuestionForHostsThatNothingTellsApart: ssh is not started once per host.
func TestOneQuestionForHostsThatNothingTellsApart(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	for _, tt := range []struct {
		name, config string
		questions    int64
	}{
		{"as on Debian", "Include DIR/*.conf\nHost *\n SendEnv LANG LC_*\n HashKnownHosts yes\n", 1},
		{"as on Red Hat", "Match final all\n ConnectTimeout 5\n", 1},
		{"blocks for others", "Host bastion\n HostName 10.9.9.9\nHost *.corp\n User x\nHost *\n ControlPath ~/.ssh/%r@%h:%p\n IdentityFile ~/.ssh/%h\n", 1},
		{"two kinds", "Host web-?\n IdentityFile /one\nHost *\n User other\n", 2},
		{"kinds by conditions", "Match host web-1*,!web-2 exec \"true\"\n Port 2222\nMatch !originalhost web-3* localuser root\n Port 23\n", 4},
		{"a program", "Match exec true\n Port 2222\n", 1},
		{"a program that is told the name", "Match exec \"test %h = web-7\"\n Port 2222\n", 60},
		{"a condition that only ssh can tell", "Match user root\n Port 2222\n", 60},
		{"a name in a value", "UserKnownHostsFile ~/.ssh/known_%h\n", 60},
		{"every name has a block", "", 1},
		{"and a setting that is not plain", "Host web-1?\n IdentityFile /k\n", 2},
	} {
		dir := t.TempDir()
		config := filepath.Join(dir, "config")
		text := strings.ReplaceAll(tt.config, "DIR", dir)
		for n := range 60 {
			if tt.config == "" {
				text += fmt.Sprintf("Host web-%d\n HostName 10.0.0.%d\n", n, n)
			}
		}
		write(t, config, []byte(text))
		d := &remote.Dialer{ConfigFile: config, AgentSocket: "none"}
		done := make(chan error)
		for n := range 60 {
			go func() {
				_, err := remote.Route(ctx(t), d, remote.Target{Address: fmt.Sprintf("web-%d", n)})
				done <- err
			}()
		}
		for range 60 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if got := remote.Questions(d); got != tt.questions {
			t.Errorf("%s: %d questions for 60 hosts, want %d", tt.name, got, tt.questions)
		}
	}
}

func TestErrorsOfSSHConfig(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	for _, tt := range []struct {
		name, config string
		words        []string
	}{
		{"misspelt", "Host x\n HostNam y\n", []string{config + ": line 2: Bad configuration option: hostnam"}},
		{"several", "Foo 1\nPort abc\n", []string{config + ": line 1: Bad configuration option: foo", config + " line 2: Bad"}},
	} {
		write(t, config, []byte(tt.config))
		_, err := (&remote.Dialer{ConfigFile: config}).Dial(ctx(t), remote.Target{Name: "web-1", Address: "db"})
		if e := wantError(t, err, remote.Config, tt.words...); e.Host != "" {
			t.Errorf("%s: host %q: a mistake in a file is one for all hosts", tt.name, e.Host)
		}
	}
	write(t, config, []byte("PubkeyAuthentication no\nHostName 127.0.0.1\n"))
	_, err := (&remote.Dialer{ConfigFile: config}).Dial(ctx(t), remote.Target{Address: "db", Port: freePort(t)})
	wantError(t, err, remote.Auth, "PubkeyAuthentication no")
	write(t, config, []byte("KnownHostsCommand /bin/echo %H\nHostName 127.0.0.1\n"))
	_, err = (&remote.Dialer{ConfigFile: config}).Dial(ctx(t), remote.Target{Address: "db", Port: freePort(t)})
	if e := wantError(t, err, remote.HostKey, "KnownHostsCommand /bin/echo %H"); strings.Contains(e.Hint, ">>") {
		t.Errorf("hint %q", e.Hint)
	}
	write(t, config, []byte("HostKeyAlgorithms ssh-ed25519\nKexAlgorithms sntrup761x25519-sha512@openssh.com\n"))
	_, err = (&remote.Dialer{ConfigFile: config}).Dial(ctx(t), remote.Target{Address: "db"})
	wantError(t, err, remote.Config, "kexalgorithms", "sntrup761", "curve25519-sha256")
	write(t, config, []byte("BindInterface none-such\nHostName 127.0.0.1\n"))
	_, err = (&remote.Dialer{ConfigFile: config}).Dial(ctx(t), remote.Target{Address: "db"})
	wantError(t, err, remote.Unreachable, "BindInterface none-such")
}

// BenchmarkDial200 dials 200 simulated hosts, each with sshd of its own, with and
// without ssh_config; "more" is what the config costs, as a ratio in the same run.
func BenchmarkDial200(b *testing.B) {
	fleet := remotetest.NewFleet(remotetest.Options{})
	defer fleet.Close()
	const hosts = 200
	var blocks, matches, known strings.Builder
	dir := b.TempDir()
	key, knownHosts := filepath.Join(dir, "key"), filepath.Join(dir, "known")
	var targets []remote.Target
	for n := range hosts {
		h, err := fleet.Host(fmt.Sprintf("web-%d", n), remotetest.HostOptions{})
		if err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(&blocks, "Host web-%d\n HostName 127.0.0.1\n", n)
		fmt.Fprintf(&matches, "Match host web-%d\n HostName 127.0.0.1\n", n)
		fmt.Fprintf(&known, "[127.0.0.1]:%d %s\n", h.Port(), h.HostKey())
		targets = append(targets, remote.Target{Name: fmt.Sprintf("web-%d", n), Port: h.Port(), User: h.User(), IdentityFile: key, KnownHosts: knownHosts, ConnectTimeout: time.Minute})
	}
	write(b, key, fleet.ClientKeyPEM())
	write(b, knownHosts, []byte(known.String()))
	const one = " HostName 127.0.0.1\n"
	configs := map[string]string{
		"none": "", "debian": "Host *\n SendEnv LANG\n" + one, "exec": "Match exec true\n" + one,
		"block-each": blocks.String(), "match-each": matches.String(), "told-each": "Match exec \"test %n\"\n" + one,
	}
	took := make(map[string]time.Duration)
	for b.Loop() {
		for name, config := range configs {
			file := filepath.Join(dir, name)
			write(b, file, []byte(config))
			d := &remote.Dialer{ConfigFile: file, AgentSocket: "none"}
			start := time.Now()
			var wg sync.WaitGroup
			conns := make([]*remote.Conn, hosts)
			for n, target := range targets {
				target.Address = target.Name
				if config == "" {
					target.Address = "127.0.0.1"
				}
				wg.Go(func() {
					var err error
					if conns[n], err = d.Dial(context.Background(), target); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
			took[name] += time.Since(start)
			for _, c := range conns {
				if c != nil {
					_ = c.Close()
				}
			}
		}
	}
	for name := range configs {
		b.ReportMetric(float64(took[name])/float64(b.N)/1e6, name+"-ms")
		b.ReportMetric(float64(took[name])/float64(took["none"]), name+"-ratio")
	}
}
