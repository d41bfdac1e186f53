package ui

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"provision/provision/report"
)

// board is what the live board shows: it takes events in, and gives lines that are finished and a
// picture of what happens. It knows no terminal.
type board struct {
	s        Style
	begun    time.Time
	hosts    map[string]*boardHost
	names    []string   // in order
	finished []scrolled // lines that scroll up, not taken yet
	skipped  skipped
	remark   string // the last line of the picture, instead of the usual one
}

// scrolled is a finished line; its middle part is cut where the terminal is narrow.
type scrolled struct{ left, what, right string }

// boardHost is one line of it.
type boardHost struct {
	planned, ended, failed, skipped int

	doing    *report.Event // the change in hand, nil if none
	state    string        // in words, while nothing is in hand
	begun    time.Time     // of what it does
	said     string        // the last line of what it does
	progress *report.Progress
	rate     rate
}

func newBoard(s Style, now time.Time) *board {
	return &board{s: s, begun: now, hosts: map[string]*boardHost{}}
}

func (b *board) host(name string) *boardHost {
	h := b.hosts[name]
	if h == nil {
		h = &boardHost{}
		b.hosts[name] = h
		i, _ := slices.BinarySearch(b.names, name)
		b.names = slices.Insert(b.names, i, name)
	}
	return h
}

// event takes an event in.
func (b *board) event(e report.Event, now time.Time) {
	e = placed(e)
	if e.Type == "plan" {
		for _, h := range b.hosts {
			*h = boardHost{}
		}
		for _, c := range e.Plan.Changes {
			b.host(c.Host).planned++
		}
		return
	}
	if e.Type == "report" {
		b.skipped.tell(func(host, text string) {
			b.scroll(fmt.Sprintf("%s %s  %s   %s", b.s.yellow("-"), b.padded(host), b.s.yellow("skipped"), text))
		})
		return
	}
	if e.Host == "" {
		if e.Type == "round" && e.Round > 1 {
			b.scroll(b.s.dim(fmt.Sprintf("round %d: %s", e.Round, e.Text)))
		}
		return
	}
	h := b.host(e.Host)
	switch e.Type {
	case "connect":
		h.wait(now, map[string]string{"start": "connecting to " + e.Text, "done": "connected", "failed": "not reached"}[e.State])
	case "observe":
		h.wait(now, map[string]string{"start": "observing", "done": "observed"}[e.State])
	case "lock":
		h.wait(now, map[string]string{"start": e.Text, "done": "locked"}[e.State])
	case "verify":
		if e.State == "start" {
			h.wait(now, "verifying: "+e.Text)
			return
		}
		h.wait(now, "verified")
		b.finish(e, e.Text)
	case "note":
		b.scroll(fmt.Sprintf("  %s  %-8s  %s", b.padded(e.Host), "note", b.s.yellow(e.Text)))
	case "change":
		if e.State == "start" {
			*h = boardHost{planned: h.planned, ended: h.ended, failed: h.failed, skipped: h.skipped, doing: &e, begun: now}
			return
		}
		h.doing, h.progress, h.said, h.rate = nil, nil, "", rate{}
		h.ended++
		h.wait(now, "")
		switch e.State {
		case report.Done:
		case report.Skipped:
			h.skipped++
			b.skipped.add(e)
			return
		default:
			h.failed++
		}
		b.finish(e, e.Act+" "+e.Step)
	case "progress":
		h.told(e, now)
	}
}

func (h *boardHost) wait(now time.Time, state string) { h.state, h.begun = state, now }

func (h *boardHost) told(e report.Event, now time.Time) {
	if text := buildPrefix.ReplaceAllString(e.Text, ""); text != "" && !strings.HasPrefix(text, "DONE ") && text != "CACHED" {
		h.said = text
	}
	if e.Progress == nil {
		return
	}
	if p := h.progress; p != nil && p.What != e.Progress.What {
		h.rate = rate{}
	}
	h.rate.add(moved(e.Progress), now)
	h.progress = e.Progress
}

// finish adds the line of what ended.
func (b *board) finish(e report.Event, what string) {
	mark := b.s.green("✓")
	if e.State != report.Done {
		mark = b.s.red("✗")
	}
	stage := e.Stage
	if stage == "" {
		stage = e.Type
	}
	line := scrolled{fmt.Sprintf("%s %s  %-8s  ", mark, b.padded(e.Host), stage), what, "  " + b.s.dim(took(e.Seconds))}
	if e.State != report.Done {
		line.right += "  " + result(b.s, e.State)
		if e.Text != "" && e.Text != what {
			line.right += ": " + e.Text
		}
	}
	b.finished = append(b.finished, line)
}

// scroll adds a line that is shown whole.
func (b *board) scroll(text string) { b.finished = append(b.finished, scrolled{left: text}) }

// nameColumn bounds the column of hosts.
const nameColumn = 20

func (b *board) padded(host string) string {
	w := 8
	for _, n := range b.names {
		w = max(w, min(len(n), nameColumn))
	}
	return fit(host, w)
}

// take returns the finished lines, once, each no wider than the terminal.
func (b *board) take(columns int) []string {
	var lines []string
	for _, l := range b.finished {
		room := columns - width(l.left) - width(l.right)
		if l.what != "" && room >= 12 {
			l.what = middle(l.what, room)
		}
		line := l.left + l.what + l.right
		if width(line) > columns {
			line = strings.ReplaceAll(lipgloss.Wrap(line, max(columns-4, 10), " "), "\n", "\n    ")
		}
		lines = append(lines, line)
	}
	b.finished = nil
	return lines
}

