package remote_test

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"

	"provision/remote"
	"provision/remote/remotecontract"
)

// TestRealSudo becomes root by a real sudo with rules of its own, and is told apart from what a login
// script does before it.
func TestRealSudo(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sudo"); err != nil {
		t.Skip("needs sudo")
	}
	const free = "NOPASSWD: ALL"
	s := startAccounts(t, map[string]account{
		"free": {sudo: free}, "asked": {password: "it's right", sudo: "ALL", defaults: "use_pty"}, "none": {password: "x"}, "tty": {sudo: free, defaults: "requiretty"},
		"reads": {sudo: free, scripts: map[string]string{".bashrc": "read -r x\n"}}, "ends": {sudo: free, scripts: map[string]string{".bashrc": "exit 1\n"}},
		"becomes": {sudo: free, scripts: map[string]string{".bashrc": "exec bash\n"}}, "noisy": {password: "it's right", sudo: "ALL", scripts: map[string]string{".bashrc": "echo hello; echo world >&2\n"}},
	}, "AuthenticationMethods publickey", "MaxStartups 100")
	right := func(context.Context) (string, error) { return "it's right", nil }
	wrong := func(context.Context) (string, error) { return "wrong", nil }
	for _, tt := range []struct {
		name, user string
		password   func(context.Context) (string, error)
		words      []string // nil: it works
	}{
		{name: "free", user: "free"},
		{name: "free, with a password", user: "free", password: right},
		{name: "asked", user: "asked", password: right},
		{name: "asked behind noise", user: "noisy", password: right},
		{name: "asked, none given", user: "asked", words: []string{"sudo wants a password"}},
		{name: "asked, wrong", user: "asked", password: wrong, words: []string{"sudo refused the password"}},
		{name: "no rule", user: "none", words: []string{"sudo"}},
		{name: "requiretty", user: "tty", words: []string{"requiretty"}},
		{name: "read by a login script", user: "reads", words: []string{"reads what is meant for our shell"}},
		{name: "ended by a login script", user: "ends", words: []string{"the login shell of ends does not run commands (exit status 1)"}},
		{name: "become another shell", user: "becomes", words: []string{"starts another shell"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := s.target()
			target.User, target.SudoPassword = tt.user, tt.password
			c := dial(t, s.dialer(t), target)
			res, err := c.Run(ctx(t), remote.Command{Script: "id -u; cat", Root: true})
			if tt.words != nil {
				wantError(t, err, remote.Privilege, tt.words...)
				return
			}
			if err != nil || string(res.Stdout) != "0\n" {
				t.Fatalf("%q, %s", res.Stdout, full(err))
			}
			sh, err := c.Shell(ctx(t), remote.ShellOptions{Root: true, Start: "exec sh"})
			if err != nil {
				t.Fatal(full(err))
			}
			if out, err := sh.Run(ctx(t), "id -u", nil); err != nil || string(out) != "0\n" {
				t.Errorf("%q, %s", out, full(err))
			}
			_ = sh.Close()
			var out bytes.Buffer
			err = c.Stream(ctx(t), remote.Stream{Script: "id -u; cat", Root: true, Stdin: strings.NewReader("it's right\nexit 87\n"), Stdout: &out})
			if err != nil || out.String() != "0\nit's right\nexit 87\n" {
				t.Errorf("stream: %q, %s", out.String(), full(err))
			}
			out.Reset()
			err = c.Terminal(ctx(t), remote.Terminal{Script: `id -u; stty size; read -r x; echo "got $x"`, Root: true, Stdin: strings.NewReader("it's right\r"), Stdout: &out})
			if got := out.String(); err != nil || !strings.Contains(got, "24 80\r\n") || !strings.HasSuffix(got, "got it's right\r\n") {
				t.Errorf("terminal: %q, %s", got, full(err))
			}
		})
	}
}

// TestContractWithRealSudo holds a real sshd and a real sudo to the contract, for users who become root
// without a password and with one, and where sudo gives no terminal of its own.
func TestContractWithRealSudo(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sudo"); err != nil {
		t.Skip("needs sudo")
	}
	s := startAccounts(t, map[string]account{"freely": {sudo: "NOPASSWD: ALL"}, "byword": {password: "it's right", sudo: "ALL"}, "directly": {password: "it's right", sudo: "ALL", defaults: "!use_pty"}}, "AuthenticationMethods publickey", "MaxStartups 100")
	right := func(context.Context) (string, error) { return "it's right", nil }
	for user, password := range map[string]func(context.Context) (string, error){
		"freely": nil, "byword": right, "directly": right,
	} {
		t.Run(user, func(t *testing.T) {
			remotecontract.Run(t, func(t *testing.T) (*remote.Dialer, remote.Target) {
				target := s.target()
				target.User, target.SudoPassword = user, password
				return s.dialer(t), target
			})
		})
	}
}
