package remote

import (
	"errors"
	"fmt"
)

// errShared ends a handshake with a jump host that somebody has logged in to meanwhile.
var errShared = errors.New("another connection to this jump host can be shared")

// shared is a connection to a jump host that wanted a second factor: whoever goes through it uses the
// same, so that a person is asked once.
type shared struct {
	link  *link
	users int
}

// wayTo names a jump host with all that decides how it is reached and logged in to.
func wayTo(h *hop, before []*hop) string {
	key := ""
	for _, one := range append(before[:len(before):len(before)], h) {
		same := *one
		same.label = "" // which names the target
		key += fmt.Sprintf("%+v\n", same)
	}
	return key
}

// share offers an established connection to others.
func (d *Dialer) share(key string, l *link) {
	s := &shared{l, 1}
	d.mu.Lock()
	if d.shares == nil {
		d.shares = map[string]*shared{}
	}
	d.shares[key] = s
	d.mu.Unlock()
	forget := func() {
		if d.shares[key] == s {
			delete(d.shares, key)
		}
	}
	l.release = func() {
		d.mu.Lock()
		s.users--
		last := s.users == 0
		if last {
			forget()
		}
		d.mu.Unlock()
		if last {
			_ = l.client.Close()
		}
	}
	go func() {
		_ = l.client.Wait()
		d.mu.Lock()
		forget()
		d.mu.Unlock()
	}()
}

func (d *Dialer) hasShared(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shares[key] != nil
}

// sharedLink adds a connection that others made to the way, if there is one. It is closed like one's own.
func (d *Dialer) sharedLink(key string, way *[]*link) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.shares[key]
	if s == nil {
		return false
	}
	s.users++
	*way = append(*way, s.link)
	return true
}

func (l *link) close() {
	if l.release != nil {
		l.release()
		return
	}
	_ = l.client.Close()
}
