// Package ui turns the stream of events, plans and reports into words for people or JSON for
// programs.
//
// Its rules: results go to standard output; progress, questions and errors to standard error.
// Messages are lower case without a full stop. An error is one line, its evidence indented below,
// and a line that says what to type next. What comes from a host is made printable before.
package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"provision/provision"
)

// Style says how text may look.
type Style struct{ Color bool }

func (s Style) paint(code, text string) string {
	if !s.Color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s Style) bold(t string) string   { return s.paint("1", t) }
func (s Style) dim(t string) string    { return s.paint("2", t) }
func (s Style) red(t string) string    { return s.paint("31", t) }
func (s Style) green(t string) string  { return s.paint("32", t) }
func (s Style) yellow(t string) string { return s.paint("33", t) }

func took(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}

// JSON writes one event a line.
func JSON(w io.Writer) func(provision.Event) {
	enc := json.NewEncoder(w)
	return func(e provision.Event) { enc.Encode(e) }
}

// PlanJSON writes a plan as one line.
func PlanJSON(w io.Writer, p *provision.Plan) {
	json.NewEncoder(w).Encode(provision.Event{Version: provision.EventVersion, Time: time.Now().UTC(), Type: "plan", Plan: p})
}

// progressEvery keeps the lines of one noisy change apart; its last lines are in the error anyway.
const progressEvery = 3 * time.Second

// Text shows events as plain lines: host, what, how it went.
func Text(w io.Writer, s Style, verbose bool) func(provision.Event) {
	var mu sync.Mutex
	last := map[string]time.Time{}
	width := 8
	return func(e provision.Event) {
		mu.Lock()
		defer mu.Unlock()
		width = max(width, len(place(e.Host)))
		line := func(text string) { fmt.Fprintf(w, "%-*s  %s\n", width, place(e.Host), text) }
		switch e.Type {
		case "plan":
			if e.Text != "" {
				fmt.Fprintln(w, s.yellow(e.Text))
			}
			Plan(w, s, e.Plan)
		case "connect":
			if verbose || e.State == "start" && e.Host != "" && last[e.Host].IsZero() {
				last[e.Host] = time.Now()
				line(s.dim("connect " + e.Text + " " + strings.TrimPrefix(e.State, "start")))
			}
		case "observe":
			if verbose {
				line(s.dim(strings.TrimSpace("observed in " + took(e.Seconds) + " " + e.Text)))
			}
		case "lock":
			if e.State == "start" || verbose {
				line("lock: " + e.Text + e.State)
			}
		case "round":
			if e.Round > 1 {
				fmt.Fprintf(w, "round %d: %s\n", e.Round, e.Text)
			}
		case "note":
			line(s.yellow(e.Text))
		case "change":
			name := e.Act + " " + e.Step
			switch e.State {
			case "start":
				last[e.Host] = time.Now()
				line(s.dim(name + " ..."))
			case provision.Done:
				line(s.green("done") + "     " + name + s.dim("  "+took(e.Seconds)))
			case provision.Skipped:
				line(s.yellow("skipped") + "  " + name + ": " + e.Text)
			default:
				line(s.red(e.State) + "   " + name + ": " + e.Text)
			}
		case "progress":
			if verbose || time.Since(last[e.Host]) > progressEvery {
				last[e.Host] = time.Now()
				line(s.dim("  " + cut(e.Text, 110)))
			}
		case "verify":
			if e.Host != "" {
				if e.State == "start" {
					line(s.dim("verify: " + e.Text))
				} else {
					line(s.green("verified") + " " + e.Text)
				}
			}
		}
	}
}

// place names where a change is made; what has no host is in the cloud account.
func place(host string) string {
	if host == "" {
		return "DigitalOcean"
	}
	return host
}

// Count is a number of things in words.
func Count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "..."
	}
	return s
}

// symbol is what stands before a change.
func symbol(s Style, act string) string {
	switch act {
	case "add":
		return s.green("+")
	case "remove":
		return s.red("-")
	case "refuse":
		return s.red("!")
	case "replace":
		return s.yellow("±")
	}
	return s.yellow("~")
}

