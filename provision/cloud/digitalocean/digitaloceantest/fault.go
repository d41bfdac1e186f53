package digitaloceantest

import (
	"regexp"
	"time"
)

// Fault makes a call go wrong. The zero value of Nth means the first match.
type Fault struct {
	Match string // regular expression on "METHOD /path?query"
	Nth   int    // which match, counted from 1; -1: every one

	Status     int           // answer with this error
	Message    string        // of that error
	RetryAfter time.Duration // with 429, in whole seconds
	Drop       bool          // reset the connection without an answer
	Hang       bool          // until the client gives up
	Do         func()        // called first; the call then goes on unless one of the above says otherwise
	Late       bool          // let the call take effect first, then do the above

	Empty bool // answer as the call says, and leave out what it should hold

	Slow    int  // the actions that the call begins need so many looks more; -1: they never end
	Errored bool // they end as errored, without effect
	Vanish  bool // with Errored: the droplet whose creation it was is taken away again
	Void    bool // they end as completed, without effect; a creation never does

	re   *regexp.Regexp
	seen int
}

// Fail adds a fault. It panics if Match is no regular expression.
func (c *Cloud) Fail(f Fault) {
	f.re = regexp.MustCompile(f.Match)
	f.Nth = max(f.Nth, -1)
	if f.Nth == 0 {
		f.Nth = 1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, &f)
}

// Heal takes all faults away.
func (c *Cloud) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
}

// fault is the one that strikes a call; the zero value strikes nothing.
func (c *Cloud) fault(text string) (hit Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		if !f.re.MatchString(text) {
			continue
		}
		if f.seen++; hit.re == nil && (f.Nth == -1 || f.seen == f.Nth) {
			hit = *f
		}
	}
	return hit
}

// answer is what the fault has the client told, if it does.
func (f Fault) answer() answer {
	message := f.Message
	if message == "" {
		message = map[int]string{429: "API rate limit exceeded.", 404: "The resource you requested could not be found."}[f.Status]
	}
	if message == "" {
		message = "Unexpected server-side error"
	}
	a := refuse(f.Status, "%s", message)
	a.retryAfter = int(f.RetryAfter / time.Second)
	return a
}
