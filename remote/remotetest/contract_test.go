package remotetest_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"provision/remote"
	"provision/remote/remotecontract"
	"provision/remote/remotetest"
)

// dialer logs in to simulated hosts with nothing of this machine's own configuration.
func dialer(t testing.TB, f *remotetest.Fleet) (*remote.Dialer, func(*remotetest.Host) remote.Target) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	key := write("id", string(f.ClientKeyPEM()))
	d := &remote.Dialer{ConfigFile: write("config", ""), Home: dir, AgentSocket: "none"}
	return d, func(h *remotetest.Host) remote.Target {
		return remote.Target{
			Name: h.Name(), Address: "127.0.0.1", Port: h.Port(), User: h.User(), IdentityFile: key,
			KnownHosts: write("known_hosts", f.KnownHosts()),
		}
	}
}

// TestChannelsAtOnce asks for many things at once over one connection: sshd allows ten, others may want some.
func TestChannelsAtOnce(t *testing.T) {
	t.Parallel()
	f := remotetest.NewFleet(remotetest.Options{Speed: 1})
	t.Cleanup(f.Close)
	h, err := f.Host("web-1", remotetest.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d, target := dialer(t, f)
	c, err := d.Dial(t.Context(), target(h))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := c.Run(t.Context(), remote.Command{Script: "sleep 0.2"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := h.Counts().AtOnce; n != 8 {
		t.Errorf("%d channels at once, want 8", n)
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	password := func(context.Context) (string, error) { return "correct horse", nil }
	for name, o := range map[string]remotetest.HostOptions{
		"root":                   {},
		"sudo":                   {User: "ops"},
		"sudo with a password":   {User: "ops", Privilege: remotetest.SudoPassword, Password: "correct horse"},
		"without sftp":           {User: "ops", NoSFTP: true},
		"noise and a fish":       {User: "ops", LoginShell: "/usr/bin/fish", Noise: "\x1b]0;title\x07Welcome!\nlast login: today\n"},
		"csh, password, no sftp": {User: "ops", LoginShell: "/bin/csh", Privilege: remotetest.SudoPassword, Password: "correct horse", NoSFTP: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := remotetest.NewFleet(remotetest.Options{Speed: 1})
			t.Cleanup(f.Close)
			h, err := f.Host("web-1", o)
			if err != nil {
				t.Fatal(err)
			}
			remotecontract.Run(t, func(t *testing.T) (*remote.Dialer, remote.Target) {
				d, target := dialer(t, f)
				tg := target(h)
				if o.Privilege == remotetest.SudoPassword {
					tg.SudoPassword = password
				}
				return d, tg
			})
			for _, u := range h.Unknown() {
				if u != "command not simulated: no-such-command-here" {
					t.Errorf("not simulated: %s", u)
				}
			}
		})
	}
}
