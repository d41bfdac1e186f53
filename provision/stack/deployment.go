package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"provision/files/generation"
	"provision/files/naming"
	"provision/inventory"
	"provision/inventory/strict"
)

var function = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (c checker) deployments(s *Stack, project bool) {
	seen := map[[2]string]int{}
	for n := range s.Deployments {
		d := &s.Deployments[n]
		key := strict.Key("deployments", n)
		at := func(name string) string { return strict.Key(key, name) }
		if !c.Has(at("name")) {
			d.Name = defaultName
		}
		if !c.Has(at("queue")) {
			d.Queue = defaultQueue
		}
		if c.flow(at("flow"), d.Flow) {
			switch path := s.BusinessLogic.Path; {
			case project:
				c.inProject(at("flow"), d.Flow, path)
			case path == "" && d.Flow != s.Generation().Hello:
				c.Add(at("flow"), fmt.Sprintf("%s is not in the built-in project, which has %s alone", strict.Show(d.Flow), s.Generation().Hello), "set [business_logic] path to the directory of your project")
			}
		}
		c.label(at("name"), d.Name, "a deployment's name")
		if !strings.HasPrefix(d.Queue, naming.HostQueuePrefix) {
			if problem := inventory.Queue(d.Queue); problem != "" {
				c.Add(at("queue"), problem, "")
			}
		}
		if d.Schedule != nil {
			c.schedule(at("schedule"), s.Generation(), d.Schedule)
		}
		for n, tag := range d.Tags {
			c.label(strict.Key(at("tags"), n), tag, "a tag")
		}
		id := [2]string{d.Flow, d.Name}
		if first, ok := seen[id]; ok {
			c.Add(key, fmt.Sprintf("%s has a deployment named %s already, in line %d", strict.Show(d.Flow), strict.Show(d.Name), c.Line(strict.Key("deployments", first))), "give it another name")
			continue
		}
		seen[id] = n
	}
}

const defaultName = "default"

// label refuses what Prefect refuses in names, and what could not be read in a list of them.
func (c checker) label(key, text, what string) {
	if text == "" || len(text) > 128 || strings.TrimSpace(text) != text || strings.ContainsFunc(text, strict.Control) || strings.ContainsAny(text, "/%&<>") {
		c.Add(key, fmt.Sprintf("%s is not %s", strict.Show(text), what), "1 to 128 characters, none of / % & < > among them")
	}
}

// flow wants a path within the project and a function.
func (c checker) flow(key, flow string) bool {
	const hint = `the file within the project, and the function in it: "hello.py:hello"`
	file, name, ok := strings.Cut(flow, ":")
	switch {
	case flow == "":
		c.Add(key, "missing", hint)
	case !ok || !function.MatchString(name) || !strings.HasSuffix(file, ".py") || strings.ContainsFunc(file, strict.Control):
		c.Add(key, strict.Show(flow)+" is not a file and a function", hint)
	case !local(file):
		c.Add(key, strict.Show(file)+" is not a path within the project", hint)
	default:
		return true
	}
	return false
}

func (c checker) inProject(key, flow, project string) {
	file, _, _ := strings.Cut(flow, ":")
	if info, err := os.Stat(filepath.Join(project, filepath.FromSlash(file))); err != nil || !info.Mode().IsRegular() {
		c.Add(key, fmt.Sprintf("there is no file %s in the project", strict.Show(file)), "")
	}
}

func (c checker) schedule(key string, known generation.Generation, s *Schedule) {
	at := func(name string) string { return strict.Key(key, name) }
	cron, interval := c.Has(at("cron")), c.Has(at("interval"))
	switch {
	case cron && interval:
		c.Add(key, "has both cron and interval", "keep one, or make two deployments")
	case !cron && !interval:
		c.Add(key, "has neither cron nor interval", `for example { cron = "0 6 * * *" } or { interval = "15m" }`)
	}
	if interval && s.Interval > longestInterval {
		c.Add(at("interval"), "is longer than ten years", "")
	}
	if cron {
		if problem := cronProblem(s.Cron); problem == "" && neverComes(s.Cron) {
			c.Add(at("cron"), fmt.Sprintf("%s never comes: none of its months has such a day", strict.Show(s.Cron)), "")
		} else if problem != "" {
			c.Add(at("cron"), problem, `minute, hour, day of month, month, day of week: "0 6 * * *" is every day at six`)
		}
		if !c.Has(at("timezone")) {
			s.Timezone = "UTC"
		}
	} else if c.Has(at("timezone")) && interval {
		c.Add(at("timezone"), "is for cron: an interval is the same everywhere", "")
	}
	if s.Timezone == "" && !c.Has(at("timezone")) {
		return
	}
	if problem, hint := zoneProblem(known, s.Timezone); problem != "" {
		c.Add(at("timezone"), problem, hint)
	}
}

