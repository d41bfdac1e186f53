// Command provision brings up Prefect on machines that it reaches over SSH, and keeps it as its
// files say. This package is words in and words out: it reads arguments, calls package provision,
// and is, with ui, the only place that prints or ends the process.
package main

import (
	"context"
	"os"

	"provision/cmd/provision/ui"
	"provision/provision"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main for tests.
func run(args []string, stdin, stdout, stderr *os.File) int {
	c := &cli{stdin: stdin, stdout: stdout, stderr: stderr}
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	if err == nil {
		return provision.ExitDone
	}
	if c.printed {
		return provision.ExitCode(err)
	}
	err = c.typable(err)
	if c.json && !c.reported {
		ui.ErrorsJSON(stdout, err)
	}
	ui.Errors(stderr, c.style(stderr), err)
	return provision.ExitCode(err)
}
