package digitaloceantest

import (
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Names is a name server on loopback for the domains of the account, as HOST:PORT. To whoever asks it
// for their name servers it says that it is them. It ends with the account.
func (c *Cloud) Names() (string, error) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		<-c.closing
		l.Close()
	}()
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := l.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := c.name(buf[:n]); answer != nil {
				_, _ = l.WriteTo(answer, from) // whoever asked asks again
			}
		}
	}()
	return l.LocalAddr().String(), nil
}

// name answers one question; nil is silence.
func (c *Cloud) name(packet []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(packet) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	head := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 1}
	m.Response, m.Authoritative, m.RCode, m.Additionals = true, true, dnsmessage.RCodeNameError, nil
	add := func(body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: body})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	const server = "ns1.digitalocean.com"
	if name == server && q.Type == dnsmessage.TypeA {
		add(&dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}})
	}
	if c.domain(name) != nil && q.Type == dnsmessage.TypeNS {
		add(&dnsmessage.NSResource{NS: dnsmessage.MustNewName(server + ".")})
	}
	for _, d := range c.domains {
		for _, r := range d.records {
			if r.Type == "A" && q.Type == dnsmessage.TypeA && !c.hidden(r.urn(), true) && (r.Name+"."+d.name == name || r.Name == "@" && d.name == name) {
				add(&dnsmessage.AResource{A: netip.MustParseAddr(r.Data).As4()})
			}
		}
	}
	if len(m.Answers) > 0 {
		m.RCode = dnsmessage.RCodeSuccess
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}
