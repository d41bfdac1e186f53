package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// dialTCP connects as AddressFamily, BindAddress and BindInterface want it.
func (h *hop) dialTCP(ctx context.Context) (net.Conn, error) {
	from, err := h.sources(ctx)
	if err != nil {
		return nil, err
	}
	if from == nil {
		return (&net.Dialer{}).DialContext(ctx, h.network, h.addr())
	}
	var errs []error
	for _, ip := range from {
		network := "tcp6"
		if ip.IP.To4() != nil {
			network = "tcp4"
		}
		if h.network != "tcp" && h.network != network {
			continue
		}
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: ip.IP, Zone: ip.Zone}}).DialContext(ctx, network, h.addr())
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("no address of %s%s fits AddressFamily", h.bindAddress, h.bindInterface)
	}
	return nil, errors.Join(errs...)
}

// sources are the addresses to connect from; nil leaves it to the system.
func (h *hop) sources(ctx context.Context) ([]net.IPAddr, error) {
	switch {
	case h.bindAddress != "":
		ips, err := net.DefaultResolver.LookupIPAddr(ctx, h.bindAddress)
		if err != nil {
			return nil, fmt.Errorf("BindAddress %s: %w", h.bindAddress, err)
		}
		return ips, nil
	case h.bindInterface != "":
		dev, err := net.InterfaceByName(h.bindInterface)
		if err != nil {
			return nil, fmt.Errorf("BindInterface %s: %w", h.bindInterface, err)
		}
		addrs, err := dev.Addrs()
		if err != nil {
			return nil, fmt.Errorf("BindInterface %s: %w", h.bindInterface, err)
		}
		var wide, local []net.IPAddr // as ssh, first those that others can reach
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if n.IP.IsLoopback() || n.IP.IsLinkLocalUnicast() {
					local = append(local, net.IPAddr{IP: n.IP, Zone: zoneOf(n.IP, dev.Name)})
				} else {
					wide = append(wide, net.IPAddr{IP: n.IP})
				}
			}
		}
		if len(wide)+len(local) == 0 {
			return nil, fmt.Errorf("BindInterface %s: it has no address", h.bindInterface)
		}
		return append(wide, local...), nil
	}
	return nil, nil
}

func zoneOf(ip net.IP, name string) string {
	if ip.To4() == nil && ip.IsLinkLocalUnicast() {
		return name
	}
	return ""
}

// keepalive is how often a silent connection is asked, and when it is given up.
func (h *hop) keepalive() (every, limit time.Duration) {
	if h.alive <= 0 {
		return keepaliveEvery, keepaliveLimit
	}
	return h.alive, h.alive * time.Duration(max(h.aliveCount, 1))
}

// routeError is an error about the way to a host, before anything is connected to.
func routeError(name string, err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Host: name, Op: "connect", Kind: Unreachable, Err: err}
	}
	own := *e // the answer about one file is shared by all hosts
	if !e.everyHost && own.Host == "" {
		own.Host = name
	}
	return &own
}

// refuse says what ssh_config forbids or what cannot be followed, before a
// connection is made.
func (hs *handshake) refuse() error {
	h := hs.hop
	if h.noKeys == "" {
		return nil
	}
	hs.refused = &Error{
		Host: h.label, Op: fmt.Sprintf("log in to %s as %s", h.addr(), h.user), Kind: Auth,
		Err:  fmt.Errorf("ssh_config says %s, and provision logs in with keys", h.noKeys),
		Hint: "allow keys for this host in ssh_config; see what counts there: ssh -G " + h.alias,
	}
	return hs.refused
}
