package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"provision/provision"
	"provision/provision/report"
)

// Report shows how an apply ended.
func Report(w io.Writer, s Style, r *report.Report, login string) {
	if left := without(r.Unreachable); left != "" {
		fmt.Fprintf(w, "%s: %s in %s%s; everything else works\n", s.yellow("done in part"), Count(len(r.Outcomes), "change"), took(r.Seconds), left)
	} else if len(r.Outcomes) == 0 {
		fmt.Fprintf(w, "%s; everything works (%s, %s, %s)\n", s.green("nothing to change"), took(r.Seconds), Count(r.Stats.Connections, "connection"), Count(r.Stats.Execs, "exec"))
	} else {
		fmt.Fprintf(w, "%s: %s in %s, %s unchanged, everything works\n", s.green("done"), Count(len(r.Outcomes), "change"), took(r.Seconds), Count(r.Unchanged, "resource"))
	}
	fmt.Fprintf(w, "Prefect is at %s, user %s; the password: %s\n", s.bold(r.URL), r.User, login)
}

// Heading begins a part of the demo.
func Heading(w io.Writer, s Style, text string) {
	fmt.Fprintf(w, "\n%s\n", s.bold(s.blue("# ")+text))
}

// Status shows what runs where; next is what makes the droplets that do not exist.
func Status(w io.Writer, s Style, url string, hosts []provision.HostStatus, next string) {
	if len(hosts) == 0 {
		return
	}
	fmt.Fprintln(w, s.bold(url))
	name, image := 0, 0
	for _, h := range hosts {
		for _, c := range h.Services {
			name, image = max(name, width(c.Name)), max(image, width(c.Image))
		}
	}
	for _, h := range hosts {
		roles := make([]string, len(h.Roles))
		for i, r := range h.Roles {
			roles[i] = string(r)
		}
		fmt.Fprintf(w, "%s  %s  %s\n", s.bold(h.Host), orDash(h.Address), strings.Join(roles, ", "))
		if h.Absent {
			fmt.Fprintln(w, "  "+absent(h))
			continue
		}
		if h.AtWork != "" {
			fmt.Fprintf(w, "  %s %s\n", s.yellow("at work:"), h.AtWork)
		}
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
			fmt.Fprintf(w, "  %s  %s  %s  since %s", fit(c.Name, name), state, fit(c.Image, image), c.Since.UTC().Format("2006-01-02 15:04Z"))
			if c.Restarts > 0 {
				fmt.Fprintf(w, "  restarted %s", Count(c.Restarts, "time"))
			}
			fmt.Fprintln(w)
		}
		if line := backups(s, h.Backup, time.Now()); line != "" {
			fmt.Fprintln(w, "  "+line)
		}
		for _, p := range h.Problems {
			fmt.Fprintf(w, "  %s %s\n", s.red("problem:"), p)
		}
	}
	if slices.ContainsFunc(hosts, func(h provision.HostStatus) bool { return h.Absent }) {
		fmt.Fprintln(w, "next: "+next)
	}
}

func absent(h provision.HostStatus) string {
	if h.Address != "" {
		return "the droplet is not set up yet"
	}
	return "the droplet does not exist yet"
}
