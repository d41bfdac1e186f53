// Command provision brings up Prefect on machines that it reaches over SSH, and keeps it as its
// files say. This package is words in and words out: it reads arguments, calls package provision,
// and is, with ui, the only place that prints or ends the process.
package main

import (
	"context"
	"errors"
	"os"
	"runtime/debug"

	"provision/cmd/provision/ui"
	"provision/provision/report"
)

func main() {
	// What a plan of many hosts holds is needed until its end, so half of it is enough to work in: for 1,000 hosts that is
	// 230 MiB instead of 280 at the peak. GOGC says otherwise.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	survivePipes()
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run carries out one call, and returns its exit code.
func run(args []string, term Terminal) int {
	c := &cli{term: term, out: &results{w: term.Out()}}
	root := c.root()
	root.SetArgs(args)
	root.SetOut(c.out)
	root.SetErr(term.Err())
	err := root.ExecuteContext(context.Background())
	var told *shown
	isShown := errors.As(err, &told)
	err = c.typable(err)
	if err != nil && c.json && !isShown && !c.sent["report"] {
		ui.ErrorsJSON(c.out, err)
	}
	if isShown && c.out.failed == nil {
		return report.ExitCode(err)
	}
	if err = c.out.join(err); err == nil {
		return report.ExitDone
	}
	ui.Errors(term.Err(), c.style(term.ErrIsTerminal()), err)
	return report.ExitCode(err)
}
