package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
	"provision/provision/plan"
	"provision/provision/report"
)

func (c *cli) applyVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apply [FILE]",
		Short: "Change the hosts until they are as the files say, and verify it",
		Long: `Shows the plan, asks once, carries it out, observes again until nothing differs, and verifies
that everything works. What was interrupted or fails is healed by running it again.

With FILE, a plan that plan --out has kept is carried out without a question, and nothing but it:
if anything differs from what it was made of, nothing is changed (16).

A host that cannot be reached ends all of it (10) before anything is changed. With --skip-unreachable
what needs nothing of that host is done, what is left is named, and the exit code is 10 as well: its
tokens stay, its droplet stays, and the next apply continues with it. With --limit only the hosts that
were named, and those whose changes they need, have to be reachable.

With --yes the plan that is carried out is the one made when the hosts are locked: after a wait for
another run (--lock-wait) it is made and shown again, without a question.`,
		Example: "  provision apply -i onprem.toml\n  provision apply -i onprem.toml --yes --lock-wait 10m\n  provision apply -i onprem.toml --report report.html\n" +
			"  provision plan -i onprem.toml --out change.plan && provision apply -i onprem.toml change.plan",
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault), // a file
	}
	page := cmd.Flags().String("report", "", "write what was done as one HTML page into `FILE`")
	wait := cmd.Flags().Duration("lock-wait", 0, "how long to wait while another run is working on a host")
	allowed := allowanceFlags(cmd)
	c.skipFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 1:
			return report.Usage(cmd.CommandPath()+" --help", "unexpected argument %q", args[1])
		case len(args) == 1 && (len(c.limit) > 0 || c.skip || *allowed != (allowances{})):
			return report.Usage("pass them to plan --out", "a kept plan has its own --limit, --new-data, --prune, --resize and --skip-unreachable")
		}
		return nil
	}
	return change(c, cmd, everything, func(now, stop context.Context, p *provision.Pass, args []string) (*applyResult, error) {
		p.LockWait = *wait
		if len(args) == 1 {
			saved, err := plan.ReadSaved(args[0])
			if err != nil {
				return nil, err
			}
			p.Saved, p.Limit, p.Options = saved, saved.Limit, saved.Options
		} else if err := c.allow(stop, p, allowed); err != nil {
			return nil, err
		}
		result, err := c.apply(now, stop, p, *page)
		without := result != nil && len(result.Unreachable) > 0 && report.ExitCode(err) == report.ExitUnreachable
		if err != nil && !without {
			return nil, err
		}
		return &applyResult{result, "provision credentials -i " + c.inventory}, err
	})
}

// applyResult is in the events: the last one is the report, also where the apply has failed.
type applyResult struct {
	report *report.Report
	login  string // shows the password
}

func (applyResult) Type() string                   { return "report" }
func (r applyResult) Text(w io.Writer, s ui.Style) { ui.Report(w, s, r.report, r.login) }
