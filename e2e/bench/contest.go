//go:build linux

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// contender is one way to do the job.
type contender struct {
	name  string
	turns int
	// before puts the hosts into the state that run starts from; its time is not measured.
	before func() error
	// run does the job once. It fails unless the job was done.
	run func() (usage, error)
	// goal is what the first contender's time may be at most, as a multiple of this one's; 0: none is set.
	goal float64

	times  []time.Duration
	memory int64
}

// usage is what the largest process of a turn took; 0 where it is not known.
type usage struct{ memory int64 }

// contest is one job and those who do it. The first is the one that is held against the others.
type contest struct {
	title      string
	text       string // what the job is, and what makes the comparison a fair one
	contenders []*contender
	memory     int64 // what the first may take at most, in bytes; 0: no limit is set
}

// hold lets the contenders take turns, so that a machine that is slow for a while is slow for all.
// Those with few turns have them spread over the whole contest. A turn that fails ends it.
func (c *contest) hold(say func(format string, args ...any)) error {
	most := 0
	for _, one := range c.contenders {
		most = max(most, one.turns)
	}
	for turn := range most {
		for _, one := range c.contenders {
			if turn*one.turns/most == (turn+1)*one.turns/most {
				continue
			}
			if one.before != nil {
				if err := one.before(); err != nil {
					return fmt.Errorf("before %s: %w", one.name, err)
				}
			}
			start := time.Now()
			used, err := one.run()
			took := time.Since(start)
			if err != nil {
				return fmt.Errorf("%s: %w", one.name, err)
			}
			say("%s, turn %d of %d: %s", one.name, len(one.times)+1, one.turns, took.Round(time.Millisecond))
			one.times = append(one.times, took)
			one.memory = max(one.memory, used.memory)
		}
	}
	return nil
}

// median is the middle of the times; of an even number, the later of the two in the middle.
func (c *contender) median() time.Duration {
	s := slices.Sorted(slices.Values(c.times))
	return s[len(s)/2]
}

// table writes the results in Markdown.
func (c *contest) table() string {
	var b strings.Builder
	first := c.contenders[0]
	fmt.Fprintf(&b, "## %s\n\n%s\n\n", c.title, c.text)
	fmt.Fprintf(&b, "| | median | fastest to slowest | turns | %s takes | goal |\n|---|---|---|---|---|---|\n", first.name)
	for _, one := range c.contenders {
		ratio, goal := "", ""
		if one != first {
			r := float64(first.median()) / float64(one.median())
			ratio, goal = fmt.Sprintf("%.2f times this", r), verdict(r, one.goal, "at most %g times")
		}
		fmt.Fprintf(&b, "| %s | %s | %s to %s | %d | %s | %s |\n", one.name, seconds(one.median()), seconds(slices.Min(one.times)), seconds(slices.Max(one.times)), len(one.times), ratio, goal)
	}
	if c.memory > 0 {
		fmt.Fprintf(&b, "\nMemory of %s (peak resident set): %d MiB, goal %s.\n", first.name, first.memory>>20, verdict(float64(first.memory>>20), float64(c.memory>>20), "at most %.0f MiB"))
	}
	return b.String()
}

// verdict says whether a goal was met, next to the goal itself.
func verdict[T cmp.Ordered](got, goal T, text string) string {
	var none T
	switch {
	case goal == none:
		return ""
	case got > goal:
		return fmt.Sprintf(text, goal) + ": **missed**"
	}
	return fmt.Sprintf(text, goal) + ": met"
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
