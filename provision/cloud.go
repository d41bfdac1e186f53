package provision

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/digitalocean/godo"

	"provision/inventory"
	"provision/provision/resource"
	"provision/remote"
)

// place is where a droplet is found, as the account tells it. Its host key is known by its tags
// alone, so whoever may read the account verifies every dial.
type place struct {
	address string
	sums    []string
	// newborn says that nobody has finished the first login: the host is as blank as it was made.
	newborn bool
}

// cloudy tells whether an account belongs to the system. It may have droplets that are declared no more.
func (s *System) cloudy() bool { return s.Inventory.DigitalOcean != nil }

// cloud is the account, made at its first use.
func (p *Pass) cloud(ctx context.Context) (*inventory.Account, error) {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	if p.account != nil {
		return p.account, nil
	}
	a, err := p.System.Inventory.DigitalOcean.Account(ctx, p.System.Inventory.Dir, p.Pace)
	if err != nil {
		return nil, &Error{Code: ExitUsage, Cause: err.Error(), Hint: "make a token with the scopes that docs/digitalocean.md lists, then: export DIGITALOCEAN_TOKEN=...", Err: err}
	}
	a.Held = func(why string, wait time.Duration) {
		e := Event{Type: "progress", Step: "ask the API", Text: remote.Sanitize(why)}
		if wait >= longHold { // shown whatever else is
			e.Type, e.Step = "note", ""
		}
		p.emit(e)
	}
	p.account = a
	return a, nil
}

// longHold is from when on a wait for the API is long enough for somebody to wonder.
const longHold = 4 * time.Second

// survey is one reading of the account while the hosts are read beside it.
type survey struct {
	done  chan struct{}
	facts Facts
	err   error
}

// survey begins to read the account; nil where there is none.
func (p *Pass) survey(ctx context.Context) *survey {
	if !p.System.cloudy() {
		return nil
	}
	s := &survey{done: make(chan struct{}), facts: Facts{}}
	go func() {
		defer close(s.done)
		s.err = p.look(ctx, s.facts)
	}()
	return s
}

// wait says whether the account was read.
func (s *survey) wait() bool {
	if s == nil {
		return true
	}
	<-s.done
	return s.err == nil
}

// look reads the account, and where the droplets are.
func (p *Pass) look(ctx context.Context, into Facts) error {
	p.emit(Event{Type: "observe", State: "start", Text: "the account"})
	start := time.Now()
	l, err := p.listing(ctx)
	if err != nil {
		return err
	}
	for _, r := range p.System.Resources {
		if looker, ok := r.(resource.Looker); ok {
			into[r.ID()] = looker.Look(l)
		}
	}
	left, limit, made := p.account.Budget()
	p.emit(Event{Type: "observe", State: "done", Seconds: time.Since(start).Seconds(), Text: fmt.Sprintf("the account, with %d calls so far; %d of %d are left this hour", made, left, limit)})
	return nil
}

// found remembers where the droplets are.
func (p *Pass) found(l *inventory.Listing) {
	places := map[string]place{}
	for _, d := range l.Droplets {
		name := p.System.Inventory.DigitalOcean.HostOf(d.Tags)
		if _, first := places[name]; name != "" && !first {
			places[name] = placeOf(d)
		}
	}
	p.connMu.Lock()
	p.places = places
	p.connMu.Unlock()
}

func placeOf(d godo.Droplet) place {
	address, err := d.PublicIPv4()
	if err != nil {
		address = "" // it has no networks yet
	}
	return place{address, inventory.HostKeys(d.Tags), inventory.BirthKey(d.Tags) != ""}
}

// absent tells whether a host is a droplet that does not exist, or that nobody has logged in to yet.
// It is not dialled, and what it should have is not there.
func (p *Pass) absent(host string) bool {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	h := p.System.Host(host)
	at, ok := p.places[host]
	return h != nil && h.Droplet != nil && (!ok || at.newborn)
}

// blank are the facts of a host that is absent.
func (p *Pass) blank(host string) Facts {
	script := resource.NewScript(p.nonce)
	for _, r := range p.System.Resources {
		if r.ID().Host == host {
			r.Probe(script)
		}
	}
	return script.Absent()
}

