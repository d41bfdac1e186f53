package remote_test

import (
	"os"
	"testing"

	"provision/remote"
	"provision/remote/remotetest"
)

// TestFlood has programs that never stop to print: each is given up, and the connection stays good.
func TestFlood(t *testing.T) {
	t.Parallel()
	fleet := remotetest.NewFleet(remotetest.Options{})
	defer fleet.Close()
	h, err := fleet.Host("chatty", remotetest.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for i := range block {
		block[i] = "chatter\n"[i%8]
	}
	h.Replace("uname", func(c remotetest.Call) int {
		for {
			if _, err := c.Stdout.Write(block); err != nil {
				return 1
			}
		}
	})
	key := t.TempDir() + "/key"
	if err := os.WriteFile(key, fleet.ClientKeyPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &remote.Dialer{ConfigFile: os.DevNull, AgentSocket: "none"}
	c, err := d.Dial(ctx(t), remote.Target{Address: "127.0.0.1", Port: h.Port(), User: "root", IdentityFile: key, HostKey: h.HostKey()})
	if err != nil {
		t.Fatal(full(err))
	}
	defer c.Close()
	_, err = c.Run(ctx(t), remote.Command{Script: "uname"})
	wantError(t, err, remote.Failed, "more than 8388608 bytes")
	_, err = c.Run(ctx(t), remote.Command{Script: "uname >&2"})
	wantError(t, err, remote.Lost, "given up after 16 MiB")
	for name, script := range map[string]string{"stdout": "uname", "stderr": "uname >&2"} {
		sh, err := c.Shell(ctx(t), remote.ShellOptions{})
		if err != nil {
			t.Fatal(full(err))
		}
		lines := 0
		_, err = sh.Run(ctx(t), script, func(string) { lines++ })
		wantError(t, err, remote.Lost, "given up after 16 MiB", "may still be running")
		if lines < 1000 {
			t.Errorf("%s: %d lines were shown", name, lines)
		}
		if _, err := sh.Run(ctx(t), "echo more", nil); err == nil {
			t.Errorf("%s: the shell goes on", name)
		}
		_ = sh.Close()
	}
	if res, err := c.Run(ctx(t), remote.Command{Script: "echo fine"}); err != nil || string(res.Stdout) != "fine\n" {
		t.Errorf("%q %v", res.Stdout, err)
	}
}
