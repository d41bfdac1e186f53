package fleet

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"provision/provision/resource"
	"provision/remote"
)

// patience decides how long a lock is waited for. Somebody who shows a sign of life is waited for as
// long as the operator said. What a run has left that is gone, because it was abandoned, killed or cut off, is
// waited for as long as it may take; until it is known which of the two it is, there is some time.
type patience struct {
	deadline time.Time
	first    note
	began    time.Time
	alive    bool // it has touched its note since
	left     bool // it is gone, and what it left is waited for until then
	until    time.Time
	ended    bool // its session was ended
}

// look takes what the note says now. It tells whether to continue waiting, and whether to end the session first.
func (p *patience) look(n note, now time.Time) (more, end bool) {
	if p.began.IsZero() || n.pid != p.first.pid || n.start != p.first.start {
		p.alive = !p.began.IsZero() // somebody else took the lock meanwhile
		p.first, p.began, p.left, p.ended = n, now, false, false
	}
	p.alive = p.alive || n.touched != p.first.touched && !n.abandoned
	silent := n.pid > 0 && n.age > staleAfter
	if (n.abandoned || silent) && !p.left {
		p.left, p.until = true, now.Add(leftWait)
	}
	end = silent && !p.ended
	p.ended = p.ended || end
	unsure := n.pid > 0 && !p.alive && !p.left && now.Before(p.began.Add(staleAfter+2*heartbeat))
	return unsure || p.left && now.Before(p.until) || now.Before(p.deadline), end
}

// note is what is beside a lock.
type note struct {
	who       string
	age       time.Duration
	touched   string // when, by the host's clock
	pid       int    // of the shell that holds the lock; 0 if that is not known
	start     string // when that began, which makes it the same one
	abandoned bool
}

// waiting says what is waited for.
func (n note) waiting() string {
	if n.abandoned {
		return "waiting until what that run left has ended: " + n.who
	}
	return "waiting: " + n.who
}

// parseNote reads what readNote printed. All of it comes from the host, so numbers are parsed and
// the rest is only shown.
func parseNote(out string) note {
	nobody := note{who: "another run is working on this host"}
	l := strings.Split(strings.TrimSpace(out), "\n")
	if len(l) < 4 {
		return nobody
	}
	age, touched, _ := strings.Cut(l[0], " ")
	seconds, err := strconv.Atoi(age)
	if err != nil {
		return nobody
	}
	n := note{age: time.Duration(seconds) * time.Second, touched: touched}
	if f := strings.Fields(l[3]); len(f) == 3 {
		n.pid, _ = strconv.Atoi(f[1])
		n.start = f[2]
	}
	if n.pid <= 1 {
		n.pid = 0
	}
	n.who = fmt.Sprintf("%s works on this host, %s", remote.Sanitize(l[1]), remote.Sanitize(l[2]))
	switch {
	case len(l) < 5:
	case l[4] == resource.AbandonedMark:
		n.abandoned = true
		n.who = fmt.Sprintf("%s gave up its work on this host, %s, and what it began still runs", remote.Sanitize(l[1]), remote.Sanitize(l[2]))
	default:
		n.who += ", doing " + remote.Sanitize(l[4])
	}
	return n
}
