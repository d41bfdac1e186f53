package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// Dial connects to t through its jump hosts, with one connection each. ctx bounds
// the dialing, not the life of the connection. Nothing is left behind on error.
func (d *Dialer) Dial(ctx context.Context, t Target) (*Conn, error) {
	name := t.Name
	if name == "" {
		name = t.Address
	}
	hops, err := d.route(ctx, t)
	if err != nil {
		return nil, routeError(name, err)
	}

	start := time.Now()
	var way []*link
	closeAll := func() {
		for _, l := range slices.Backward(way) {
			l.close()
		}
	}
	for i, h := range hops {
		key := ""
		if i < len(hops)-1 {
			if key = wayTo(h, hops[:i]); d.sharedLink(key, &way) {
				continue
			}
		}
		done := d.observe(Op{Host: h.label, Name: OpDial})
		var via *ssh.Client
		if i > 0 {
			via = way[i-1].client
		}
		l, err := d.connect(ctx, via, h, hops[:i], key)
		done(err)
		if err != nil {
			closeAll()
			return nil, err
		}
		way = append(way, l)
	}
	return newConn(d, t, hops[len(hops)-1], way, time.Since(start)), nil
}

// link is one established SSH connection and the bytes below it.
type link struct {
	client *ssh.Client
	wire   *wire

	release func() // closes it for one of those who share it; nil: nobody does
}

// handshake is what is known while a connection comes about; it tells how far it
// got when it fails.
type handshake struct {
	hop     *hop
	before  []*hop
	wire    *wire
	keys    *keyring
	key     string // of a jump host, by which its connection is shared
	trusted bool   // the host key was verified: from here on it is authentication
	refused *Error // by our own check of the host key, or before anything was sent
	proxy   *proxyConn
}

// connect makes one connection. key is the name of a jump host, by which others may share it.
func (d *Dialer) connect(ctx context.Context, via *ssh.Client, h *hop, before []*hop, key string) (*link, error) {
	gate := d.handshakes(h.addr())
	if err := gate.Acquire(ctx, 1); err != nil {
		return nil, &Error{Host: h.label, Op: "connect", Kind: Unreachable, Err: context.Cause(ctx)}
	}
	defer gate.Release(1)

	ctx, wait, stop := withPatience(ctx, h.timeout)
	defer stop()
	const attempts = 5
	delay := 150 * time.Millisecond
	for try := 1; ; try++ {
		hs := &handshake{hop: h, before: before, key: key}
		l, err := d.attempt(ctx, via, hs, wait)
		if err == nil {
			d.logf("%s: connected to %s as %s in attempt %d", h.label, l.client.RemoteAddr(), h.user, try)
			if key != "" && len(hs.keys.factor.tries) > 0 {
				d.share(key, l)
			}
			return l, nil
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if errors.Is(err, errStale) {
			continue // its turn has come, and stays
		}
		if errors.Is(err, errShared) {
			var way []*link
			if d.sharedLink(key, &way) {
				return way[0], nil
			}
			continue // it has ended just now
		}
		if try == attempts || !hs.worthRetrying(err) {
			return nil, hs.explain(err)
		}
		d.logf("%s: %v, trying again", h.label, err)
		select {
		case <-time.After(delay/2 + rand.N(delay)):
		case <-ctx.Done():
			return nil, hs.explain(context.Cause(ctx))
		}
		delay *= 2
	}
}

// worthRetrying: a busy sshd closes new connections before it says anything
// (MaxStartups), and name servers hiccup. Nothing after that is tried twice, so
// neither keys nor host keys are.
func (hs *handshake) worthRetrying(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary && !dns.IsTimeout
	}
	if hs.trusted || hs.refused != nil || hs.hop.proxyCommand != "" {
		return false
	}
	hung := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)
	said := ""
	if hs.wire != nil {
		said = hs.wire.opening()
	}
	return hung && (said == "" || strings.HasPrefix(said, "SSH-") || foreign.Say(said, tooMany))
}

