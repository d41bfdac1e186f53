package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/resource"
	"provision/remote"
)

// hasCloud tells whether an account belongs to the system. It may have machines that are declared no more.
func (s *System) hasCloud() bool { return s.cloud != nil }

// cloud is the account, made at its first use.
func (p *Pass) cloud(ctx context.Context) (cloud.Account, error) {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	if p.account != nil {
		return p.account, nil
	}
	a, err := p.System.cloud.Open(ctx, p.Pace, func(why string, wait time.Duration) {
		e := Event{Type: "progress", Step: "ask the API", Text: remote.Sanitize(why)}
		if wait >= longHold { // shown whatever else is
			e.Type, e.Step = "note", ""
		}
		p.emit(e)
	})
	if err != nil {
		return nil, usageOf(err)
	}
	p.account = a
	return a, nil
}

// usageOf is an error of a cloud about what the caller gave or named.
func usageOf(err error) error {
	var e *cloud.Error
	if !errors.As(err, &e) {
		return &Error{Code: ExitUsage, Cause: err.Error(), Err: err}
	}
	return &Error{Code: ExitUsage, Cause: e.Cause, Hint: e.Hint, Err: err}
}

// cloudError is hostError for what belongs to the account, with what its cloud says of the error.
func (p *Pass) cloudError(step string, err error) error {
	var own *Error
	if err != nil && p.account != nil && !errors.As(err, &own) {
		err = p.account.Explain(err)
	}
	return hostError("", step, ExitCloud, err)
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
	if !p.System.hasCloud() {
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

// look reads the account, and where its machines are.
func (p *Pass) look(ctx context.Context, into Facts) error {
	p.emit(Event{Type: "observe", State: "start", Text: "the account"})
	start := time.Now()
	l, err := p.listing(ctx)
	if err != nil {
		return err
	}
	for _, r := range p.System.Resources {
		if fact, ok := l.Fact(r); ok {
			into[r.ID()] = fact
		}
	}
	left, limit, made := p.account.Budget()
	p.emit(Event{Type: "observe", State: "done", Seconds: time.Since(start).Seconds(), Text: fmt.Sprintf("the account, with %d calls so far; %d of %d are left this hour", made, left, limit)})
	return nil
}

// found remembers where the machines are.
func (p *Pass) found(l cloud.Listing) {
	places := l.Places()
	p.connMu.Lock()
	p.places = places
	p.connMu.Unlock()
}

// absent tells whether a host is a machine of the cloud that does not exist, or that nobody has logged in to yet.
// It is not dialled, and what it should have is not there.
func (p *Pass) absent(host string) bool {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	h := p.System.Host(host)
	at, ok := p.places[host]
	return h != nil && h.Machine != nil && (!ok || at.Newborn)
}

// blank are the facts of a host that is absent.
func (p *Pass) blank(resources []resource.Resource) Facts {
	script := resource.NewScript(p.nonce)
	for _, r := range resources {
		r.Probe(script)
	}
	return script.Absent()
}

// target says how to reach a host.
func (p *Pass) target(ctx context.Context, host string) (remote.Target, error) {
	h := p.System.Host(host)
	if h != nil && h.Machine == nil {
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
	case !ok || at.Address == "":
		return remote.Target{}, &Error{Code: ExitUnreachable, Host: host, Step: "connect", Cause: "the " + p.System.cloud.Noun() + " does not exist yet", Hint: "provision apply"}
	case len(at.Sums) == 0:
		return remote.Target{}, &Error{
			Code: ExitHostKey, Host: host, Step: "verify host key of " + at.Address, Cause: "no tag of the " + p.System.cloud.Noun() + " says which host key it has",
			Hint: "find out who took the tag provision:hostkey:... away; to put it back, compare with the console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
		}
	}
	if h == nil { // one that is no longer declared is reached as the others are
		s := p.System.Inventory.SSH
		h = &inventory.Host{User: "root", IdentityFile: s.IdentityFile, Jump: s.Jump, KnownHosts: s.KnownHosts, HostKeyChecking: s.HostKeyChecking, ConnectTimeout: s.ConnectTimeout}
	}
	t := p.System.target(h)
	t.Name, t.Address, t.HostKey, t.HostKeySums = host, at.Address, "", at.Sums
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

// address is where a machine of the cloud is reached; "" if that is not known.
func (p *Pass) address(host string) string {
	p.connMu.Lock()
	defer p.connMu.Unlock()
	return p.places[host].Address
}
