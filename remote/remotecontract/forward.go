package remotecontract

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"provision/remote"
)

// forwards connects from the host to a server that says everything twice.
func forwards(t *testing.T, c *remote.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				b := make([]byte, 5)
				if _, err := io.ReadFull(conn, b); err == nil {
					_, _ = conn.Write(append(b, b...))
				}
				_, _ = conn.Read(b)
			}()
		}
	}()
	conn, err := c.DialTCP(ctx(t), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b := make([]byte, 10)
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "hellohello" {
		t.Fatalf("%q, %v", b, err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(b); err == nil {
		t.Errorf("read %q after the deadline", b[:n])
	}
}

// forwardsNowhere: the host says that nobody listens there, and the connection goes on.
func forwardsNowhere(t *testing.T, c *remote.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, err = c.DialTCP(ctx(t), address)
	var e *remote.Error
	if !errors.As(err, &e) || e.Kind != remote.Failed {
		t.Errorf("%v", err)
	}
	if _, err := c.Run(ctx(t), remote.Command{Script: "true"}); err != nil {
		t.Error(err)
	}
}