func (d *Dialer) attempt(ctx context.Context, via *ssh.Client, hs *handshake, wait *patience) (*link, error) {
	h := hs.hop
	if err := hs.refuse(); err != nil {
		return nil, err
	}
	check, algorithms, err := d.hostKeyCheck(hs)
	if err != nil {
		hs.refused = hostKeyError(hs, err, "", "nothing was sent; fix what is named and run the command again")
		return nil, err
	}
	var raw net.Conn
	switch {
	case via != nil:
		raw, err = via.DialContext(ctx, "tcp", h.addr())
	case h.proxyCommand != "":
		hs.proxy, err = startProxy(h)
		raw = hs.proxy
	default:
		raw, err = h.dialTCP(ctx)
	}
	if err != nil {
		return nil, err
	}
	hs.wire = newWire(raw)
	// Closing is the only thing that ends every kind of wait in the handshake.
	ended := context.AfterFunc(ctx, func() { _ = raw.Close() })

	hs.keys = d.keyring(ctx, h, wait)
	hs.keys.factor.key = hs.key
	defer hs.keys.close()
	c, chans, reqs, err := ssh.NewClientConn(hs.wire, h.addr(), &ssh.ClientConfig{
		Config:            ssh.Config{KeyExchanges: h.algorithms.keyExchanges, Ciphers: h.algorithms.ciphers, MACs: h.algorithms.macs},
		User:              h.user,
		AuthCallback:      hs.keys.next,
		BannerCallback:    hs.keys.heard,
		HostKeyCallback:   check,
		HostKeyAlgorithms: algorithms,
		ClientVersion:     "SSH-2.0-provision",
	})
	if !ended() && err == nil {
		_ = c.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return &link{client: ssh.NewClient(c, chans, reqs), wire: hs.wire}, nil
}

// explain turns what ended a handshake into an Error.
func (hs *handshake) explain(err error) *Error {
	h := hs.hop
	e := &Error{Host: h.label, Op: "connect to " + h.addr(), Kind: Unreachable, Err: err}
	if hs.refused != nil {
		return hs.refused
	}
	var negotiation *ssh.AlgorithmNegotiationError
	var forbidden *ssh.OpenChannelError
	switch {
	case errors.Is(err, errConnectTimeout):
		e.Err = fmt.Errorf("no SSH session within %v (%w)", h.timeout, err)
		e.Evidence = hs.progress()
		e.Hint = "check address, port and firewall\n" + hs.sshLine()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.As(err, &forbidden) && hs.wire == nil && len(hs.before) > 0:
		hs.forwarding(e, forbidden)
	case errors.As(err, &negotiation):
		hs.negotiation(e, negotiation)
	case hs.trusted && hs.wire.ended.Load() && errors.Is(err, errNoKey) && !hs.keys.parting:
		// No answer to a key is no refusal of it.
		e.Err = errors.New("the connection ended during authentication")
		e.Hint = hs.sshLine()
		if hs.keys.used() != nil {
			e.Err = errors.New("the server accepted the key, then the connection ended")
			e.Hint = "run it again; if it stays, the server refuses the login without a word:\n" + hs.refusedHint()
		}
	case hs.trusted && (hs.keys.ended(err) || foreign.Say(err.Error(), disconnected)):
		hs.refusal(e, err)
	case hs.wire == nil:
		e.Hint = "check address, port and firewall\n" + hs.sshLine()
	default:
		e.Evidence = hs.progress()
		e.Hint = hs.sshLine()
	}
	hs.explainProxy(e)
	return e
}

// progress says how far the handshake got.
func (hs *handshake) progress() string {
	if hs.wire == nil {
		return "no TCP connection"
	}
	said := Sanitize(strings.TrimSpace(hs.wire.opening()))
	switch {
	case hs.trusted:
		return "the host key was verified, then the server stopped during authentication"
	case said == "":
		return "TCP connected, the server said nothing"
	case foreign.Say(said, banned):
		return said + "\nthe server bans this address for a while (PerSourcePenalties)"
	case strings.HasPrefix(said, "SSH-"):
		line, _, _ := strings.Cut(said, "\n")
		return "the server is " + strings.TrimSuffix(line, `\x0d`) + ", the key exchange did not end"
	default:
		return "the server said: " + said
	}
}

func (k *keyring) offered() int {
	n := 0
	for _, o := range k.offers {
		if o.shown {
			n++
		}
	}
	return n
}

// sshLine is a command that does the same with OpenSSH.
func (hs *handshake) sshLine() string {
	h := hs.hop
	line := []string{"ssh", "-v", "-o", "BatchMode=yes"}
	if len(h.userKnown) == 1 {
		line = append(line, "-o", "UserKnownHostsFile="+h.userKnown[0])
	}
	if len(h.identities) > 0 && hs.keys != nil && hs.keys.offered() > 0 {
		line = append(line, "-i", h.identities[0])
	}
	if len(hs.before) > 0 {
		jumps := make([]string, 0, len(hs.before))
		for _, j := range hs.before {
			jumps = append(jumps, j.user+"@"+j.addr())
		}
		line = append(line, "-J", strings.Join(jumps, ","))
	}
	if h.port != 22 {
		line = append(line, "-p", fmt.Sprint(h.port))
	}
	line = append(line, h.user+"@"+h.alias, "true")
	for i, w := range line {
		if strings.ContainsFunc(w, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-[]", r)
		}) {
			line[i] = Quote(w)
		}
	}
	return strings.Join(line, " ")
}
