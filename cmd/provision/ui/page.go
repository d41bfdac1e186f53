package ui

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"provision/provision"
	"provision/provision/report"
)

// Page collects the events of an apply and writes what became of it as one page that needs nothing
// beside itself. It may be told events concurrently.
type Page struct {
	mu       sync.Mutex
	topology *provision.Topology
	begun    time.Time
	plan     *report.Plan // the first one, which was confirmed
	spans    []span
	notes    []report.Event
	report   *report.Report
}

// span is a part of the time of one host.
type span struct {
	Host, Stage, What, State string
	Start, Seconds           float64
	Wire                     report.Wire
}

// NewPage makes a page about a system.
func NewPage(t *provision.Topology) *Page { return &Page{topology: t, begun: time.Now()} }

// Event takes note of one event.
func (p *Page) Event(e report.Event) {
	e = placed(e)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Type {
	case "plan":
		if p.plan == nil {
			p.plan = e.Plan
		}
	case "note":
		p.notes = append(p.notes, e)
	case "report":
		p.report = e.Report
	case "connect", "observe", "change":
		if e.State == "start" || e.State == report.Skipped {
			return
		}
		s := span{Host: e.Host, Stage: e.Stage, What: e.Act + " " + e.Step, State: e.State, Seconds: e.Seconds}
		if e.Type != "change" {
			s.Stage, s.What = e.Type, e.Type
		}
		if e.Wire != nil {
			s.Wire = *e.Wire
		}
		s.Start = max(e.Time.Sub(p.begun).Seconds()-e.Seconds, 0)
		p.spans = append(p.spans, s)
	}
}

//go:embed report.html.tmpl
var pageTemplate string

// lane is the time of one host.
type lane struct {
	Host  string
	Spans []span
}

// Write writes the page. It is called after the last event.
func (p *Page) Write(w io.Writer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	result := p.report
	if result == nil {
		result = &report.Report{}
	}
	total := max(result.Seconds, 0.001)
	t, err := template.New("report").Funcs(template.FuncMap{
		"took": took, "size": size, "symbol": symbol, "count": Count,
		"percent": func(seconds float64) template.CSS {
			return template.CSS(fmt.Sprintf("%.3f%%", min(100, max(0, seconds/total*100))))
		},
		"diffLines": diffLines,
		"stageClass": func(stage string) string {
			return "s-" + stage
		},
	}).Parse(pageTemplate)
	if err != nil {
		return err
	}
	slowest := slices.Clone(p.spans)
	slices.SortStableFunc(slowest, func(a, b span) int { return cmp.Compare(b.Seconds, a.Seconds) })
	verdict, class := verdict(result)
	made := 0
	for _, o := range result.Outcomes {
		if o.State == report.Done {
			made++
		}
	}
	words := fmt.Sprint(made)
	if n := len(result.Outcomes); made < n {
		words += fmt.Sprintf(" of %d", n)
	}
	return t.Execute(w, map[string]any{
		"Report": result, "Topology": p.topology, "Verdict": verdict, "Made": words, "Class": class,
		"Picture": template.HTML(svg(p.topology)), // made here, and escaped there
		"Begun":   p.begun.Format("2006-01-02 15:04:05 -0700"), "Plan": p.plan, "Groups": groups(p.plan),
		"Lanes": lanes(p.spans), "Slowest": slowest, "Notes": p.notes, "Ticks": ticks(total),
		"Stages": append([]string{"connect", "observe"}, report.Stages...),
	})
}

// verdict is the result in a few words, and its class.
func verdict(r *report.Report) (words, class string) {
	failed := 0
	for _, o := range r.Outcomes {
		if o.State == report.Failed || o.State == report.Unsure {
			failed++
		}
	}
	switch {
	case r.ExitCode == report.ExitInterrupted:
		return "interrupted", "bad"
	case failed > 0:
		return Count(failed, "change") + " failed", "bad"
	case r.ExitCode != report.ExitDone:
		return "failed", "bad"
	case len(r.Outcomes) == 0:
		return "nothing to change, everything works", "good"
	}
	return Count(len(r.Outcomes), "change") + " made, everything works", "good"
}

func lanes(spans []span) (out []lane) {
	for _, s := range spans {
		i := slices.IndexFunc(out, func(l lane) bool { return l.Host == s.Host })
		if i < 0 {
			out, i = append(out, lane{Host: s.Host}), len(out)
		}
		out[i].Spans = append(out[i].Spans, s)
	}
	slices.SortFunc(out, func(a, b lane) int { return strings.Compare(a.Host, b.Host) })
	return out
}

// ticks are round numbers of seconds for the axis of time.
func ticks(total float64) (out []float64) {
	step := 0.1
	for k := 0; total/step > 6; k++ {
		step *= []float64{2, 2.5, 2}[k%3]
	}
	for t := step; t < total; t += step {
		out = append(out, t)
	}
	return out
}

// diffLine is a line of a diff with its class.
type diffLine struct{ Class, Text string }

func diffLines(text string) (out []diffLine) {
	for n, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if n < 2 { // the two names
			continue
		}
		class := ""
		switch {
		case strings.HasPrefix(l, "+"):
			class = "add"
		case strings.HasPrefix(l, "-"):
			class = "remove"
		case strings.HasPrefix(l, "@@"):
			class = "at"
		}
		out = append(out, diffLine{class, l})
	}
	return out
}
