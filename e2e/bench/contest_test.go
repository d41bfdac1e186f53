//go:build linux

package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestContest(t *testing.T) {
	var order []string
	one := func(name string, turns int) *contender {
		return &contender{
			name: name, turns: turns,
			before: func() error { order = append(order, "("); return nil },
			run:    func() (usage, error) { order = append(order, name+")"); return usage{3 << 20}, nil },
		}
	}
	c := contest{contenders: []*contender{one("a", 4), one("b", 2)}}
	if err := c.hold(t.Logf); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "(a)(a)(b)(a)(a)(b)" {
		t.Errorf("turns: %s", got)
	}
	fails := contest{contenders: []*contender{{name: "c", turns: 1, run: func() (usage, error) { return usage{}, errors.New("no") }}}}
	if err := fails.hold(t.Logf); err == nil || err.Error() != "c: no" {
		t.Errorf("error %v", err)
	}
}

func TestTable(t *testing.T) {
	s := func(seconds ...int) (d []time.Duration) {
		for _, n := range seconds {
			d = append(d, time.Duration(n)*time.Second)
		}
		return d
	}
	c := contest{title: "Job", text: "What it is.", memory: 4 << 20, contenders: []*contender{
		{name: "a", times: s(9, 2, 1), memory: 5 << 20}, {name: "b", times: s(4), goal: 0.7}, {name: "c", times: s(1, 1), goal: 1.5}, {name: "d", times: s(4)},
	}}
	want := `## Job

What it is.

| | median | fastest to slowest | turns | a takes | goal |
|---|---|---|---|---|---|
| a | 2.00 s | 1.00 s to 9.00 s | 3 |  |  |
| b | 4.00 s | 4.00 s to 4.00 s | 1 | 0.50 times this | at most 0.7 times: met |
| c | 1.00 s | 1.00 s to 1.00 s | 2 | 2.00 times this | at most 1.5 times: **missed** |
| d | 4.00 s | 4.00 s to 4.00 s | 1 | 0.50 times this |  |

Memory of a (peak resident set): 5 MiB, goal at most 4 MiB: **missed**.
`
	if got := c.table(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
