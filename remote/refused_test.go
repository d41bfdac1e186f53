package remote_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"provision/remote"
)

// TestRefusedLogins asks real servers that take the key and then refuse, or want more.
func TestRefusedLogins(t *testing.T) {
	t.Parallel()
	const group16 = "KexAlgorithms diffie-hellman-group16-sha512"
	for _, tt := range []struct {
		name   string
		config []string
		kind   remote.Kind // 0: it works
		words  []string
		never  string
	}{
		{name: "password, too", config: []string{"AuthenticationMethods publickey,password", "PasswordAuthentication yes"}, kind: remote.Auth, words: []string{"accepted the key and wants a second factor (password)", "no terminal", "AuthenticationMethods publickey"}, never: "authorized_keys"},
		{name: "keyboard-interactive, too", config: []string{"AuthenticationMethods publickey,keyboard-interactive", "KbdInteractiveAuthentication yes", "UsePAM yes"}, kind: remote.Auth, words: []string{"second factor (keyboard-interactive)"}, never: "authorized_keys"},
		{name: "either, too", config: []string{"AuthenticationMethods publickey,keyboard-interactive publickey,password", "KbdInteractiveAuthentication yes", "PasswordAuthentication yes", "UsePAM yes"}, kind: remote.Auth, words: []string{"(keyboard-interactive or password)"}},
		{name: "two keys", config: []string{"AuthenticationMethods publickey,publickey"}, kind: remote.Auth, words: []string{"accepted the key and wants publickey, too", "AuthenticationMethods"}},
		{name: "password alone", config: []string{"PubkeyAuthentication no", "PasswordAuthentication yes"}, kind: remote.Auth, words: []string{"takes no key here, it wants password"}},
		{name: "no root", config: []string{"PermitRootLogin no"}, kind: remote.Auth, words: []string{"accepted the key in ", "then refused the login of root", "PermitRootLogin"}, never: "add one of the keys"},
		{name: "denied user", config: []string{"DenyUsers " + login(t)}, kind: remote.Auth, words: []string{"no key was accepted, 1 offered", "DenyUsers"}},
		{name: "group16", config: []string{group16}},
		{name: "group exchange", config: []string{"KexAlgorithms diffie-hellman-group-exchange-sha256"}},
		{name: "hardened", config: []string{group16, "Ciphers aes256-ctr", "MACs hmac-sha2-512-etm@openssh.com"}},
		{name: "no key exchange", config: []string{"KexAlgorithms sntrup761x25519-sha512@openssh.com"}, kind: remote.Unreachable, words: []string{"no common key exchange: the server has sntrup761x25519-sha512@openssh.com", "provision has: mlkem768", "KexAlgorithms in sshd_config"}, never: "ext-info"},
		{name: "no MAC", config: []string{"Ciphers aes128-ctr", "MACs umac-64@openssh.com"}, kind: remote.Unreachable, words: []string{"no common MAC: the server has umac-64@openssh.com", "MACs in sshd_config"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(strings.Join(tt.config, " "), "PAM") && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			s := startSSHD(t, tt.config...)
			target := s.target()
			if tt.name == "no root" && login(t) != "root" {
				t.Skip("needs root")
			}
			c, err := s.dialer(t).Dial(ctx(t), target)
			if tt.kind == 0 {
				if err != nil {
					t.Fatal(full(err))
				}
				defer c.Close()
				if res, err := c.Run(ctx(t), remote.Command{Script: "echo hi"}); err != nil || string(res.Stdout) != "hi\n" {
					t.Errorf("%q, %s", res.Stdout, full(err))
				}
				return
			}
			wantError(t, err, tt.kind, tt.words...)
			if tt.never != "" && strings.Contains(full(err), tt.never) {
				t.Errorf("%q is said in: %s", tt.never, full(err))
			}
		})
	}
}

// TestForcedCommandsOnly: the login succeeds, and the server ends it, before or when the first command is sent. Nothing was run,
// which is known.
func TestForcedCommandsOnly(t *testing.T) {
	t.Parallel()
	if login(t) != "root" {
		t.Skip("needs root")
	}
	for _, ended := range []bool{false, true} {
		s := startSSHD(t, "PermitRootLogin forced-commands-only")
		c := dial(t, s.dialer(t), s.target())
		if ended {
			select {
			case <-remote.Gone(c):
			case <-ctx(t).Done():
				t.Fatal("the server does not end the connection")
			}
		}
		_, err := c.Run(ctx(t), remote.Command{Script: "echo hi", Root: true})
		wantError(t, err, remote.Privilege, "nothing was run", "PermitRootLogin forced-commands-only")
	}
}