// view is the picture: no line of it is wider than the terminal, and it is lower than the terminal.
func (b *board) view(now time.Time, columns, rows int) string {
	columns = max(columns-1, 1) // the last column makes some terminals wrap
	shown := b.names
	var rest string
	if room := max(rows-3, 1); len(shown) > room {
		shown, rest = b.busiest(room)
	}
	lines := make([]string, 0, len(shown)+2)
	for _, n := range shown {
		lines = append(lines, cut(b.line(n, now, columns), columns))
	}
	if rest != "" {
		lines = append(lines, b.s.dim(cut(rest, columns)))
	}
	foot := b.remark
	if foot == "" {
		foot = b.s.dim(clock(now.Sub(b.begun)) + "  Ctrl-C finishes the changes in hand")
	}
	return strings.Join(append(lines, cut(foot, columns)), "\n")
}

// busiest are the hosts that have something in hand, then the others, and what is said of the rest.
func (b *board) busiest(room int) (shown []string, rest string) {
	for _, working := range []bool{true, false} {
		for _, n := range b.names {
			if (b.hosts[n].doing != nil) == working && len(shown) < room {
				shown = append(shown, n)
			}
		}
	}
	done := 0
	for _, n := range b.names {
		if h := b.hosts[n]; !slices.Contains(shown, n) && h.planned > 0 && h.ended >= h.planned {
			done++
		}
	}
	slices.Sort(shown)
	return shown, fmt.Sprintf("and %s, %d of them done", Count(len(b.names)-len(shown), "more host"), done)
}

// Widths from which a line has room for more than host, change and time.
const (
	roomForStage = 60
	roomForBar   = 84
)

func (b *board) line(name string, now time.Time, columns int) string {
	h := b.hosts[name]
	stage, what, bar := "", h.state, ""
	mark := b.s.dim("·")
	switch {
	case h.doing != nil:
		mark = b.s.cyan(spinner[int(now.Sub(b.begun)/(100*time.Millisecond))%len(spinner)])
		stage, what = h.doing.Stage, h.what()
		bar = h.bar(b.s, now, columns)
	case h.failed > 0:
		mark, what = b.s.red("✗"), Count(h.failed, "change")+" failed"
	case h.skipped > 0:
		mark, what = b.s.yellow("-"), Count(h.skipped, "change")+" skipped"
	case h.planned > 0 && h.ended >= h.planned:
		mark, what = b.s.green("✓"), "done"
	case h.planned > 0 && what == "":
		what = "waiting for another host"
	}
	left := mark + " " + b.padded(name) + "  "
	if columns < roomForStage {
		left = mark + " " + fit(name, min(len(name), 12)) + " "
	} else {
		left += b.s.blue(fit(stage, 8)) + "  "
	}
	right := ""
	if h.planned > 0 {
		right = fmt.Sprintf(" %*d/%d", len(fmt.Sprint(h.planned)), h.ended, h.planned)
	}
	if h.doing != nil || !h.begun.IsZero() && h.planned == 0 {
		right += " " + b.s.dim(fmt.Sprintf("%5s", clock(now.Sub(h.begun))))
	} else {
		right += "      "
	}
	if columns >= roomForBar {
		right += "  " + fit(bar, barColumn(columns))
	} else {
		right = " " + fit(bar, 4) + right // a percentage
	}
	room := columns - width(left) - width(right)
	return left + fit(middle(what, room), room) + right
}

var spinner = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

func barColumn(columns int) int { return min(48, columns*3/8) }

// bar says how far the change in hand is: a bar with numbers, in a narrow terminal the percentage;
// where there are no numbers, what it printed last.
func (h *boardHost) bar(s Style, now time.Time, columns int) string {
	p := h.progress
	if p == nil || p.Total <= 0 {
		if columns < roomForBar {
			return ""
		}
		return s.dim(h.said)
	}
	part := min(float64(p.Done)/float64(p.Total), 1)
	if columns < roomForBar {
		return fmt.Sprintf("%d%%", int(part*100))
	}
	const cells = 12
	full := int(part * cells)
	bar := s.cyan(strings.Repeat("█", full)) + s.dim(strings.Repeat("░", cells-full))
	text := fmt.Sprintf("%s %s/%s", bar, strings.TrimSuffix(size(p.Done), " "+unit(p.Done, p.Total)), size(p.Total))
	if p.Unit != "bytes" {
		text = fmt.Sprintf("%s %s %d/%d", bar, p.What, p.Done, p.Total)
		if p.Bytes > 0 {
			text += " " + size(p.Bytes)
		}
	}
	if n := h.rate.perSecond(now); n > 0 {
		text += " " + size(int64(n)) + "/s"
	}
	return text
}

// what is the change in hand; of a build also what it does now.
func (h *boardHost) what() string {
	if h.progress == nil || h.progress.What != "build" || h.said == "" {
		return h.doing.Act + " " + h.doing.Step
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(h.doing.Step, "image "), ":")
	return name + ": " + h.said
}

// buildPrefix is what the client puts before a line of a build: which step it is of, and since when it runs.
var buildPrefix = regexp.MustCompile(`^#\d+ (\[[^\]]*\] |\d+\.\d+ )?`)

// moved is how many bytes have come or gone so far.
func moved(p *report.Progress) int64 {
	if p.Unit == "bytes" {
		return p.Done
	}
	return p.Bytes
}

// unit is the unit that two sizes share, so that it is written once.
func unit(a, b int64) string {
	_, x, _ := strings.Cut(size(a), " ")
	_, y, _ := strings.Cut(size(b), " ")
	if x == y {
		return x
	}
	return ""
}

// clock is a duration as minutes and seconds.
func clock(d time.Duration) string {
	d = max(d, 0)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
