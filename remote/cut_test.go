package remote_test

import (
	"errors"
	"os"
	"testing"

	"provision/remote"
	"provision/remote/remotetest"
)

// TestCutHandshake ends the connection at many bytes of the handshake. That says nothing about the
// key that was offered, nor about the host's own.
func TestCutHandshake(t *testing.T) {
	t.Parallel()
	fleet := remotetest.NewFleet(remotetest.Options{})
	defer fleet.Close()
	h, err := fleet.Host("far", remotetest.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	key := t.TempDir() + "/key"
	if err := os.WriteFile(key, fleet.ClientKeyPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &remote.Dialer{ConfigFile: os.DevNull, AgentSocket: "none"}
	target := remote.Target{Address: "127.0.0.1", Port: h.Port(), User: "root", IdentityFile: key, HostKey: h.HostKey()}
	cut := 0
	for at := int64(1); at < 8000; at += 101 {
		h.CutAfter(at)
		c, err := d.Dial(ctx(t), target)
		var re *remote.Error
		switch {
		case err == nil:
			_ = c.Close()
		case errors.As(err, &re) && re.Kind == remote.Unreachable:
			cut++
		default:
			t.Errorf("cut at byte %d: %s", at, full(err))
		}
	}
	if cut == 0 {
		t.Error("no handshake was cut")
	}
}
