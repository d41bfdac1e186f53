package remote

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// DialTCP connects to host:port from the machine at the other end, which resolves the name. It opens a channel of the connection and runs nothing.
// A deadline ends the returned connection when it passes. The error is of kind Busy where the server forwards nothing for this user
// (AllowTcpForwarding), and Failed where the machine does not reach the address.
func (c *Conn) DialTCP(ctx context.Context, address string) (net.Conn, error) {
	op := "connect to " + address
	if c.isGone() {
		return nil, c.unheard(op, nil)
	}
	conn, err := c.last.client.DialContext(ctx, "tcp", address)
	if err == nil {
		c.channels.Add(1)
		return &forwarded{Conn: conn}, nil
	}
	var refused *ssh.OpenChannelError
	switch {
	case ctx.Err() != nil:
		return nil, c.abandoned(ctx, op)
	case !errors.As(err, &refused) || c.isGone():
		return nil, c.unheard(op, err)
	case refused.Reason == ssh.ConnectionFailed:
		return nil, &Error{Host: c.hop.label, Op: op, Kind: Failed, Err: errors.New("the machine does not reach it"), Evidence: Sanitize(refused.Message)}
	}
	return nil, &Error{
		Host: c.hop.label, Op: op, Kind: Busy, Err: errors.New("the server forwards no connections for this user"), Evidence: Sanitize(refused.Message),
		Hint: "AllowTcpForwarding in sshd_config, or permitopen of the key in authorized_keys",
	}
}

// forwarded is a channel with deadlines, which the channel itself has not.
type forwarded struct {
	net.Conn
	mu    sync.Mutex
	timer *time.Timer
}

func (f *forwarded) SetDeadline(t time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
	if !t.IsZero() {
		f.timer = time.AfterFunc(time.Until(t), func() { _ = f.Conn.Close() })
	}
	return nil
}

func (f *forwarded) SetReadDeadline(t time.Time) error  { return f.SetDeadline(t) }
func (f *forwarded) SetWriteDeadline(t time.Time) error { return f.SetDeadline(t) }

func (f *forwarded) Close() error {
	_ = f.SetDeadline(time.Time{})
	return f.Conn.Close()
}
