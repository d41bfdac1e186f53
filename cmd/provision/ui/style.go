// Package ui turns the stream of events, plans and reports into words for people or JSON for
// programs.
//
// Its rules: results go to standard output; progress, questions and errors to standard error.
// Messages are lower case without a full stop. An error is one line, its evidence indented below,
// and a line that says what to type next. What comes from a host is made printable before.
package ui

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// Style says how text may look.
type Style struct{ Color bool }

func (s Style) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s Style) bold(t string) string   { return s.paint("1", t) }
func (s Style) dim(t string) string    { return s.paint("2", t) }
func (s Style) red(t string) string    { return s.paint("31", t) }
func (s Style) green(t string) string  { return s.paint("32", t) }
func (s Style) yellow(t string) string { return s.paint("33", t) }
func (s Style) blue(t string) string   { return s.paint("34", t) }
func (s Style) cyan(t string) string   { return s.paint("36", t) }

// act is the colour of a kind of change.
func (s Style) act(act, text string) string {
	switch act {
	case "add":
		return s.green(text)
	case "remove", "refuse":
		return s.red(text)
	case "reload":
		return s.cyan(text)
	}
	return s.yellow(text)
}

// symbol is what stands before a change.
func symbol(act string) string {
	switch act {
	case "add":
		return "+"
	case "remove":
		return "-"
	case "refuse":
		return "!"
	case "replace":
		return "±"
	case "reload":
		return "↻"
	case "await":
		return "…"
	}
	return "~"
}

// took is a duration as results show it.
func took(seconds float64) string {
	switch {
	case seconds < 10:
		return fmt.Sprintf("%.1fs", seconds)
	case seconds < 60:
		return fmt.Sprintf("%.0fs", seconds)
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// Count is a number with its noun.
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// fit cuts a line to a number of columns and fills it up to them.
func fit(text string, columns int) string {
	if columns <= 0 {
		return ""
	}
	text = cut(text, columns)
	return text + strings.Repeat(" ", max(0, columns-width(text)))
}

// width is how many columns a line takes.
func width(text string) int { return lipgloss.Width(text) }

// cut cuts a line to a number of columns.
func cut(text string, columns int) string { return ansi.Truncate(text, max(columns, 0), "…") }

// middle cuts a line to a number of columns so that the end of a path, the name of a file, stays.
func middle(text string, columns int) string {
	w := width(text)
	if w <= columns || columns < 12 || !strings.Contains(text, "/") {
		return cut(text, columns)
	}
	head := columns / 3
	return ansi.Truncate(text, head, "") + "…" + ansi.TruncateLeft(text, w-(columns-head-1), "")
}
