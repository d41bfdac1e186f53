package provision

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"provision/remote"
)

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
		at, there, err := a.Place(ctx, host)
		if err == nil && !there {
			err = errors.New("the " + p.System.cloud.Noun() + " is gone")
		}
		if err != nil {
			return nil, err
		}
		p.connMu.Lock()
		p.places[host] = at
		p.connMu.Unlock()
		dial := func(ctx context.Context) (bool, error) {
			_, err := p.conn(ctx, host)
			var re *remote.Error
			if err != nil && at.Newborn && errors.As(err, &re) && (re.Kind == remote.Unreachable || re.Kind == remote.Busy || re.Kind == remote.Auth) {
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

// redial gives up a droplet's connection and lock, which ended when it was switched off, and waits
// until it answers again.
func (p *Pass) redial(ctx context.Context, host string) error {
	p.hangUp(host)
	a, err := p.cloud(ctx)
	if err != nil {
		return err
	}
	err = a.Until(ctx, host+" answers again", func(ctx context.Context) (bool, error) {
		_, err := p.conn(ctx, host)
		var re *remote.Error
		if errors.As(err, &re) && (re.Kind == remote.Unreachable || re.Kind == remote.Busy) {
			return false, nil
		}
		return true, err
	})
	if err == nil {
		_, err = p.open(ctx, host)
	}
	return err
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

// verifyHostKey dials the droplet again and accepts this key only. It retries for a while, because sshd presents the old key
// until it has reloaded.
func (p *Pass) verifyHostKey(ctx context.Context, host, sum string) error {
	a, err := p.cloud(ctx)
	if err != nil {
		return err
	}
	t, err := p.target(ctx, host)
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
		if c, last = p.Dialer.Dial(ctx, t); last == nil {
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
