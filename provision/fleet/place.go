package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"provision/inventory"
	"provision/provision/cloud"
	"provision/provision/report"
	"provision/remote"
)

// Look lists the account, and remembers where its machines are.
func (f *Fleet) Look(ctx context.Context) (cloud.Listing, error) {
	f.o.Tell(report.Event{Type: "observe", State: "start", Text: "the account"})
	start := time.Now()
	a, l, err := f.Listing(ctx)
	if err != nil {
		return nil, err
	}
	left, limit, made := a.Budget()
	f.o.Tell(report.Event{Type: "observe", State: "done", Seconds: time.Since(start).Seconds(), Text: fmt.Sprintf("the account, with %d calls so far; %d of %d are left this hour", made, left, limit)})
	return l, nil
}

// NoCloud is the error of what needs a cloud account, where the inventory declares none.
func NoCloud(inv *inventory.Inventory) error {
	return report.Usage("declare them: [digitalocean] and [droplets.NAME]", "%s has no [digitalocean]", inv.File)
}

// Listing lists the account, and says nothing of it.
func (f *Fleet) Listing(ctx context.Context) (cloud.Account, cloud.Listing, error) {
	if f.o.Cloud == nil {
		return nil, nil, NoCloud(f.o.Inventory)
	}
	a, err := f.Account(ctx)
	if err != nil {
		return nil, nil, err
	}
	l, err := a.List(ctx)
	if err != nil {
		return nil, nil, f.CloudError("observe", err)
	}
	f.found(l)
	return a, l, nil
}

// Asked is the account where it has been asked already; nil otherwise.
func (f *Fleet) Asked() cloud.Account {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.account
}

// Account is the cloud account, made at its first use.
func (f *Fleet) Account(ctx context.Context) (cloud.Account, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.account != nil {
		return f.account, nil
	}
	a, err := f.o.Cloud.Open(ctx, f.o.Pace, func(why string, wait time.Duration) {
		e := report.Event{Type: "progress", Step: "ask the API", Text: remote.Sanitize(why)}
		if wait >= longHold { // shown whatever else is
			e.Type, e.Step = "note", ""
		}
		f.o.Tell(e)
	})
	if err != nil {
		return nil, report.UsageOf(err)
	}
	f.account = a
	return a, nil
}

// CloudError is report.HostError for what belongs to the account, with what its cloud says of the error.
func (f *Fleet) CloudError(step string, err error) error {
	var own *report.Error
	if err != nil && f.Asked() != nil && !errors.As(err, &own) {
		err = f.Asked().Explain(err)
	}
	return report.HostError("", step, report.ExitCloud, err)
}

// longHold is from when on a wait for the API is long enough for somebody to wonder.
const longHold = 4 * time.Second

// found remembers where the machines are.
func (f *Fleet) found(l cloud.Listing) {
	places := l.Places()
	f.mu.Lock()
	f.places = places
	f.mu.Unlock()
}

// Absent tells whether a host is a machine of the cloud that does not exist, or that nobody has logged in to yet.
// It is not dialled, and what it should have is not there.
func (f *Fleet) Absent(host string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.o.Inventory.Host(host)
	at, ok := f.places[host]
	return h != nil && h.Machine != nil && (!ok || at.Newborn)
}

// Target says how to reach a host.
func (f *Fleet) Target(ctx context.Context, host string) (remote.Target, error) {
	h := f.o.Inventory.Host(host)
	if h != nil && h.Machine == nil {
		return f.declared(h), nil
	}
	f.mu.Lock()
	known := f.places != nil
	f.mu.Unlock()
	if !known {
		if _, err := f.Look(ctx); err != nil {
			return remote.Target{}, err
		}
	}
	f.mu.Lock()
	at, ok := f.places[host]
	f.mu.Unlock()
	switch {
	case !ok || at.Address == "":
		return remote.Target{}, &report.Error{Code: report.ExitUnreachable, Host: host, Step: "connect", Cause: "the " + f.o.Cloud.Noun() + " does not exist yet", Hint: "provision apply"}
	case len(at.Sums) == 0:
		return remote.Target{}, &report.Error{
			Code: report.ExitHostKey, Host: host, Step: "verify host key of " + at.Address, Cause: "no tag of the " + f.o.Cloud.Noun() + " says which host key it has",
			Hint: "find out who took the tag provision:hostkey:... away; to put it back, compare with the console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
		}
	}
	if h == nil { // one that is no longer declared is reached as the others are
		s := f.o.Inventory.SSH
		h = &inventory.Host{User: "root", IdentityFile: s.IdentityFile, Jump: s.Jump, KnownHosts: s.KnownHosts, HostKeyChecking: s.HostKeyChecking, ConnectTimeout: s.ConnectTimeout}
	}
	t := f.declared(h)
	t.Name, t.Address, t.HostKey, t.HostKeySums = host, at.Address, "", at.Sums
	return t, nil
}

// Held is the lock of a host that the run holds; nil for none.
func (f *Fleet) Held(host string) *Lock {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.locks[host]
}

// Keep says that a lock is held.
func (f *Fleet) Keep(host string, l *Lock) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.locks[host] = l
}

// Address is where a machine of the cloud is reached; "" if that is not known.
func (f *Fleet) Address(host string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.places[host].Address
}

// declared is how the inventory says that a host is reached.
func (f *Fleet) declared(h *inventory.Host) remote.Target {
	t := remote.Target{
		Name: h.Name, Address: h.Address, Port: h.Port, User: h.User, IdentityFile: h.IdentityFile, KnownHosts: h.KnownHosts,
		HostKey: h.HostKey, HostKeyChecking: h.HostKeyChecking, Jump: h.Jump, ConnectTimeout: h.ConnectTimeout,
	}
	if ref := f.o.Inventory.Sudo.Password; ref.Set() {
		t.SudoPassword = func(ctx context.Context) (string, error) { return ref.Resolve(ctx, f.o.Inventory.Dir) }
	}
	return t
}
