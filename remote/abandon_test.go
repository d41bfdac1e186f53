package remote_test

import (
	"context"
	"os"
	"testing"
	"time"

	"provision/remote"
	"provision/remote/remotetest"
)

// TestAbandonedChannels gives up while the answer to the opening of a channel is still on its way,
// more often than a connection has channels: none of them may be lost.
func TestAbandonedChannels(t *testing.T) {
	t.Parallel()
	fleet := remotetest.NewFleet(remotetest.Options{})
	defer fleet.Close()
	h, err := fleet.Host("far", remotetest.HostOptions{Latency: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
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
	for range 20 {
		given, up := context.WithCancel(ctx(t))
		up()
		if _, err := c.Run(given, remote.Command{Script: "echo ran"}); err == nil {
			t.Error("an operation that was given up succeeded")
		}
	}
	for range 10 {
		if res, err := c.Run(ctx(t), remote.Command{Script: "echo fine"}); err != nil || string(res.Stdout) != "fine\n" {
			t.Fatalf("%q %v", res.Stdout, err)
		}
	}
}
