package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
)

func (c *cli) applyCommand() *cobra.Command {
	var wait time.Duration
	var newData, page string
	var allowed allowances
	cmd := &cobra.Command{
		Use:   "apply [FILE]",
		Short: "Change the hosts until they are as the files say, and verify it",
		Long: `Shows the plan, asks once, carries it out, observes again until nothing differs, and verifies
that everything works. What was interrupted or fails is healed by running it again.

With FILE, a plan that plan --out has kept is carried out without a question, and nothing but it:
if anything differs from what it was made of, nothing is changed (16).

A host that cannot be reached ends all of it (10) before anything is changed. With --skip-unreachable
what needs nothing of that host is done, what is left is named, and the exit code is 10 as well: its
tokens stay, its droplet stays, and the next apply goes on with it. With --limit only the hosts that
were named, and those whose changes they need, have to be reachable.

With --yes what is carried out is the plan as it is when the hosts are locked: after a wait for
somebody else (--lock-wait) it is made again and shown again, and not asked for again.`,
		Example: "  provision apply -i onprem.toml\n  provision apply -i onprem.toml --yes --lock-wait 10m\n  provision apply -i onprem.toml --report report.html\n" +
			"  provision plan -i onprem.toml --out change.plan && provision apply -i onprem.toml change.plan",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			saved, err := c.savedPlan(args, newData, allowed)
			if err != nil {
				return err
			}
			sys, err := c.load(cmd.Context())
			if err != nil {
				return err
			}
			p, err := c.pass(sys)
			if err != nil {
				return err
			}
			p.Confirm, p.LockWait = c.confirm, wait
			if saved != nil {
				p.Saved, p.Limit, p.Options = saved, saved.Limit, saved.Options
			} else if err := c.allowNewData(cmd.Context(), p, newData); err != nil {
				return err
			} else {
				allowed.allow(p)
			}
			finish := func() error { return nil }
			if page != "" {
				if finish, err = c.reportTo(page, sys); err != nil {
					return err
				}
			}
			now, stop, done := c.interrupts(cmd.Context())
			defer done()
			defer c.face.Close()
			defer p.Close()
			report, err := p.Apply(now, stop)
			c.reported = true
			err = errors.Join(err, finish())
			without := len(report.Unreachable) > 0 && provision.ExitCode(err) == provision.ExitUnreachable
			if (err == nil || without) && !c.json {
				ui.Report(c.stdout, c.style(c.stdout.f), report, "provision credentials -i "+c.inventory)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&page, "report", "", "write what was done as one HTML page into `FILE`")
	cmd.Flags().DurationVar(&wait, "lock-wait", 0, "how long to wait while somebody else works on a host")
	newDataFlag(cmd, &newData)
	allowed.flags(cmd)
	c.skipFlag(cmd)
	return cmd
}

// savedPlan reads the plan that apply was given, if it was.
func (c *cli) savedPlan(args []string, newData string, allowed allowances) (*provision.SavedPlan, error) {
	switch {
	case len(args) == 0:
		return nil, nil
	case len(args) > 1:
		return nil, provision.Usage("provision apply --help", "unexpected argument %q", args[1])
	case newData != "" || len(c.limit) > 0 || c.skip || allowed != (allowances{}):
		return nil, provision.Usage("give them to plan --out", "a kept plan has its own --limit, --new-data, --prune, --resize and --skip-unreachable")
	}
	return provision.ReadPlan(args[0])
}

// askName stands for --new-data without a name.
const askName = "?"

func newDataFlag(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "new-data", "", "begin with empty data where the old data is not found; `NAME` is the stack's")
	cmd.Flags().Lookup("new-data").NoOptDefVal = askName
}

// allowNewData lets the pass begin with empty data if the stack's name was given for it, by the flag
// or at the question.
func (c *cli) allowNewData(ctx context.Context, p *provision.Pass, given string) error {
	name := p.System.Stack.Name
	if given == "" {
		return nil
	}
	if given == askName {
		if !c.terminal() {
			return provision.Usage("--new-data="+name, "--new-data needs the name of the stack whose data begins anew, and there is no terminal to ask on")
		}
		answer, err := c.ask(ctx, fmt.Sprintf("The stack %q will begin with empty data where the old data is not found. Type its name to go on: ", name))
		if err != nil {
			return err
		}
		given = answer
	}
	if given != name {
		return provision.Usage("--new-data="+name, "--new-data names %q, and the stack is called %q", given, name)
	}
	p.Options["new-data"] = true
	return nil
}

