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

func main() {
	survivePipes()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main for tests.
func run(args []string, stdin, stdout, stderr *os.File) int {
	c := &cli{stdin: stdin, stdout: &results{f: stdout}, stderr: stderr}
	root := c.root()
	root.SetArgs(args)
	err := c.typable(root.ExecuteContext(context.Background()))
	if err != nil && c.json && !c.reported && !c.printed {
		ui.ErrorsJSON(c.stdout, err)
	}
	if c.printed && c.stdout.failed == nil {
		return provision.ExitCode(err)
	}
	if err = c.stdout.join(err); err == nil {
		return provision.ExitDone
	}
	ui.Errors(stderr, c.style(stderr), err)
	return provision.ExitCode(err)
}
