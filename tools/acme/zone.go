package main

import (
	"net"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// zone is a domain whose only name server is this one. Questions about other names are passed on, so
// that hosts can have it as their resolver.
type zone struct{ domain, file, upstream, address string }

func newZone() *zone { return &zone{} }

func (z *zone) listen(address string, stopped chan<- error) error {
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	streams, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for _, s := range []*dns.Server{{PacketConn: packets, Handler: z}, {Listener: streams, Handler: z}} {
		go func() { stopped <- s.ActivateAndServe() }()
	}
	return nil
}

// ServeDNS answers one question.
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	answer := new(dns.Msg)
	answer.SetRcode(q, dns.RcodeServerFailure)
	switch {
	case len(q.Question) != 1:
	case dns.IsSubDomain(dns.Fqdn(z.domain), strings.ToLower(q.Question[0].Name)):
		z.own(answer, q)
	case z.upstream != "":
		client := &dns.Client{Net: w.RemoteAddr().Network(), Timeout: 5 * time.Second}
		if passed, _, err := client.Exchange(q, z.upstream); err == nil {
			answer = passed
		}
	}
	_ = w.WriteMsg(answer) // whoever asked asks again
}

func (z *zone) own(answer, q *dns.Msg) {
	name, server := strings.ToLower(q.Question[0].Name), "ns1."+dns.Fqdn(z.domain)
	answer.SetReply(q)
	answer.Authoritative = true
	head := func(kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: 1}
	}
	known := name == dns.Fqdn(z.domain)
	for _, line := range append(z.lines(), server+" "+z.address) {
		f := strings.Fields(line)
		if len(f) != 2 || dns.Fqdn(strings.ToLower(f[0])) != name {
			continue
		}
		known = true
		if q.Question[0].Qtype == dns.TypeA {
			answer.Answer = append(answer.Answer, &dns.A{Hdr: head(dns.TypeA), A: net.ParseIP(f[1])})
		}
	}
	if q.Question[0].Qtype == dns.TypeNS && name == dns.Fqdn(z.domain) {
		answer.Answer = append(answer.Answer, &dns.NS{Hdr: head(dns.TypeNS), Ns: server})
	}
	if !known {
		answer.Rcode = dns.RcodeNameError
	}
}

func (z *zone) lines() []string {
	text, err := os.ReadFile(z.file)
	if err != nil {
		return nil // no names yet
	}
	return strings.Split(string(text), "\n")
}
