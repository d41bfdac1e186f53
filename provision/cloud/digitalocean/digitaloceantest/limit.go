package digitaloceantest

import (
	"math"
	"net/http"
	"time"
)

// rate is what the headers of an answer say of the limits.
type rate struct {
	limit, remaining int
	reset            time.Time
}

// spend counts a call against the limits and refuses it if they are reached.
func (c *Cloud) spend(keyList bool) (rate, answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.recent = since(c.recent, now.Add(-time.Hour))
	r := rate{limit: c.options.Hourly, reset: now.Add(time.Hour)}
	if len(c.recent) > 0 {
		r.reset = c.recent[0].Add(time.Hour)
	}
	if len(c.recent) >= c.options.Hourly {
		return r, refuse(http.StatusTooManyRequests, "API rate limit exceeded.")
	}
	r.remaining = c.options.Hourly - len(c.recent) - 1
	if wait := over(since(c.recent, now.Add(-time.Minute)), c.options.Burst, now); wait > 0 {
		r.remaining = 0
		return r, tooFast(wait)
	}
	if keyList {
		// The list of SSH keys has a limit of its own.
		c.keyLists = since(c.keyLists, now.Add(-time.Minute))
		if wait := over(c.keyLists, 10, now); wait > 0 {
			return r, tooFast(wait)
		}
		c.keyLists = append(c.keyLists, now)
	}
	c.recent = append(c.recent, now)
	return r, answer{}
}

func since(all []time.Time, t time.Time) []time.Time {
	for len(all) > 0 && !all[0].After(t) {
		all = all[1:]
	}
	return all
}

// over is how long to wait if so many calls of the last minute are the limit.
func over(lastMinute []time.Time, limit int, now time.Time) time.Duration {
	if limit <= 0 || len(lastMinute) < limit {
		return 0
	}
	return lastMinute[0].Add(time.Minute).Sub(now)
}

func tooFast(wait time.Duration) answer {
	a := refuse(http.StatusTooManyRequests, "API rate limit exceeded.")
	a.retryAfter = int(math.Ceil(wait.Seconds()))
	return a
}
