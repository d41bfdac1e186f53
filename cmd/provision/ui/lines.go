package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"provision/provision/report"
)

// Heartbeat is after how long a change that still runs is named again where there is no live board.
const Heartbeat = 15 * time.Second

// Lines is the face without a terminal: a line for each change that ended, as
//
//	HOST  STAGE  CHANGE  RESULT  TIME
//
// and one for whatever takes long.
type Lines struct {
	w       io.Writer
	s       Style
	verbose bool
	every   time.Duration

	mu      sync.Mutex
	width   int // of the column of hosts
	running []*long
	skipped skipped
	quit    chan struct{}
	beating sync.WaitGroup
	closing sync.Once
}

// long is something that has begun and not ended.
type long struct {
	e           report.Event
	begun, told time.Time
	said        string
}

var _ Face = (*Lines)(nil)

// NewLines shows events on w. every is the time between the lines of one change that still runs.
func NewLines(w io.Writer, s Style, verbose bool, every time.Duration) *Lines {
	l := &Lines{w: w, s: s, verbose: verbose, every: every, width: 8, quit: make(chan struct{})}
	l.beating.Go(l.beat)
	return l
}

func (l *Lines) Say(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, text)
}

func (l *Lines) Pause() {}

func (l *Lines) Question() func() { return func() {} }

func (l *Lines) Close() {
	l.closing.Do(func() { close(l.quit) })
	l.beating.Wait()
}

func (l *Lines) beat() {
	tick := time.NewTicker(l.every / 5)
	defer tick.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-tick.C:
			l.mu.Lock()
			for _, c := range l.running {
				if time.Since(c.told) >= l.every {
					c.told = time.Now()
					stage, what := c.e.Stage, c.e.Act+" "+c.e.Step
					if c.e.Type != "change" {
						stage, what = c.e.Type, c.e.Text
					}
					l.row(c.e.Host, stage, what, l.s.dim("running"), time.Since(c.begun).Seconds(), c.said)
				}
			}
			l.mu.Unlock()
		}
	}
}

func (l *Lines) row(host, stage, change, result string, seconds float64, rest string) {
	if rest != "" {
		rest = "  " + rest
	}
	fmt.Fprintf(l.w, "%-*s  %-8s  %s  %s  %s%s\n", l.width, host, stage, change, result, took(seconds), rest)
}

func (l *Lines) remark(host, stage, text string) {
	fmt.Fprintf(l.w, "%-*s  %s  %s\n", l.width, host, fit(stage, 8), text)
}

func (l *Lines) Event(e report.Event) {
	e = placed(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.width = max(l.width, len(e.Host))
	l.track(e)
	switch e.Type {
	case "plan":
		if e.Text != "" {
			fmt.Fprintln(l.w, l.s.yellow(e.Text))
		}
		for _, c := range e.Plan.Changes {
			l.width = max(l.width, len(c.Host))
		}
		announced(l.w, l.s, e.Plan)
	case "connect":
		if e.State != "start" && l.verbose {
			l.row(e.Host, "connect", "", result(l.s, e.State), e.Seconds, "")
		}
	case "observe":
		if l.verbose && e.State != "start" {
			l.row(e.Host, "observe", "", result(l.s, e.State), e.Seconds, e.Text)
		}
	case "lock":
		if e.State == "start" || l.verbose {
			l.remark(e.Host, "lock", e.Text+strings.TrimPrefix(e.State, "start"))
		}
	case "round":
		if e.Round > 1 {
			fmt.Fprintf(l.w, "round %d: %s\n", e.Round, e.Text)
		}
	case "report":
		l.skipped.tell(func(host, text string) { l.remark(host, l.s.yellow("skipped"), text) })
	case "note":
		l.remark(e.Host, "note", l.s.yellow(e.Text))
	case "change":
		l.change(e)
	case "progress":
		for _, c := range l.running {
			if c.e.Host == e.Host && c.e.Step == e.Step {
				c.said = progress(e)
			}
		}
		if l.verbose && e.Text != "" {
			l.remark(e.Host, e.Stage, l.s.dim("  "+e.Text))
		}
	case "verify":
		if e.Host != "" && e.State != "start" {
			l.row(e.Host, "verify", e.Text, result(l.s, e.State), e.Seconds, "")
		}
	}
}

// track keeps what is running.
func (l *Lines) track(e report.Event) {
	if e.State == "" || e.Host == "" {
		return
	}
	l.running = slices.DeleteFunc(l.running, func(c *long) bool { return c.e.Type == e.Type && c.e.Host == e.Host && c.e.Step == e.Step })
	if e.State == "start" {
		l.running = append(l.running, &long{e: e, begun: time.Now(), told: time.Now()})
	}
}

func (l *Lines) change(e report.Event) {
	switch e.State {
	case "start":
		return
	case report.Skipped:
		l.skipped.add(e)
		return
	}
	l.row(e.Host, e.Stage, e.Act+" "+e.Step, result(l.s, e.State), e.Seconds, e.Text)
}

// result is the state of what ended, in its colour.
func result(s Style, state string) string {
	switch state {
	case report.Done:
		return s.green(state)
	case report.Skipped:
		return s.yellow(state)
	}
	return s.red(state)
}

// progress says in a few words how far a change is.
func progress(e report.Event) string {
	p := e.Progress
	switch {
	case p == nil:
		return cut(e.Text, 100)
	case p.Unit == "bytes":
		return fmt.Sprintf("%s %s of %s", p.What, size(p.Done), size(p.Total))
	}
	text := fmt.Sprintf("%s %d of %d %s", p.What, p.Done, p.Total, p.Unit)
	if p.Bytes > 0 {
		text += ", " + size(p.Bytes) + " fetched"
	}
	return text
}
