package inventory

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Names asks where names lead. Answers that pass through a resolver may be old, and one that says
// "nowhere" is kept there for as long as the domain wishes: so its own name servers are asked.
type Names struct {
	// Resolver is asked who the name servers are; "" is the system's own. With a port, theirs is the same.
	Resolver string
}

// Lead is where a name leads by one server's word.
type Lead struct {
	Server    string
	Addresses []string // none: nowhere
}

const dnsTimeout = 5 * time.Second

// Ask is what every name server of the name's domain says that gives an answer. Where none can be
// reached, as from networks that let nobody ask outside, the resolver's word counts. A name in the
// hosts file of this machine leads where that says.
func (n Names) Ask(ctx context.Context, name string) ([]Lead, error) {
	if ctx.Err() != nil { // package net may answer all the same, where the answer is quick
		return nil, context.Cause(ctx)
	}
	resolver := n.by(n.Resolver)
	servers, problem := n.servers(ctx, resolver, name)
	var mu sync.Mutex
	var out []Lead
	var all sync.WaitGroup
	ask := func(server string, r *net.Resolver) {
		addresses, err := lookup(ctx, r, name)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			problem = errors.Join(problem, fmt.Errorf("%s: %w", server, err))
			return
		}
		out = append(out, Lead{server, addresses})
	}
	for server, address := range servers {
		all.Go(func() { ask(server, n.by(address)) })
	}
	all.Wait()
	if len(out) == 0 {
		ask("the resolver", resolver)
	}
	if len(out) == 0 {
		return nil, problem
	}
	slices.SortFunc(out, func(a, b Lead) int { return strings.Compare(a.Server, b.Server) })
	return out, nil
}

// servers are the name servers of the domain that the name is in, by their names.
func (n Names) servers(ctx context.Context, r *net.Resolver, name string) (map[string]string, error) {
	var last error
	for domain := name; strings.Contains(domain, "."); _, domain, _ = strings.Cut(domain, ".") {
		within, cancel := context.WithTimeout(ctx, dnsTimeout)
		found, err := r.LookupNS(within, domain+".")
		cancel()
		if len(found) == 0 {
			last = err
			continue
		}
		out := map[string]string{}
		for _, ns := range found {
			if at, err := lookup(ctx, r, strings.TrimSuffix(ns.Host, ".")); err == nil && len(at) > 0 {
				out[strings.TrimSuffix(ns.Host, ".")] = net.JoinHostPort(at[0], n.port())
			}
		}
		return out, nil
	}
	return nil, last
}

func (n Names) port() string {
	if _, port, err := net.SplitHostPort(n.Resolver); err == nil {
		return port
	}
	return "53"
}

// by is a resolver that asks one server; "" the system's own.
func (n Names) by(server string) *net.Resolver {
	if server == "" {
		return net.DefaultResolver
	}
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, "53")
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, server)
	}}
}

// lookup is where a name leads; that it leads nowhere is an answer.
func lookup(ctx context.Context, r *net.Resolver, name string) (out []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	found, err := r.LookupNetIP(ctx, "ip4", name+".")
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return nil, nil
	}
	for _, ip := range found {
		out = append(out, ip.Unmap().String())
	}
	slices.Sort(out)
	return out, err
}
