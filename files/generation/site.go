package generation

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// Modes of TLS, as written in the inventory.
const (
	TLSInternal = "internal" // the stack's own CA: secrets/caddy/{root.crt,intermediate.crt,intermediate.key}
	TLSACME     = "acme"
	TLSFiles    = "files" // secrets/caddy/{site.crt,site.key}
	TLSOff      = "off"   // HTTP in clear on the url's port
)

// DigestPort is where the entrance tells which configuration it has loaded.
const DigestPort = 2020

// Site is the url under which browsers and agents reach the stack.
type Site struct {
	Scheme string
	Host   string     // lower case, without brackets
	IP     netip.Addr // valid if host is an address
	Port   uint16     // explicit or the scheme's own
}

var dnsName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// ParseSite reads a url as the mode of TLS needs it.
func ParseSite(tlsMode, raw string) (Site, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Site{}, fmt.Errorf("url %q: %w", raw, err)
	}
	want, port := "https", uint16(443)
	switch tlsMode {
	case TLSInternal, TLSACME, TLSFiles:
	case TLSOff:
		want, port = "http", 80
	default:
		return Site{}, fmt.Errorf("unknown tls mode %q", tlsMode)
	}
	if u.Scheme != want {
		return Site{}, fmt.Errorf("url %q: tls mode %q needs the scheme %s", raw, tlsMode, want)
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return Site{}, fmt.Errorf("url %q: only scheme, host and port may be given", raw)
	}
	p := Site{Scheme: u.Scheme, Host: strings.ToLower(u.Hostname()), Port: port}
	if ip, err := netip.ParseAddr(p.Host); err == nil && ip.Zone() == "" {
		p.IP, p.Host = ip.Unmap(), ip.Unmap().String()
	} else if !dnsName.MatchString(p.Host) || len(p.Host) > 253 {
		return Site{}, fmt.Errorf("url %q: %q is neither a host name nor an address", raw, p.Host)
	}
	if s := u.Port(); s != "" {
		if _, err := fmt.Sscanf(s, "%d", &p.Port); err != nil || p.Port == 0 {
			return Site{}, fmt.Errorf("url %q: bad port", raw)
		}
	}
	if p.Port == DigestPort || (p.Port == 80 && want == "https") {
		return Site{}, fmt.Errorf("url %q: the proxy needs port %d for something else", raw, p.Port)
	}
	return p, nil
}

// HostPart is the host as it stands in a url.
func (p Site) HostPart() string {
	if p.IP.Is6() {
		return "[" + p.Host + "]"
	}
	return p.Host
}

// Origin is what browsers send in the header Origin: without the scheme's own port.
func (p Site) Origin() string {
	if (p.Scheme == "https" && p.Port == 443) || (p.Scheme == "http" && p.Port == 80) {
		return p.Scheme + "://" + p.HostPart()
	}
	return fmt.Sprintf("%s://%s:%d", p.Scheme, p.HostPart(), p.Port)
}