// target says how to reach a host.
func (p *Pass) target(ctx context.Context, host string) (remote.Target, error) {
	h := p.System.Host(host)
	if h != nil && h.Droplet == nil {
		return p.System.target(h), nil
	}
	p.connMu.Lock()
	known := p.places != nil
	p.connMu.Unlock()
	if !known {
		if err := p.look(ctx, Facts{}); err != nil {
			return remote.Target{}, err
		}
	}
	p.connMu.Lock()
	at, ok := p.places[host]
	p.connMu.Unlock()
	switch {
	case !ok || at.address == "":
		return remote.Target{}, &Error{Code: ExitUnreachable, Host: host, Step: "connect", Cause: "the droplet does not exist yet", Hint: "provision apply"}
	case len(at.sums) == 0:
		return remote.Target{}, &Error{
			Code: ExitHostKey, Host: host, Step: "verify host key of " + at.address, Cause: "no tag of the droplet says which host key it has",
			Hint: "find out who took the tag provision:hostkey:... away; to put it back, compare with the console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
		}
	}
	if h == nil { // one that is no longer declared is reached as the others are
		s := p.System.Inventory.SSH
		h = &inventory.Host{User: "root", IdentityFile: s.IdentityFile, Jump: s.Jump, KnownHosts: s.KnownHosts, HostKeyChecking: s.HostKeyChecking, ConnectTimeout: s.ConnectTimeout}
	}
	t := p.System.target(h)
	t.Name, t.Address, t.HostKey, t.HostKeySums = host, at.address, "", at.sums
	return t, nil
}

func (p *Pass) held(host string) *lock {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	return p.locks[host]
}

func (p *Pass) keep(host string, l *lock) {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	p.locks[host] = l
}

// address is where a droplet is reached; "" if that is not known.
func (p *Pass) address(host string) string {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	return p.places[host].address
}

// apiHint is what to do about an answer of the API.
func apiHint(err error) string {
	status := inventory.Status(err)
	var e *godo.ErrorResponse
	if errors.As(err, &e) && (status == 403 || status == 422) && strings.Contains(strings.ToLower(e.Message), "limit") {
		return "remove what is no longer needed, or have the limit raised on the account's page, then run the same command again"
	}
	switch status {
	case 401:
		return "the API does not know the token; make one with the scopes that docs/digitalocean.md lists, then: export DIGITALOCEAN_TOKEN=..."
	case 403:
		return "the token lacks a scope that this needs; docs/digitalocean.md lists them"
	case 429:
		until := ""
		if at := inventory.Reset(err); !at.IsZero() {
			until = ", until " + at.UTC().Format("15:04:05 UTC")
		}
		return "the account's calls of this hour are used up; wait" + until + ", then run the same command again"
	case 0:
		var network *url.Error
		if errors.As(err, &network) {
			return "see whether api_url (or DIGITALOCEAN_API_URL), the proxy and DNS are right, and the API can be reached; then run the same command again: it finds out what was done, and goes on"
		}
		return "run the same command again: it finds out what was done, and goes on"
	}
	if status >= 300 && status < 400 {
		return "a redirect is not followed, because the token would go along: see whether api_url (or DIGITALOCEAN_API_URL) is the API itself, and no proxy stands before it"
	}
	if status >= 500 {
		return "DigitalOcean has a fault of its own; run the same command again later: it goes on where this one stopped"
	}
	return "fix what the API says, then run the same command again: it goes on where this one stopped"
}

// apiCause is the API's refusal without the request, which says little to who did not write it.
func apiCause(err error) string {
	var e *godo.ErrorResponse
	if !errors.As(err, &e) {
		return remote.Sanitize(err.Error())
	}
	said := fmt.Sprintf("the API answered %d to %s %s: %s", inventory.Status(err), e.Response.Request.Method, e.Response.Request.URL.Path, e.Message)
	return remote.Sanitize(strings.Replace(err.Error(), e.Error(), said, 1))
}