// Plan shows a plan grouped by host, in the order of work.
func Plan(w io.Writer, s Style, p *provision.Plan) {
	for _, warning := range p.Warnings {
		fmt.Fprintln(w, s.yellow("warning: "+warning))
	}
	if p.Empty() {
		fmt.Fprintln(w, "nothing to change")
		return
	}
	var hosts []string
	seen := map[string]bool{}
	count := map[string]int{}
	for _, c := range p.Changes {
		if !seen[c.Host] {
			seen[c.Host] = true
			hosts = append(hosts, c.Host)
		}
		count[c.Act]++
	}
	for _, l := range p.Later {
		if !seen[l.Host] {
			seen[l.Host] = true
			hosts = append(hosts, l.Host)
		}
	}
	for _, h := range hosts {
		fmt.Fprintln(w, s.bold(place(h)))
		for _, c := range p.Changes {
			if c.Host != h {
				continue
			}
			fmt.Fprintf(w, "  %s %s %s: %s\n", symbol(s, c.Act), c.Act, c.Step, c.Why)
			if c.Note != "" {
				fmt.Fprintf(w, "      %s\n", s.dim(c.Note))
			}
			diff(w, s, c.Diff)
		}
		for _, l := range p.Later {
			if l.Host == h {
				fmt.Fprintf(w, "  ? %s: checked after %s\n", l.Step, l.After)
			}
		}
	}
	var parts []string
	for _, act := range []string{"add", "change", "replace", "reload", "remove", "refuse"} {
		if count[act] > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", count[act], act))
		}
	}
	fmt.Fprintf(w, "%s on %s: %s\n", Count(len(p.Changes), "change"), Count(len(hosts), "host"), strings.Join(parts, ", "))
}

// newFileLines is how much of a file that does not exist yet is shown.
const newFileLines = 6

func diff(w io.Writer, s Style, text string) {
	if text == "" {
		return
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	onlyNew := len(lines) > 2 && strings.HasPrefix(lines[2], "@@ -0,0 ")
	for i, l := range lines {
		if i < 2 {
			continue // the two file names are in the change itself
		}
		if onlyNew && i > newFileLines+2 {
			fmt.Fprintf(w, "      %s\n", s.dim(fmt.Sprintf("... %d more lines", len(lines)-i)))
			return
		}
		switch {
		case strings.HasPrefix(l, "+"):
			l = s.green(l)
		case strings.HasPrefix(l, "-"):
			l = s.red(l)
		default:
			l = s.dim(l)
		}
		fmt.Fprintf(w, "      %s\n", l)
	}
}

// Report shows how an apply ended.
func Report(w io.Writer, s Style, r *provision.Report, login string) {
	if len(r.Outcomes) == 0 {
		fmt.Fprintf(w, "nothing to change; everything works (%s, %d connections, %d execs)\n", took(r.Seconds), r.Stats.Connections, r.Stats.Execs)
	} else {
		fmt.Fprintf(w, "%s: %s in %s, %d resources unchanged, everything works\n", s.green("done"), Count(len(r.Outcomes), "change"), took(r.Seconds), r.Unchanged)
	}
	fmt.Fprintf(w, "Prefect is at %s, user %s; the password: %s\n", s.bold(r.URL), r.User, login)
}

// ErrorsJSON writes one line for each error.
func ErrorsJSON(w io.Writer, err error) {
	enc := json.NewEncoder(w)
	for _, e := range provision.Errors(err) {
		enc.Encode(struct {
			Version int    `json:"version"`
			Type    string `json:"type"`
			*provision.Error
		}{provision.EventVersion, "error", e})
	}
}

// Errors shows what went wrong, one block each.
func Errors(w io.Writer, s Style, err error) {
	for _, e := range provision.Errors(err) {
		fmt.Fprintf(w, "%s %s\n", s.red("error:"), e.Error())
		for _, l := range strings.Split(strings.TrimSpace(e.Evidence), "\n") {
			if l != "" {
				fmt.Fprintf(w, "    | %s\n", l)
			}
		}
		for _, l := range strings.Split(e.Hint, "\n") {
			if l != "" {
				fmt.Fprintf(w, "  next: %s\n", l)
			}
		}
	}
}

// Status shows what runs where.
func Status(w io.Writer, s Style, url string, hosts []provision.HostStatus) {
	fmt.Fprintln(w, s.bold(url))
	for _, h := range hosts {
		roles := make([]string, len(h.Roles))
		for i, r := range h.Roles {
			roles[i] = string(r)
		}
		fmt.Fprintf(w, "%s  %s  %s\n", s.bold(h.Host), h.Address, strings.Join(roles, ", "))
		if h.Error != "" {
			fmt.Fprintf(w, "  %s %s\n", s.red("unknown:"), h.Error)
			continue
		}
		if len(h.Services) == 0 {
			fmt.Fprintln(w, "  nothing of the stack runs here")
		}
		for _, c := range h.Services {
			state := c.State
			if c.Health != "" && c.State == "running" {
				state = c.Health
			}
			if state == "healthy" || c.Health == "" && state == "running" {
				state = s.green(fmt.Sprintf("%-10s", state))
			} else {
				state = s.red(fmt.Sprintf("%-10s", state))
			}
			fmt.Fprintf(w, "  %-24s %s %-40s since %s", c.Name, state, c.Image, c.Since.UTC().Format("2006-01-02 15:04:05Z"))
			if c.Restarts > 0 {
				fmt.Fprintf(w, "  restarted %d times", c.Restarts)
			}
			fmt.Fprintln(w)
		}
		for _, p := range h.Problems {
			fmt.Fprintf(w, "  %s %s\n", s.red("problem:"), p)
		}
	}
}
