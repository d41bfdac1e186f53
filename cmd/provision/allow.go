package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"provision/provision"
	"provision/provision/report"
)

// allowances are what an operator allows by name, beyond what a plan does by itself.
type allowances struct {
	prune, resize bool
	newData       string // the stack's name
}

// askName stands for --new-data without a name.
const askName = "?"

func allowanceFlags(cmd *cobra.Command) *allowances {
	a := &allowances{}
	cmd.Flags().BoolVar(&a.prune, "prune", false, "remove droplets that are no longer declared, after their agents have stopped")
	cmd.Flags().BoolVar(&a.resize, "resize", false, "give droplets their declared size; each is switched off for some minutes")
	cmd.Flags().StringVar(&a.newData, "new-data", "", "begin with empty data where the old data is not found; `NAME` is the stack's")
	cmd.Flags().Lookup("new-data").NoOptDefVal = askName
	return a
}

// allow lets the pass do what is allowed.
func (c *cli) allow(ctx context.Context, p *provision.Pass, a *allowances) error {
	if err := c.allowNewData(ctx, p, a.newData); err != nil {
		return err
	}
	for name, given := range map[string]bool{"prune": a.prune, "resize": a.resize} {
		if given {
			p.Options[name] = true
		}
	}
	return nil
}

// allowNewData lets the pass begin with empty data if the stack's name was given for it, by the flag
// or at the question.
func (c *cli) allowNewData(ctx context.Context, p *provision.Pass, given string) error {
	name := p.System.Stack.Name
	if given == "" {
		return nil
	}
	if given == askName {
		if !c.term.CanAsk() {
			return report.Usage("--new-data="+name, "--new-data needs the name of the stack that will begin with empty data, and there is no terminal to ask on")
		}
		answer, err := c.ask(ctx, fmt.Sprintf("The stack %q will begin with empty data where the old data is not found. Type its name to continue: ", name))
		if err != nil {
			return err
		}
		given = answer
	}
	if given != name {
		return report.Usage("--new-data="+name, "--new-data names %q, and the stack is called %q", given, name)
	}
	p.Options["new-data"] = true
	return nil
}
