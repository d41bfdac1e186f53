package ui

import (
	"fmt"
	"io"
	"strings"

	"provision/provision/report"
)

// Errors shows what went wrong, one block each: host, step and cause in a line, what was seen, what
// to type next.
func Errors(w io.Writer, s Style, err error) {
	for _, e := range report.Errors(err) {
		var where []string
		for _, part := range []string{e.Host, e.Step} {
			if part != "" {
				where = append(where, s.bold(part)+": ")
			}
		}
		fmt.Fprintf(w, "%s %s%s\n", s.red("error:"), strings.Join(where, ""), e.Cause)
		for l := range strings.SplitSeq(strings.TrimSpace(e.Evidence), "\n") {
			if l != "" {
				fmt.Fprintf(w, "    %s %s\n", s.dim("|"), l)
			}
		}
		for l := range strings.SplitSeq(e.Hint, "\n") {
			if l != "" {
				fmt.Fprintf(w, "  %s %s\n", s.cyan("next:"), l)
			}
		}
	}
}
