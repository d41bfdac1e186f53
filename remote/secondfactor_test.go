package remote_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"provision/remote"
	"provision/remote/remotetest"
)

// factorHost is a simulated host that wants a second factor.
func factorHost(t *testing.T, f *remotetest.Fleet, name string, l remotetest.Login) remote.Target {
	t.Helper()
	h, err := f.Host(name, remotetest.HostOptions{Login: l})
	if err != nil {
		t.Fatal(err)
	}
	key := t.TempDir() + "/key"
	if err := os.WriteFile(key, f.ClientKeyPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return remote.Target{Name: name, Address: "127.0.0.1", Port: h.Port(), User: "root", IdentityFile: key, HostKey: h.HostKey(), ConnectTimeout: 20 * time.Second}
}

func newFleet(t *testing.T) *remotetest.Fleet {
	t.Helper()
	f := remotetest.NewFleet(remotetest.Options{})
	t.Cleanup(f.Close)
	return f
}

// answering is a prompt that answers what the test says and keeps the questions.
type answering struct {
	mu    sync.Mutex
	asked []string
	now   atomic.Int32
	reply func(question string) (string, error)
}

func (a *answering) prompt(_ context.Context, question string) (string, error) {
	if a.now.Add(1) != 1 {
		return "", errors.New("two questions at once")
	}
	defer a.now.Add(-1)
	a.mu.Lock()
	a.asked = append(a.asked, question)
	a.mu.Unlock()
	return a.reply(question)
}

func always(text string) *answering {
	return &answering{reply: func(string) (string, error) { return text, nil }}
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	code := func(ask func(string, ...string) ([]string, error)) bool {
		got, err := ask("", "Verification code: ")
		return err == nil && len(got) == 1 && got[0] == "123456"
	}
	for _, tt := range []struct {
		name   string
		login  remotetest.Login
		person *answering // nil: no terminal
		words  []string   // nil: it works
		asked  []string   // parts of the questions, in order
	}{
		{name: "password", login: remotetest.Login{Password: "open"}, person: always("open"), asked: []string{"password: the host wants the password of root, too"}},
		{name: "code", login: remotetest.Login{Challenge: code}, person: always("123456"), asked: []string{"code: the host asks root:\n  | Verification code:\ncode: answer: "}},
		{name: "several in a round, and rounds", login: remotetest.Login{Challenge: func(ask func(string, ...string) ([]string, error)) bool {
			one, err := ask("Please prove\nthat it is you", "Name: ", "Pet: ")
			if err != nil || !slices.Equal(one, []string{"Name", "Pet"}) {
				return false
			}
			if _, err := ask("thanks"); err != nil {
				return false
			}
			two, err := ask("", "Last: ")
			return err == nil && slices.Equal(two, []string{"Last"})
		}}, person: &answering{reply: func(q string) (string, error) {
			lines := strings.Split(q, "\n")
			return strings.Trim(lines[len(lines)-2], "| :"), nil
		}}, asked: []string{"| Please prove\n  | that it is you\n  | Name:", "  | Pet:\n", "  | Last:\n"}},
		{name: "wrong, then right", login: remotetest.Login{Password: "2"}, person: func() *answering {
			n := 0
			return &answering{reply: func(string) (string, error) { n++; return fmt.Sprint(n), nil }}
		}(), asked: []string{"the host wants", "that was refused; the host wants"}},
		{name: "always wrong", login: remotetest.Login{Challenge: code}, person: always("0"), asked: []string{"asks", "refused; the host asks", "refused; the host asks"}, words: []string{"accepted the key and wants a second factor (keyboard-interactive), and the answers were refused"}},
		{name: "either: the one, then the other", login: remotetest.Login{Challenge: func(func(string, ...string) ([]string, error)) bool { return false }, Password: "open"}, person: always("open"), asked: []string{"password"}},
		{name: "no terminal", login: remotetest.Login{Challenge: code}, words: []string{"wants a second factor (keyboard-interactive), and there is no terminal to ask on", "AuthenticationMethods publickey"}},
		{name: "a person who will not", login: remotetest.Login{Password: "x"}, person: &answering{reply: func(string) (string, error) { return "", errors.New("no thanks") }}, asked: []string{"wants"}, words: []string{"no thanks"}},
		{name: "hostile text", login: remotetest.Login{Challenge: func(ask func(string, ...string) ([]string, error)) bool {
			_, err := ask("\x1b]0;title\x07\u202egnp", strings.Repeat("x", 9000)+"\rroot@elsewhere password: ")
			return err == nil
		}}, person: always("x"), asked: []string{`  | \x1b]0;title\x07\u202egnp` + "\n  | xxx"}},
		{name: "too many questions", login: remotetest.Login{Challenge: func(ask func(string, ...string) ([]string, error)) bool {
			_, err := ask("", make([]string, 100)...)
			return err == nil
		}}, person: always("x"), words: []string{"asks too much"}},
		{name: "refused after the key", login: remotetest.Login{Refused: true, Banner: "Authorized use only"}, person: always("x"), words: []string{"accepted the key in ", "then refused the login of root", "PermitRootLogin", "Authorized use only"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := factorHost(t, f, strings.ReplaceAll(tt.name, " ", "-"), tt.login)
			if tt.name == "password" || tt.name == "code" {
				target.Name = tt.name
			}
			d := hermetic(t)
			if tt.person != nil {
				d.Prompt = tt.person.prompt
			}
			c, err := d.Dial(ctx(t), target)
			if tt.words != nil {
				wantError(t, err, remote.Auth, tt.words...)
			} else if err != nil {
				t.Fatal(full(err))
			} else {
				defer c.Close()
				if _, err := c.Run(ctx(t), remote.Command{Script: "true"}); err != nil {
					t.Error(full(err))
				}
			}
			var asked []string
			if tt.person != nil {
				asked = tt.person.asked
			}
			if len(asked) != len(tt.asked) {
				t.Fatalf("asked %q, want %q", asked, tt.asked)
			}
			for i, q := range asked {
				if !strings.Contains(q, tt.asked[i]) {
					t.Errorf("asked %q, want %q", q, tt.asked[i])
				}
				if len(q) > 3000 || strings.ContainsAny(q, "\x1b\r\a") || strings.Contains(q, "\u202e") {
					t.Errorf("not fit to be shown: %q", q)
				}
			}
		})
	}
}

// TestSecondFactorOfMany: hosts are asked one after the other, each with its name, jump hosts too; one
// whose turn comes late gets a fresh connection, for servers do not wait for ever.
func TestSecondFactorOfMany(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	var targets []remote.Target
	for _, name := range []string{"one", "two", "three", "four"} {
		targets = append(targets, factorHost(t, f, name, remotetest.Login{Password: "of " + name}))
	}
	person := &answering{reply: func(q string) (string, error) {
		time.Sleep(50 * time.Millisecond) // longer than a connection may wait for its turn here
		name, _, _ := strings.Cut(q, ":")
		return "of " + name, nil
	}}
	d := hermetic(t)
	d.Prompt = person.prompt
	remote.StaleTurn(d, 10*time.Millisecond)
	var wg sync.WaitGroup
	for _, target := range targets {
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
	if len(person.asked) != len(targets) {
		t.Errorf("asked %q, want one question a host", person.asked)
	}
}

func TestSecondFactorOfJumpHost(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	jump, last := factorHost(t, f, "jump", remotetest.Login{Password: "outer"}), factorHost(t, f, "last", remotetest.Login{Password: "inner"})
	known := t.TempDir() + "/known_hosts"
	write(t, known, []byte(f.KnownHosts()))
	last.KnownHosts, last.HostKey, last.Jump = known, "", fmt.Sprintf("root@127.0.0.1:%d", jump.Port)
	person := &answering{reply: func(q string) (string, error) {
		if strings.HasPrefix(q, "last (jump 127.0.0.1:") {
			return "outer", nil
		}
		return "inner", nil
	}}
	d := hermetic(t)
	d.Prompt = person.prompt
	conns := make([]*remote.Conn, 3)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			c, err := d.Dial(ctx(t), last)
			if err != nil {
				t.Error(full(err))
				return
			}
			conns[i] = c
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	count := func(part string) (n int) {
		for _, q := range person.asked {
			if strings.HasPrefix(q, part) {
				n++
			}
		}
		return n
	}
	if outer, inner := count("last (jump"), count("last:"); outer != 1 || inner != 3 {
		t.Errorf("asked %d times for the jump host that three connections go through, %d times for what is behind it: %q", outer, inner, person.asked)
	}
	// Whoever closes leaves the others theirs; after the last the way is made anew.
	for i, c := range conns {
		if _, err := c.Run(ctx(t), remote.Command{Script: "true"}); err != nil {
			t.Errorf("connection %d: %s", i, full(err))
		}
		_ = c.Close()
	}
	again := dial(t, d, last)
	if _, err := again.Run(ctx(t), remote.Command{Script: "true"}); err != nil {
		t.Error(full(err))
	}
	if count("last (jump") != 2 {
		t.Errorf("after all were closed: %q", person.asked)
	}
}

// TestSecondFactorInterrupted ends the question with the context, as Ctrl-C does.
func TestSecondFactorInterrupted(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	target := factorHost(t, f, "host", remotetest.Login{Password: "x"})
	c, cancel := context.WithCancel(ctx(t))
	d := hermetic(t)
	d.Prompt = func(ctx context.Context, _ string) (string, error) {
		cancel()
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	if _, err := d.Dial(c, target); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestSecondFactorOfPAM: a real sshd and real PAM, with keyboard-interactive and with a password.
func TestSecondFactorOfPAM(t *testing.T) {
	t.Parallel()
	s := startAccounts(t, map[string]account{
		"kbd": {password: "open sesame"}, "pw": {password: "open sesame"}, "gone": {password: "x", shadow: "19000:0:99999:7::18000:"},
	}, "Match User kbd", "AuthenticationMethods publickey,keyboard-interactive", "Match User pw", "AuthenticationMethods publickey,password", "Match User gone", "AuthenticationMethods publickey", "Match all")
	for _, tt := range []struct {
		user, answer string
		words        []string
		asked        int
	}{
		{user: "kbd", answer: "open sesame", asked: 1},
		{user: "pw", answer: "open sesame", asked: 1},
		{user: "kbd", answer: "wrong", asked: 3, words: []string{"the answers were refused"}},
		{user: "gone", words: []string{"then refused the login of gone", "chage -l gone", "account has expired"}},
	} {
		t.Run(tt.user+" "+tt.answer, func(t *testing.T) {
			t.Parallel()
			target := s.target()
			target.User = tt.user
			d, person := s.dialer(t), always(tt.answer)
			d.Prompt = person.prompt
			c, err := d.Dial(ctx(t), target)
			if tt.words != nil {
				wantError(t, err, remote.Auth, tt.words...)
			} else if err != nil {
				t.Fatal(full(err))
			} else {
				_ = c.Close()
			}
			if len(person.asked) != tt.asked {
				t.Errorf("asked %q", person.asked)
			}
		})
	}
}
