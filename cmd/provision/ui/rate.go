package ui

import "time"

// rate is how fast bytes come: those of the last seconds, so it is that of now, and 0 once nothing
// comes any more.
type rate struct {
	seen []reading // oldest first
}

type reading struct {
	at    time.Time
	bytes int64 // so far
}

const rateSpan = 5 * time.Second

// add takes how many bytes have come by now. Fewer than before are those of something else.
func (r *rate) add(bytes int64, now time.Time) {
	n := len(r.seen)
	if n > 0 && bytes < r.seen[n-1].bytes {
		r.seen, n = nil, 0
	}
	if n > 1 && now.Sub(r.seen[n-2].at) < rateSpan/50 {
		r.seen = r.seen[:n-1]
	}
	r.seen = append(r.seen, reading{now, bytes})
	r.seen = r.seen[r.first(now):]
}

// first is the index of the last reading before the span, or else of the first one.
func (r *rate) first(now time.Time) int {
	i := 0
	for i+1 < len(r.seen) && now.Sub(r.seen[i+1].at) >= rateSpan {
		i++
	}
	return i
}

// perSecond is 0 where there is nothing to tell it by.
func (r *rate) perSecond(now time.Time) float64 {
	if len(r.seen) == 0 {
		return 0
	}
	first, last := r.seen[r.first(now)], r.seen[len(r.seen)-1]
	d := min(now.Sub(first.at), rateSpan)
	if d <= 0 {
		return 0
	}
	return float64(last.bytes-first.bytes) / d.Seconds()
}
