package remote_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// account is one that exists for a sshd of the tests alone.
type account struct {
	password string            // its hash is in shadow; "": none
	shadow   string            // what follows the hash; "": valid for ever
	shell    string            // default /bin/bash
	scripts  map[string]string // files in its home, as .bashrc
	sudo     string            // "ALL" or "NOPASSWD: ALL"; "": sudo refuses it
	defaults string            // of sudo for this account
}

// startAccounts starts a real sshd with PAM that knows these accounts and none of the machine's but
// root: passwd, shadow and /etc/pam.d are mounted over the machine's in a name space of its own.
func startAccounts(t *testing.T, accounts map[string]account, config ...string) *sshd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts in a name space of its own")
	}
	for _, p := range []string{"unshare", "openssl", "bash"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs %s", p)
		}
	}
	dir := t.TempDir()
	for d := dir; d != "/"; d = filepath.Dir(d) { // other users pass through
		if st, err := os.Stat(d); err == nil && st.Mode().Perm()&0o011 != 0o011 {
			if err := os.Chmod(d, st.Mode().Perm()|0o055); err != nil {
				t.Fatal(err)
			}
		}
	}
	passwd := "root:x:0:0:root:/root:/bin/bash\nsshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n"
	shadow := "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n"
	sudoers := "Defaults lecture=always\nroot ALL=(ALL:ALL) ALL\n"
	n := 0
	for name, a := range accounts {
		n++
		uid := 2000 + n
		home := filepath.Join(dir, "home-"+name)
		for file, text := range a.scripts {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(home, file)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.MkdirAll(home, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(home, uid, uid); err != nil {
			t.Fatal(err)
		}
		shell, hash, rest := a.shell, "*", a.shadow
		if shell == "" {
			shell = "/bin/bash"
		}
		if rest == "" {
			rest = "19000:0:99999:7:::"
		}
		if a.password != "" {
			out, err := exec.Command("openssl", "passwd", "-6", a.password).Output()
			if err != nil {
				t.Fatal(err)
			}
			hash = strings.TrimSpace(string(out))
		}
		if a.sudo != "" {
			sudoers += fmt.Sprintf("%s ALL=(ALL) %s\n", name, a.sudo)
		}
		if a.defaults != "" {
			sudoers += fmt.Sprintf("Defaults:%s %s\n", name, a.defaults)
		}
		passwd += fmt.Sprintf("%s:x:%d:%d::%s:%s\n", name, uid, uid, home, shell)
		shadow += fmt.Sprintf("%s:%s:%s\n", name, hash, rest)
	}
	pam := filepath.Join(dir, "pam.d")
	if err := os.Mkdir(pam, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(pam, "sshd"), []byte("auth required pam_unix.so\naccount requisite pam_nologin.so file="+filepath.Join(dir, "nologin")+"\naccount required pam_unix.so\nsession required pam_permit.so\npassword required pam_unix.so\n"))
	write(t, filepath.Join(pam, "sudo"), []byte("auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n"))
	write(t, filepath.Join(dir, "sudoers"), []byte(sudoers))
	write(t, filepath.Join(dir, "passwd"), []byte(passwd))
	if err := os.Chmod(filepath.Join(dir, "passwd"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "shadow"), []byte(shadow))

	s := &sshd{dir: dir, log: &lockedBuffer{}}
	s.key = filepath.Join(dir, "id_ed25519")
	public := writeKey(t, s.key, "")
	s.hostKey = writeKey(t, filepath.Join(dir, "host_ed25519"), "")
	write(t, filepath.Join(dir, "authorized_keys"), ssh.MarshalAuthorizedKey(public))
	if err := os.Chmod(filepath.Join(dir, "authorized_keys"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	s.port = freePort(t)
	s.known = filepath.Join(dir, "known_hosts")
	write(t, s.known, []byte(fmt.Sprintf("[127.0.0.1]:%d %s", s.port, ssh.MarshalAuthorizedKey(s.hostKey))))
	lines := append(append([]string{}, config...),
		"ListenAddress 127.0.0.1:"+strconv.Itoa(s.port), "PidFile none", "UsePAM yes", "StrictModes no",
		"AuthorizedKeysFile "+filepath.Join(dir, "authorized_keys"), "PermitRootLogin yes", "LogLevel DEBUG1",
		"SetEnv SHLVL=0", // so that bash reads ~/.bashrc
		"Subsystem sftp internal-sftp", "HostKey "+filepath.Join(dir, "host_ed25519"))
	write(t, filepath.Join(dir, "sshd_config"), []byte(strings.Join(lines, "\n")+"\n"))
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "/bin/sh", "-c",
		`mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/shadow" /etc/shadow && mount --bind "$1/pam.d" /etc/pam.d && { [ ! -e /etc/sudoers ] || mount --bind "$1/sudoers" /etc/sudoers; } && exec /usr/sbin/sshd -D -e -f "$1/sshd_config"`, "-", dir)
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
	for deadline := time.Now().Add(time.Minute); !strings.Contains(s.log.String(), "Server listening"); time.Sleep(10 * time.Millisecond) {
		select {
		case <-ended:
			if strings.Contains(s.log.String(), "Operation not permitted") || strings.Contains(s.log.String(), "unshare failed") {
				t.Skipf("no mounts here: %s", s.log)
			}
			t.Fatalf("sshd does not start:\n%s", s.log)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("sshd does not listen:\n%s", s.log)
		}
	}
	return s
}
