package inventory

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"provision/files/naming"
	"provision/inventory/strict"
)

// Clean refuses control characters.
func (c Checker) Clean(key, value string) bool {
	if strings.ContainsFunc(value, strict.Control) {
		c.Refuse(key, "has control characters", "")
		return false
	}
	return true
}

var (
	hostName  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	dnsLabel  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
	queueName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
)

// maxHostName leaves room for the container host names made of it, which Linux bounds at 64 bytes.
const maxHostName = 48

// HostName says what is wrong with a host's name.
func (c Checker) HostName(key, name string) {
	switch {
	case len(name) > maxHostName:
		c.Add(key, fmt.Sprintf("a host's name has at most %d characters, not %d", maxHostName, len(name)), "")
	case !hostName.MatchString(name) || strings.Contains(name, ".."):
		c.Add(key, "a host's name is letters, digits, dots and dashes, with a letter or digit first and last", "")
	}
}

// IsDNSName tells names that could be looked up. A last label of digits would be taken for an IPv4 address.
func IsDNSName(name string) bool {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	for _, label := range labels {
		if len(label) > 63 || !dnsLabel.MatchString(label) {
			return false
		}
	}
	_, err := strconv.Atoi(labels[len(labels)-1])
	return err != nil && len(name) <= 253
}

// address accepts an IP address or a DNS name and gives it the one spelling by which addresses are compared.
func (c Checker) address(key string, address *string) {
	if addr, err := netip.ParseAddr(*address); err == nil {
		switch {
		case addr.Zone() != "":
			c.Add(key, "an address with a zone holds on one machine only", "")
		case addr.IsUnspecified() || addr.IsMulticast():
			c.Add(key, fmt.Sprintf("%s is not the address of a host", addr), "")
		default:
			*address = addr.Unmap().String()
		}
		return
	}
	if IsDNSName(*address) {
		*address = strings.ToLower(strings.TrimSuffix(*address, "."))
		return
	}
	hint := `for example "10.0.0.11", "2001:db8::11" or "web-1.example.org"`
	switch _, port, err := net.SplitHostPort(*address); {
	case strings.Contains(*address, "://"):
		hint = "give the host alone, without a scheme"
	case strings.Contains(*address, "@"):
		hint = "the user is written apart: user = ..."
	case err == nil:
		hint = "a port is written apart: port = 22"
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			hint = fmt.Sprintf("a port is written apart: port = %d", n)
		}
	}
	c.Add(key, strict.Show(*address)+" is neither an IP address nor a DNS name", hint)
}

func (c Checker) port(key string, port int) {
	if c.Has(key) && (port < 1 || port > 65535) {
		c.Add(key, fmt.Sprintf("%d is not a port", port), "a port is 1 to 65535")
	}
}

// user accepts any login name that cannot be taken for an option or for something around it.
func (c Checker) user(key, user string) {
	if user != "" && !isUser(user) {
		c.Add(key, strict.Show(user)+" is not a user's name", "")
	}
}

func isUser(user string) bool {
	return user != "" && len(user) <= 128 && user[0] != '-' &&
		!strings.ContainsFunc(user, func(r rune) bool {
			return strict.Control(r) || unicode.IsSpace(r) || strings.ContainsRune(`,:;'"$|&<>()`+"`", r)
		})
}

// jump accepts [user@]host[:port][,..].
func (c Checker) jump(key, jump string) {
	if jump == "" || jump == "none" {
		return
	}
	for hop := range strings.SplitSeq(jump, ",") {
		if !isHop(hop) {
			c.Add(key, strict.Show(hop)+" is not a host to go through", "write [user@]host[:port], several with commas between; an IPv6 address in brackets")
			return
		}
	}
}

func isHop(hop string) bool {
	if user, rest, ok := strings.Cut(hop, "@"); ok {
		if !isUser(user) {
			return false
		}
		hop = rest
	}
	host := hop
	if h, port, err := net.SplitHostPort(hop); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
		host = h
	} else if inner, ok := strings.CutPrefix(hop, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == "" && (addr.Is4() || strings.HasPrefix(hop, "["))
	}
	return IsDNSName(host)
}

// Link accepts an absolute URL of one of the schemes. It is never shown: people put passwords into URLs.
func (c Checker) Link(key, text string, schemes ...string) (*url.URL, bool) {
	if text == "" {
		return nil, false
	}
	hint := "for example " + schemes[0] + "://host.example.org"
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsFunc(text, func(r rune) bool { return strict.Control(r) || unicode.IsSpace(r) }):
		c.Add(key, "not a URL", hint)
	case u.User != nil:
		c.Add(key, "a URL here must not hold a user or password: it would end up in images and logs", "")
	case !slices.Contains(schemes, u.Scheme):
		c.Add(key, "must begin with "+strings.Join(schemes, ":// or ")+"://", hint)
	case u.Opaque != "" || !isURLHost(u.Hostname()) || !isURLPort(u):
		c.Add(key, "the URL's host is neither an IP address nor a DNS name, or its port is not a number", hint)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		c.Add(key, "a URL here has no ? and no #", "")
	default:
		return u, true
	}
	return nil, false
}

func isURLHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == ""
	}
	return IsDNSName(host) && !strings.HasSuffix(host, ".")
}

func isURLPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0
}

// Queue says what is wrong with a queue's name; "" if nothing is.
func Queue(name string) string {
	switch {
	case len(name) > 64 || !queueName.MatchString(name):
		return strict.Show(name) + " is not a queue's name: letters, digits, dots, dashes and underscores, at most 64, no dash first"
	case strings.HasPrefix(name, naming.HostQueuePrefix):
		return strict.Show(name) + " is a name for a host's own queue, which it polls in any case"
	}
	return ""
}

// Queues checks a list of shared queues.
func Queues(d *strict.Document, key string, queues []string) {
	for n, queue := range queues {
		if problem := Queue(queue); problem != "" {
			d.Add(strict.Key(key, n), problem, "")
		} else if slices.Index(queues, queue) < n {
			d.Add(strict.Key(key, n), strict.Show(queue)+" is named twice", "")
		}
	}
}