// TestRSA: SHA-512 first, then SHA-256, never SHA-1; from files, agents and certificates.
func TestRSA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key, certified := filepath.Join(dir, "id_rsa"), filepath.Join(dir, "certified")
	for _, path := range []string{key, certified} {
		write(t, path, pem.EncodeToMemory(block))
		write(t, path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()))
	}
	ca := filepath.Join(dir, "ca")
	writeKey(t, ca, "")
	if out, err := exec.Command("ssh-keygen", "-q", "-s", ca, "-I", "x", "-n", login(t), certified+".pub").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	held := startAgent(t, key)
	for _, algorithm := range []string{"rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"} {
		s := startSSHD(t, "PubkeyAcceptedAlgorithms "+algorithm)
		allow(t, s, signer.PublicKey())
		byCA := startSSHD(t, "PubkeyAcceptedAlgorithms "+algorithm+"-cert-v01@openssh.com", "CASignatureAlgorithms +"+algorithm, "TrustedUserCAKeys "+ca+".pub", "LogLevel DEBUG2")
		allow(t, byCA)
		for _, tt := range []struct {
			name, identity, agent string
			s                     *sshd
		}{{"file", key, "none", s}, {"agent", "", held, s}, {"certificate", certified, "none", byCA}} {
			t.Run(algorithm+"/"+tt.name, func(t *testing.T) {
				if tt.name == "certificate" && algorithm == "ssh-rsa" {
					t.Skip("the type of the certificate is ssh-rsa-cert, whatever signs")
				}
				d, target := tt.s.dialer(t), tt.s.target()
				d.AgentSocket, target.IdentityFile = tt.agent, tt.identity
				c, err := d.Dial(ctx(t), target)
				if algorithm == "ssh-rsa" {
					wantError(t, err, remote.Auth, "SHA-1", "no key was accepted")
					return
				}
				if err != nil {
					t.Fatal(full(err))
				}
				_ = c.Close()
			})
		}
	}
}

// TestForbiddenForwarding: a jump host that lets nobody through is named, with its options.
func TestForbiddenForwarding(t *testing.T) {
	t.Parallel()
	last := startSSHD(t)
	public := publicOf(t, last.key)
	for _, tt := range []struct {
		name, config, key string
		words             []string
	}{
		{name: "AllowTcpForwarding", config: "AllowTcpForwarding no", words: []string{"forbids forwarding to 127.0.0.1:", "AllowTcpForwarding yes"}},
		{name: "DisableForwarding", config: "DisableForwarding yes", words: []string{"DisableForwarding"}},
		{name: "PermitOpen", config: "PermitOpen 192.0.2.1:22", words: []string{fmt.Sprintf("127.0.0.1:%d in PermitOpen", last.port)}},
		{name: "authorized_keys", config: "X11Forwarding no", key: "restrict,command=\"true\" ", words: []string{"no-port-forwarding"}},
		{name: "unreachable from there", config: "X11Forwarding no", words: []string{"cannot reach 127.0.0.1:", "refused", "as seen from 127.0.0.1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			jump := startSSHD(t, tt.config)
			write(t, filepath.Join(jump.dir, "authorized_keys"), append([]byte(tt.key), ssh.MarshalAuthorizedKey(public)...))
			known, err := os.ReadFile(jump.known)
			if err != nil {
				t.Fatal(err)
			}
			more, err := os.ReadFile(last.known)
			if err != nil {
				t.Fatal(err)
			}
			target := last.target()
			target.KnownHosts = filepath.Join(t.TempDir(), "known_hosts")
			write(t, target.KnownHosts, append(known, more...))
			target.Jump = fmt.Sprintf("127.0.0.1:%d", jump.port)
			if strings.HasPrefix(tt.name, "unreachable") {
				target.Port = freePort(t)
			}
			_, err = last.dialer(t).Dial(ctx(t), target)
			wantError(t, err, remote.Unreachable, append(tt.words, fmt.Sprintf("the jump host 127.0.0.1:%d", jump.port))...)
			if strings.Contains(full(err), "check address, port and firewall\n") {
				t.Errorf("blames the way: %s", full(err))
			}
		})
	}
}