var months = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// cronProblem says what is wrong with a cron line; "" if nothing is. It accepts what classic cron does, a part of what Prefect does.
func cronProblem(line string) string {
	if slices.Contains([]string{"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}, line) {
		return ""
	}
	if strings.ContainsFunc(line, strict.Control) {
		return "has control characters"
	}
	fields := strings.Fields(line)
	if len(fields) != 5 {
		return fmt.Sprintf("%s has %d fields, not 5", strict.Show(line), len(fields))
	}
	for n, f := range []struct {
		what  string
		least int
		most  int
		names []string
	}{
		{"minute", 0, 59, nil},
		{"hour", 0, 23, nil},
		{"day of month", 1, 31, nil},
		{"month", 1, 12, months},
		{"day of week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
	} {
		value := func(text string) (int, bool) {
			if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
				return i + f.least, true
			}
			n, err := strconv.Atoi(text)
			return n, err == nil && n >= f.least && n <= f.most && text[0] != '+' && text[0] != '-'
		}
		for item := range strings.SplitSeq(fields[n], ",") {
			if !isCronItem(item, value) {
				return fmt.Sprintf("%s is not a %s", strict.Show(item), f.what)
			}
		}
	}
	return ""
}

// longestInterval is far beyond any use, and far below what Prefect can count.
const longestInterval = 3653 * 24 * time.Hour

// neverComes tells whether no month of a cron line, which is a right one, has one of its days. A day of
// the week beside them changes nothing: croniter, which reads it for Prefect, then finds no date either.
func neverComes(line string) bool {
	fields := strings.Fields(line)
	if len(fields) != 5 {
		return false
	}
	first := 32
	for item := range strings.SplitSeq(fields[2], ",") {
		first = min(first, firstOf(item, nil, 1))
	}
	longest := 0
	for month, days := range []int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31} {
		for item := range strings.SplitSeq(fields[3], ",") {
			if holds(item, months, 1, month+1) {
				longest = max(longest, days)
			}
		}
	}
	return first > longest
}

// firstOf is the least value of an item of a cron line. croniter reads N/STEP in ways of its own.
func firstOf(item string, names []string, least int) int {
	span, _, stepped := strings.Cut(item, "/")
	from, _, ranged := strings.Cut(span, "-")
	if stepped && !ranged {
		return least
	}
	return valueOf(from, names, least)
}

// holds tells whether an item of a cron line has a value.
func holds(item string, names []string, least, value int) bool {
	span, step, stepped := strings.Cut(item, "/")
	from, to, ranged := strings.Cut(span, "-")
	first, last := valueOf(from, names, least), valueOf(to, names, least)
	switch {
	case span == "*" || !ranged && stepped:
		last = value // croniter takes N/STEP for N-LAST/STEP
	case !ranged:
		last = first
	}
	every := 1
	if stepped {
		every, _ = strconv.Atoi(step)
	}
	return value >= first && value <= last && (value-first)%max(every, 1) == 0
}

// valueOf is a number or a name of a cron line; * is the least.
func valueOf(text string, names []string, least int) int {
	if i := slices.Index(names, strings.ToLower(text)); i >= 0 {
		return i + least
	}
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return least
}

// isCronItem accepts *, N, N-M, each with /STEP.
func isCronItem(item string, value func(string) (int, bool)) bool {
	span, step, stepped := strings.Cut(item, "/")
	if stepped {
		if n, err := strconv.Atoi(step); err != nil || n < 1 || step[0] == '+' {
			return false
		}
	}
	if span == "*" {
		return true
	}
	from, to, ranged := strings.Cut(span, "-")
	first, ok := value(from)
	if !ok || !ranged {
		return ok
	}
	last, ok := value(to)
	return ok && first <= last
}
