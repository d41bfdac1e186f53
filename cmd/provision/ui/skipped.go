package ui

import (
	"fmt"

	"provision/provision/report"
)

// skipped counts the changes that were not begun. One that fails early leaves dozens of them, so
// they are told together.
type skipped struct {
	hosts []string
	count map[string]int
	first map[string]report.Event
}

func (s *skipped) add(e report.Event) {
	if s.count == nil {
		s.count, s.first = map[string]int{}, map[string]report.Event{}
	}
	if s.count[e.Host] == 0 {
		s.hosts = append(s.hosts, e.Host)
		s.first[e.Host] = e
	}
	s.count[e.Host]++
}

// tell tells them once, a host at a time: how many, and of the first one why.
func (s *skipped) tell(line func(host, text string)) {
	for _, h := range s.hosts {
		e := s.first[h]
		if n := s.count[h]; n == 1 {
			line(h, fmt.Sprintf("%s %s: %s", e.Act, e.Step, e.Text))
		} else {
			line(h, fmt.Sprintf("%d changes, the first is %s %s: %s", n, e.Act, e.Step, e.Text))
		}
	}
	*s = skipped{}
}
