package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
)

func (c *cli) applyCommand() *cobra.Command {
	var wait time.Duration
	var newData bool
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Change the hosts until they are as the files say, and verify it",
		Long: `Shows the plan, asks once, carries it out, observes again until nothing differs, and verifies
that everything works. What was interrupted or fails is healed by running it again.` + exitCodes,
		Example: "  provision apply -i onprem.toml\n  provision apply -i onprem.toml --yes --lock-wait 10m",
		RunE: func(cmd *cobra.Command, _ []string) error {
			sys, err := c.load(cmd.Context())
			if err != nil {
				return err
			}
			p, err := c.pass(sys)
			if err != nil {
				return err
			}
			p.Confirm, p.LockWait, p.Options["new-data"] = c.confirm, wait, newData
			now, stop, done := c.interrupts(cmd.Context())
			defer done()
			defer p.Close()
			report, err := p.Apply(now, stop)
			c.reported = true
			if err == nil && !c.json {
				ui.Report(c.stdout, c.style(c.stdout), report, "provision credentials -i "+c.inventory)
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&wait, "lock-wait", 0, "how long to wait while somebody else works on a host")
	cmd.Flags().BoolVar(&newData, "new-data", false, "begin with empty data where the old data is not found")
	return cmd
}

func (c *cli) planCommand() *cobra.Command {
	var detailed bool
	cmd := &cobra.Command{
		Use:     "plan",
		Short:   "Show what apply would change, and why",
		Long:    "Connects, observes every host and shows what differs, in order. Changes nothing." + exitCodes,
		Example: "  provision plan -i onprem.toml\n  provision plan -i onprem.toml --detailed-exitcode   # 2 if anything differs",
		RunE: func(cmd *cobra.Command, _ []string) error {
			sys, err := c.load(cmd.Context())
			if err != nil {
				return err
			}
			p, err := c.pass(sys)
			if err != nil {
				return err
			}
			ctx, cancel := reading(cmd.Context())
			defer cancel()
			defer p.Close()
			plan, _, err := p.Plan(ctx)
			if plan != nil {
				if c.json {
					ui.PlanJSON(c.stdout, plan)
				} else {
					ui.Plan(c.stdout, c.style(c.stdout), plan)
				}
			}
			if err == nil && detailed && !plan.Empty() {
				c.printed = true
				return errChanges
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 if there are changes")
	return cmd
}

func (c *cli) verifyCommand() *cobra.Command {
	var smoke string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove, without changing anything, that the hosts are as the files say and work",
		Long: `No change is left, every container is healthy, and from every agent host through Caddy: its own
queue answers its token, a wrong token gets 401, a write to deployments 403. With --smoke a run of
the built-in flow ends Completed, executed on every agent host, or on the one that is named.` + exitCodes,
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
			defer p.Close()
			if err := p.Verify(ctx, hosts); err != nil {
				return err
			}
			if !c.json {
				fmt.Fprintln(c.stdout, "verified: nothing differs and everything works")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&smoke, "smoke", "", "run the built-in flow on all agent hosts, or on `HOST`")
	cmd.Flags().Lookup("smoke").NoOptDefVal = "all"
	return cmd
}
