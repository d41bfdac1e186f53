package fleet

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"provision/provision/report"
	"provision/remote"
)

// Open dials and locks a droplet in the middle of a run, when the first of its changes comes. A new
// one is waited for: it is active before sshd answers, and sshd answers before it knows the keys.
func (f *Fleet) Open(ctx context.Context, host string) (*Lock, error) {
	if l := f.Held(host); l != nil {
		return l, nil
	}
	got, err, _ := f.opening.Do(host, func() (any, error) {
		if l := f.Held(host); l != nil {
			return l, nil
		}
		a, err := f.Account(ctx)
		if err != nil {
			return nil, err
		}
		at, there, err := a.Place(ctx, host)
		if err == nil && !there {
			err = errors.New("the " + f.o.Cloud.Noun() + " is gone")
		}
		if err != nil {
			return nil, err
		}
		f.mu.Lock()
		f.places[host] = at
		f.mu.Unlock()
		dial := func(ctx context.Context) (bool, error) {
			_, err := f.Conn(ctx, host)
			var re *remote.Error
			if err != nil && at.Newborn && errors.As(err, &re) && (re.Kind == remote.Unreachable || re.Kind == remote.Busy || re.Kind == remote.Auth) {
				f.o.Tell(report.Event{Type: "progress", Host: host, Step: "first login", Text: "waiting for its sshd: " + re.Error()})
				return false, nil
			}
			return true, err
		}
		if err := a.Until(ctx, "the first login to "+host, dial); err != nil {
			return nil, err
		}
		if err := f.turn(ctx, host); err != nil {
			return nil, err
		}
		l, err := f.Lock(ctx, host)
		if err != nil {
			return nil, err
		}
		l.Follow(func(line string) {
			f.o.Tell(report.Event{Type: "progress", Host: host, Step: "first login", Text: line})
		}, nil)
		f.Keep(host, l)
		for _, one := range f.logins {
			if one.host == host {
				close(one.locked)
			}
		}
		return l, nil
	})
	if err != nil {
		return nil, err
	}
	return got.(*Lock), nil
}

// Redial gives up a droplet's connection and lock, which ended when it was switched off, and waits
// until it answers again.
func (f *Fleet) Redial(ctx context.Context, host string) error {
	f.hangUp(host)
	a, err := f.Account(ctx)
	if err != nil {
		return err
	}
	err = a.Until(ctx, host+" answers again", func(ctx context.Context) (bool, error) {
		_, err := f.Conn(ctx, host)
		var re *remote.Error
		if errors.As(err, &re) && (re.Kind == remote.Unreachable || re.Kind == remote.Busy) {
			return false, nil
		}
		return true, err
	})
	if err == nil {
		_, err = f.Open(ctx, host)
	}
	return err
}

// login is the first login to a droplet in this round.
type login struct {
	host   string
	locked chan struct{}   // closed when its lock is taken
	done   <-chan struct{} // closed when its change has ended
}

// Logins says which first logins to machines of the cloud this round has, and when the change of each has ended.
func (f *Fleet) Logins(done map[string]<-chan struct{}) {
	f.logins = nil
	for _, host := range slices.Sorted(maps.Keys(done)) {
		f.logins = append(f.logins, login{host, make(chan struct{}), done[host]})
	}
}

// turn waits until droplets that come before by their names are locked, or could not be: two who
// create the same droplets must not hold one each and wait for the other.
func (f *Fleet) turn(ctx context.Context, host string) error {
	for _, one := range f.logins {
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

// VerifyHostKey dials the droplet again and accepts this key only. It retries for a while, because sshd presents the old key
// until it has reloaded.
func (f *Fleet) VerifyHostKey(ctx context.Context, host, sum string) error {
	a, err := f.Account(ctx)
	if err != nil {
		return err
	}
	t, err := f.Target(ctx, host)
	if err != nil {
		return err
	}
	t.HostKeySums = []string{sum}
	// A dial takes the time that it takes, for which connect_timeout is the measure. Only one that was answered says anything of the
	// key: the other one may be shown for a moment, until sshd has read its own.
	var last error
	var answered time.Time
	err = a.Until(ctx, "the host presents its own key", func(ctx context.Context) (bool, error) {
		var c *remote.Conn
		if c, last = f.o.Dialer.Dial(ctx, t); last == nil {
			return true, c.Close()
		}
		var e *remote.Error
		switch {
		case errors.As(last, &e) && e.Kind == remote.Unreachable: // sshd has gone for a moment, or the machine is slow
		case answered.IsZero():
			answered = time.Now()
		case time.Since(answered) > a.Moment():
			return false, last
		}
		return false, nil
	})
	if err != nil && last != nil && ctx.Err() == nil {
		return last
	}
	return err
}
