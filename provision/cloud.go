package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// cloudy tells whether hosts of the system are droplets.
func (s *System) cloudy() bool {
	for _, h := range s.Inventory.Hosts {
		if h.Droplet != nil {
			return true
		}
	}
	return false
}

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
	p.account = a
	return a, nil
}

// survey is one reading of the account while the hosts are read beside it.
type survey struct {
	done  chan struct{}
	facts Facts
	err   error
}

// survey begins to read the account; nil where no host is a droplet.
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

// open dials and locks a droplet in the middle of a run, when the first of its changes comes. A new
// one is waited for: it is active before sshd answers, and sshd answers before it knows the keys.
func (p *Pass) open(ctx context.Context, host string) (*lock, error) {
	if l := p.held(host); l != nil {
		return l, nil
	}
	got, err, _ := p.opening.Do(host, func() (any, error) {
		if l := p.held(host); l != nil {
			return l, nil
		}
		a, err := p.cloud(ctx)
		if err != nil {
			return nil, err
		}
		found, err := a.Named(ctx, p.System.Inventory.DigitalOcean.NameTag(host))
		if err == nil && len(found) == 0 {
			err = errors.New("the droplet is gone")
		}
		if err != nil {
			return nil, err
		}
		at := placeOf(found[0])
		p.connMu.Lock()
		p.places[host] = at
		p.connMu.Unlock()
		dial := func(ctx context.Context) (bool, error) {
			_, err := p.conn(ctx, host)
			var re *remote.Error
			if err != nil && at.newborn && errors.As(err, &re) && (re.Kind == remote.Unreachable || re.Kind == remote.Busy || re.Kind == remote.Auth) {
				p.emit(Event{Type: "progress", Host: host, Step: "first login", Text: "waiting for its sshd: " + re.Error()})
				return false, nil
			}
			return true, err
		}
		if err := a.Until(ctx, "the first login to "+host, dial); err != nil {
			return nil, err
		}
		if err := p.turn(ctx, host); err != nil {
			return nil, err
		}
		l, err := p.lock(ctx, host)
		if err != nil {
			return nil, err
		}
		l.say = func(line string) { p.emit(Event{Type: "progress", Host: host, Step: "first login", Text: line}) }
		p.keep(host, l)
		for _, one := range p.logins {
			if one.host == host {
				close(one.locked)
			}
		}
		return l, nil
	})
	if err != nil {
		return nil, err
	}
	return got.(*lock), nil
}

// login is the first login to a droplet in this round.
type login struct {
	host   string
	locked chan struct{}   // closed when its lock is taken
	done   <-chan struct{} // closed when its change has ended
}

func newLogins(done map[string]<-chan struct{}) (out []login) {
	for _, host := range slices.Sorted(maps.Keys(done)) {
		out = append(out, login{host, make(chan struct{}), done[host]})
	}
	return out
}

// turn waits until droplets that come before by their names are locked, or could not be: two who
// create the same droplets must not hold one each and wait for the other.
func (p *Pass) turn(ctx context.Context, host string) error {
	for _, one := range p.logins {
		if one.host >= host {
			return nil
		}
		select {
		case <-one.locked:
		case <-one.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
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

// shows dials a droplet once more and wants this key alone. A server that is about to read it may
// show the old one for a moment.
func (p *Pass) shows(ctx context.Context, host, sum string) error {
	a, err := p.cloud(ctx)
	if err != nil {
		return err
	}
	t, err := p.target(ctx, host)
	if err != nil {
		return err
	}
	t.HostKeySums = []string{sum}
	var last error
	err = a.Appears(ctx, "the host shows its own key", func(ctx context.Context) (bool, error) {
		var c *remote.Conn
		if c, last = p.Dialer.Dial(ctx, t); last != nil {
			return false, nil
		}
		return true, c.Close()
	})
	if err != nil && last != nil {
		return last
	}
	return err
}

// apiHint is what to do about an answer of the API.
func apiHint(status int) string {
	switch status {
	case 401:
		return "the API does not know the token; make one with the scopes that docs/digitalocean.md lists, then: export DIGITALOCEAN_TOKEN=..."
	case 403:
		return "the token lacks a scope that this needs; docs/digitalocean.md lists them"
	case 429:
		return "the account's calls of this hour are used up; wait, then run the same command again"
	case 0:
		return "run the same command again: it finds out what was done, and goes on"
	}
	if status >= 500 {
		return "DigitalOcean has a fault of its own; run the same command again later: it goes on where this one stopped"
	}
	return "mend what the API says, then run the same command again: it goes on where this one stopped"
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