func (c *cli) planCommand() *cobra.Command {
	var detailed bool
	var out, newData string
	var allowed allowances
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change, and why",
		Long:  "Connects, observes every host and shows what differs, in order. Changes nothing.",
		Example: "  provision plan -i onprem.toml\n  provision plan -i onprem.toml --detailed-exitcode   # 2 if anything differs\n" +
			"  provision plan -i onprem.toml --out change.plan     # for: provision apply -i onprem.toml change.plan",
		RunE: func(cmd *cobra.Command, _ []string) error {
			sys, err := c.load(cmd.Context())
			if err != nil {
				return err
			}
			p, err := c.pass(sys)
			if err != nil {
				return err
			}
			if err := c.allowNewData(cmd.Context(), p, newData); err != nil {
				return err
			}
			allowed.allow(p)
			ctx, cancel := reading(cmd.Context())
			defer cancel()
			defer c.face.Close()
			defer p.Close()
			plan, facts, err := p.Plan(ctx)
			c.face.Pause()
			if plan != nil {
				if c.json {
					ui.PlanJSON(c.stdout, plan)
				} else {
					ui.Plan(c.stdout, c.style(c.stdout.f), plan)
				}
			}
			if err == nil && out != "" {
				if err = p.Save(plan, facts).Write(out); err == nil {
					fmt.Fprintf(c.stderr, "the plan is kept in %s; carry it out with: provision apply -i %s %s\n", out, c.inventory, out)
				}
			}
			if err == nil {
				err = p.LeftOut(plan)
			}
			if err == nil && detailed && !plan.Empty() {
				c.printed = true
				return errChanges
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 if there are changes")
	cmd.Flags().StringVar(&out, "out", "", "keep the plan in `FILE`, to be carried out as it is by apply FILE")
	newDataFlag(cmd, &newData)
	allowed.flags(cmd)
	c.skipFlag(cmd)
	return cmd
}

// allowances are what an operator allows by name, beyond what a plan does by itself.
type allowances struct{ prune, resize bool }

func (a *allowances) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.prune, "prune", false, "remove droplets that are no longer declared, after their agents have stopped")
	cmd.Flags().BoolVar(&a.resize, "resize", false, "give droplets their declared size; each is switched off for some minutes")
}

func (a *allowances) allow(p *provision.Pass) {
	for name, given := range map[string]bool{"prune": a.prune, "resize": a.resize} {
		if given {
			p.Options[name] = true
		}
	}
}

func (c *cli) verifyCommand() *cobra.Command {
	var smoke string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove, without changing anything, that the hosts are as the files say and work",
		Long: `No change is left, every container is healthy, and from every agent host through Caddy: its own
queue answers its token, a wrong token gets 401, a write to deployments 403 (not tried where flows
may write: execution = "serve" with api = "all"). With --smoke a run of the built-in
flow ends Completed, executed on every agent host, or on the one that is named.

A container that has just been started, as after a reboot, is waited for, 3 minutes at most.`,
		Example: "  provision verify -i onprem.toml\n  provision verify -i onprem.toml --smoke\n  provision verify -i onprem.toml --smoke=worker-1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			sys, err := c.load(cmd.Context())
			if err != nil {
				return err
			}
			hosts, err := smokeHosts(sys, smoke)
			if err != nil {
				return err
			}
			p, err := c.pass(sys)
			if err != nil {
				return err
			}
			ctx, cancel := reading(cmd.Context())
			defer cancel()
			defer c.face.Close()
			defer p.Close()
			err = p.Verify(ctx, hosts)
			c.face.Pause()
			if err != nil {
				return err
			}
			if !c.json {
				fmt.Fprintln(c.stdout, "verified: nothing differs and everything works")
			}
			return nil
		},
	}
	c.skipFlag(cmd)
	cmd.Flags().StringVar(&smoke, "smoke", "", "run the built-in flow on all agent hosts, or on `HOST`")
	cmd.Flags().Lookup("smoke").NoOptDefVal = "all"
	return cmd
}
