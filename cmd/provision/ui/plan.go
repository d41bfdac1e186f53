package ui

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"provision/provision/report"
)

// Plan shows a plan grouped by host and, within a host, by stage.
func Plan(w io.Writer, s Style, p *report.Plan) {
	p = placedPlan(p)
	announced(w, s, p)
	if p.Empty() {
		fmt.Fprintln(w, "nothing to change"+without(p.Unreachable))
		account(w, p.Account)
	}
}

// account says what is left as it is in the cloud account, and what all of it costs.
func account(w io.Writer, a *report.PlanAccount) {
	if a == nil {
		return
	}
	fmt.Fprintf(w, "%s of the account unchanged\n", Count(a.Unchanged, "resource"))
	if a.Monthly == nil || a.Monthly.Droplets == 0 {
		return
	}
	fmt.Fprintf(w, "droplets: $%.2f a month", a.Monthly.Droplets)
	if a.Monthly.Backups > 0 {
		fmt.Fprintf(w, "; with backups $%.2f", a.Monthly.Droplets+a.Monthly.Backups)
	}
	if a.Monthly.Volumes > 0 {
		fmt.Fprintf(w, "; with volumes $%.2f", a.Monthly.Total())
	}
	fmt.Fprintln(w)
}

// announced shows a plan on the way; that nothing is to change is the result's to say.
func announced(to io.Writer, s Style, p *report.Plan) {
	w := bufio.NewWriter(to) // a fleet's plan has a hundred thousand lines
	defer w.Flush()
	for _, warning := range p.Warnings {
		fmt.Fprintln(w, s.yellow("warning: "+warning))
	}
	unreachable(w, s, p)
	if p.Empty() {
		return
	}
	hosts := groups(p)
	for _, h := range hosts {
		fmt.Fprintln(w, s.bold(h.Host))
		for _, stage := range report.Stages {
			first := true
			for _, c := range h.Changes {
				if c.Stage != stage {
					continue
				}
				if first {
					fmt.Fprintln(w, "  "+s.blue(stage))
					first = false
				}
				planned(w, s, c)
			}
		}
		for _, l := range h.Later {
			fmt.Fprintf(w, "    %s %s: checked after %s\n", s.dim("?"), l.Step, l.After)
		}
	}
	interruptions(w, s, p)
	fmt.Fprintf(w, "%s on %s: %s\n", s.bold(Count(len(p.Changes), "change")), where(hosts), counts(s, p))
	account(w, p.Account)
}

// unreachable names the hosts that a plan was made without, and what waits for them elsewhere.
func unreachable(w io.Writer, s Style, p *report.Plan) {
	for _, u := range p.Unreachable {
		fmt.Fprintf(w, "%s is left out: %s\n", s.bold(u.Host), s.yellow(u.Cause))
		for _, c := range u.Waits {
			at := c.Host
			if at == "" {
				at = Cloud
			}
			fmt.Fprintf(w, "    %s %s on %s waits for it: %s\n", s.dim("?"), c.Step, at, c.Why)
		}
	}
}

// without names the hosts that something was done without; nothing where there are none.
func without(hosts []report.Unreachable) string {
	if len(hosts) == 0 {
		return ""
	}
	names := make([]string, len(hosts))
	for i, u := range hosts {
		names[i] = u.Host
	}
	return ", without " + strings.Join(names, ", ")
}

// where counts the places of a plan: the account is no host.
func where(places []*group) string {
	hosts := len(places)
	switch cloud := slices.ContainsFunc(places, func(g *group) bool { return g.Host == Cloud }); {
	case cloud && hosts == 1:
		return "the account"
	case cloud:
		return Count(hosts-1, "host") + " and the account"
	}
	return Count(hosts, "host")
}

func planned(w io.Writer, s Style, c *report.Change) {
	fmt.Fprintf(w, "    %s %s: %s\n", s.act(c.Act, symbol(c.Act)+" "+c.Act), c.Step, c.Why)
	if c.Note != "" {
		fmt.Fprintf(w, "        %s\n", s.dim(c.Note))
	}
	diff(w, s, c.Diff)
}

// group is the plan of one host.
type group struct {
	Host    string
	Changes []*report.Change
	Later   []report.Later
}

// groups are the hosts of a plan in the order of work. Nil has none.
func groups(p *report.Plan) (out []*group) {
	if p == nil {
		return nil
	}
	at := map[string]*group{}
	of := func(host string) *group {
		if at[host] == nil {
			at[host] = &group{Host: host}
			out = append(out, at[host])
		}
		return at[host]
	}
	for n := range p.Changes {
		g := of(p.Changes[n].Host)
		g.Changes = append(g.Changes, &p.Changes[n])
	}
	for _, l := range p.Later {
		g := of(l.Host)
		g.Later = append(g.Later, l)
	}
	return out
}

// acts are all kinds of changes, in the order in which they are counted.
var acts = []string{"add", "change", "replace", "reload", "await", "remove", "refuse"}

func counts(s Style, p *report.Plan) string {
	var parts []string
	for _, act := range acts {
		n := 0
		for _, c := range p.Changes {
			if c.Act == act {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, s.act(act, fmt.Sprintf("%d to %s", n, act)))
		}
	}
	if n := len(p.Later); n > 0 {
		parts = append(parts, fmt.Sprintf("%d to check later", n))
	}
	return strings.Join(parts, ", ")
}

// interruptions says once more, at the end where it is read, what stops for a while.
func interruptions(w io.Writer, s Style, p *report.Plan) {
	for _, c := range p.Changes {
		if c.Interrupts {
			fmt.Fprintf(w, "%s %s on %s: %s\n", s.yellow("interrupts"), strings.TrimPrefix(c.Step, "container "), c.Host, cmp.Or(c.Note, c.Why))
		}
	}
}

// newFileLines is how much of a file that does not exist yet is shown.
const newFileLines = 6

// diff shows a unified diff without its two names, which the change itself has.
func diff(w io.Writer, s Style, text string) {
	if text == "" {
		return
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	onlyNew := len(lines) > 2 && strings.HasPrefix(lines[2], "@@ -0,0 ")
	for i, l := range lines {
		if i < 2 {
			continue
		}
		if onlyNew && i > newFileLines+2 {
			fmt.Fprintf(w, "        %s\n", s.dim(fmt.Sprintf("... %d more lines", len(lines)-i)))
			return
		}
		switch {
		case strings.HasPrefix(l, "+"):
			l = s.green(l)
		case strings.HasPrefix(l, "-"):
			l = s.red(l)
		case strings.HasPrefix(l, "@@"):
			l = s.cyan(l)
		default:
			l = s.dim(l)
		}
		fmt.Fprintf(w, "        %s\n", l)
	}
}
