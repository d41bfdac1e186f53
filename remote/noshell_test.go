package remote_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"provision/remote"
)

// TestLoginScripts logs in to accounts of a real sshd, whose real shells run login scripts of every
// kind. Whoever reads instead of our shell, nothing of the script is run.
func TestLoginScripts(t *testing.T) {
	t.Parallel()
	scripts := func(text string) account { return account{scripts: map[string]string{".bashrc": text}} }
	cases := map[string]struct {
		account
		words []string // nil: it works
		needs string
	}{
		"plain":    {account: scripts("")},
		"noise":    {account: scripts("echo hello; echo world >&2; printf '\\033[31m'\n")},
		"late":     {account: scripts("sleep 1\n")},
		"zsh":      {scripts("exec zsh\n"), []string{"starts another shell", "nothing was run", "[ -t 0 ] || return 0"}, "zsh"},
		"zshl":     {scripts("exec zsh -l\n"), []string{"starts another shell"}, "zsh"},
		"fish":     {scripts("exec fish\n"), []string{"within 2s", "starts another program"}, "fish"}, // waits for the end of its input
		"waits":    {scripts("cat >/dev/null\n"), []string{"within 2s", "a login script waits for something, reads"}, ""},
		"bash":     {scripts("exec bash -l\n"), []string{"starts another shell"}, ""},
		"tmux":     {scripts("exec tmux\n"), []string{"does not run commands", "start another program"}, "tmux"},
		"reads":    {scripts("read -r x\n"), []string{"reads what is meant for our shell", "must not ask, read"}, ""},
		"reads3":   {scripts("read -r x; read -r y; read -r z\n"), []string{"nothing was run"}, ""},
		"ends":     {scripts("exit 1\n"), []string{"does not run commands (exit status 1)", "exit"}, ""},
		"ends0":    {scripts("exit 0\n"), []string{"does not run commands (exit status 0)"}, ""},
		"nosuch":   {scripts("exec nosuch\n"), []string{"does not run commands (exit status 127)", "nosuch"}, ""},
		"nologin":  {account{shell: "/usr/sbin/nologin"}, []string{"does not run commands", "chsh -s /bin/sh"}, ""},
		"false":    {account{shell: "/bin/false"}, []string{"does not run commands (exit status 1)", "chsh"}, ""},
		"cloud":    {scripts("echo 'Please login as the user \"debian\" rather than the user \"root\".'; exit 142\n"), []string{"wants the user debian", `user = "debian"`}, ""},
		"amazon":   {scripts("echo 'Please login as the ec2-user user rather than root user.'; exit 1\n"), []string{`user = "ec2-user"`}, ""},
		"expired":  {account{password: "x", shadow: "1:0:10:7:::"}, []string{"the password of expired has expired", " expired@127.0.0.1"}, ""},
		"tcsh":     {account: account{shell: "/bin/csh"}, needs: "csh"},
		"fishuser": {account: account{shell: "/usr/bin/fish"}, needs: "fish"},
		"zshuser":  {account: account{shell: "/usr/bin/zsh"}, needs: "zsh"},
		"zshenv":   {account{shell: "/usr/bin/zsh", scripts: map[string]string{".zshenv": "exec bash\n"}}, []string{"starts another shell"}, "zsh"},
	}
	accounts := map[string]account{}
	for name, c := range cases {
		accounts[name] = c.account
	}
	s := startAccounts(t, accounts, "MaxStartups 100", "AuthenticationMethods publickey")
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.needs != "" {
				if _, err := exec.LookPath(tt.needs); err != nil {
					t.Skipf("needs %s", tt.needs)
				}
			}
			target := s.target()
			target.User = name
			d := s.dialer(t)
			if strings.Contains(strings.Join(tt.words, " "), "within 2s") {
				remote.StartPeriod(d, 2*time.Second)
			}
			c := dial(t, d, target)
			witness := filepath.Join(s.dir, "home-"+name, "ran")
			script := "echo 'one\ntwo'\n: >" + witness + "\necho \"it's\" done"
			for _, root := range []bool{false, true} {
				if root && (tt.words == nil || strings.HasPrefix(name, "reads")) {
					continue // sudo would be reached, and there may be none here
				}
				res, err := c.Run(ctx(t), remote.Command{Script: script, Root: root})
				if tt.words == nil {
					if err != nil || string(res.Stdout) != "one\ntwo\nit's done\n" {
						t.Errorf("%q, %s", res.Stdout, full(err))
					}
					continue
				}
				e := wantError(t, err, remote.Privilege, tt.words...)
				if strings.Contains(full(e), "sudo") {
					t.Errorf("sudo was not reached, and is blamed: %s", full(e))
				}
				_, err = c.Shell(ctx(t), remote.ShellOptions{Root: root, Start: ": >" + witness + "; exec sh"})
				wantError(t, err, remote.Privilege, tt.words...)
				if _, err := os.Stat(witness); err == nil {
					t.Error("something of the script was run")
				}
			}
		})
	}
}

// TestForcedCommand: a key that is bound to another command runs nothing of ours, and says so.
func TestForcedCommand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, command, word string }{
		{"one that fails", "echo backup only; exit 3", "(exit status 3)"},
		{"one that succeeds", "echo done", "(exit status 0)"},
		{"one that reads", "cat >/dev/null & exit 0", "(exit status 0)"},
		{"one that echoes", "head -n 3; exit 5", "(exit status 5)"},
		{"file transfer", "internal-sftp", "does not run commands"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startSSHD(t, "ForceCommand "+tt.command)
			c := dial(t, s.dialer(t), s.target())
			witness := filepath.Join(s.dir, "ran")
			_, err := c.Run(ctx(t), remote.Command{Script: ": >" + witness})
			wantError(t, err, remote.Privilege, tt.word, "command= in authorized_keys", "ForceCommand")
			if _, err := os.Stat(witness); err == nil {
				t.Error("it was run")
			}
		})
	}
}
