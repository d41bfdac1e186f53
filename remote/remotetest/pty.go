package remotetest

import (
	"encoding/binary"
	"io"

	gossh "golang.org/x/crypto/ssh"

	"provision/remote/remotetest/unix"
)

// askedTTY is what a pty-req asks for, nil if that cannot be read. Modes have numbers there (RFC 4254, 8).
func askedTTY(out io.Writer, payload []byte) *unix.TTY {
	var asked struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}
	if gossh.Unmarshal(payload, &asked) != nil {
		return nil
	}
	t := unix.NewTTY(out, asked.Term, asked.Columns, asked.Rows)
	names := map[byte]string{36: "icrnl", 50: "isig", 51: "icanon", 53: "echo", 70: "opost", 72: "onlcr"}
	for m := asked.Modes; len(m) >= 5 && m[0] != 0; m = m[5:] {
		if name, ok := names[m[0]]; ok {
			t.SetMode(name, binary.BigEndian.Uint32([]byte(m[1:5])) != 0)
		}
	}
	return t
}

// ttyChannel is a channel that may have a terminal. The SSH library knows of terminals, but not of their modes.
type ttyChannel struct {
	gossh.Channel
	tty *unix.TTY
}

// Stderr shows to who has the session of the channel whether there is a terminal.
func (c *ttyChannel) Stderr() io.ReadWriter { return ttyStderr{c.Channel.Stderr(), c} }

type ttyStderr struct {
	io.ReadWriter
	channel *ttyChannel
}

type newTTYChannel struct{ gossh.NewChannel }

// Accept takes the requests that are about terminals.
func (n newTTYChannel) Accept() (gossh.Channel, <-chan *gossh.Request, error) {
	ch, reqs, err := n.NewChannel.Accept()
	if err != nil {
		return ch, reqs, err
	}
	c := &ttyChannel{Channel: ch}
	others := make(chan *gossh.Request)
	go func() {
		defer func() {
			if close(others); c.tty != nil {
				c.tty.HangUp()
			}
		}()
		for r := range reqs {
			switch r.Type {
			case "pty-req":
				if c.tty == nil {
					c.tty = askedTTY(ch, r.Payload)
				}
				_ = r.Reply(c.tty != nil, nil)
			case "window-change":
				if t := c.tty; t != nil && len(r.Payload) >= 8 {
					t.Resize(binary.BigEndian.Uint32(r.Payload), binary.BigEndian.Uint32(r.Payload[4:]))
				}
			default:
				others <- r
			}
		}
	}()
	return c, others, nil
}
