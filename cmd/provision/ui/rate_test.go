package ui

import (
	"testing"
	"time"
)

// TestRate wants the rate of the last seconds, whatever came before.
func TestRate(t *testing.T) {
	t.Parallel()
	type seen struct {
		at    float64 // seconds
		bytes int64
	}
	for name, c := range map[string]struct {
		seen []seen
		now  float64
		want float64
	}{
		"nothing":                   {nil, 9, 0},
		"one reading is no rate":    {[]seen{{1, 500}}, 1, 0},
		"since the first":           {[]seen{{0, 0}, {2, 1000}}, 2, 500},
		"the wait since counts":     {[]seen{{0, 0}, {2, 1000}}, 4, 250},
		"the last seconds alone":    {[]seen{{0, 0}, {10, 9e6}, {15, 9e6 + 5000}}, 15, 1000},
		"ends when nothing comes":   {[]seen{{0, 0}, {2, 1000}}, 7.1, 0},
		"less is another upload":    {[]seen{{0, 9000}, {1, 10}, {2, 30}}, 2, 20},
		"readings in one moment":    {[]seen{{0, 0}, {1, 100}, {1.01, 200}, {1.02, 300}}, 2, 150},
		"a clock that does not run": {[]seen{{3, 1}, {3, 2}, {3, 3}}, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var r rate
			at := func(s float64) time.Time { return time.Unix(0, 0).Add(time.Duration(s * float64(time.Second))) }
			for _, s := range c.seen {
				r.add(s.bytes, at(s.at))
			}
			if got := r.perSecond(at(c.now)); got != c.want {
				t.Errorf("%v bytes a second, want %v", got, c.want)
			}
		})
	}
	var r rate
	for n := range int64(100_000) {
		r.add(n, time.Unix(0, n*int64(time.Millisecond)))
	}
	if len(r.seen) > 60 {
		t.Errorf("%d readings are kept", len(r.seen))
	}
	if got := r.perSecond(time.Unix(100, 0)); got < 950 || got > 1050 {
		t.Errorf("%v bytes a second of 1000", got)
	}
}
