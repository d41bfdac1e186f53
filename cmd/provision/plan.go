package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
	"provision/provision/report"
)

func (c *cli) planVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change, and why",
		Long:  "Connects, observes every host and shows what differs, in order. Changes nothing.",
		Example: "  provision plan -i onprem.toml\n  provision plan -i onprem.toml --detailed-exitcode   # 2 if anything differs\n" +
			"  provision plan -i onprem.toml --out change.plan     # for: provision apply -i onprem.toml change.plan",
	}
	detailed := cmd.Flags().Bool("detailed-exitcode", false, "exit with 2 if there are changes")
	out := cmd.Flags().String("out", "", "keep the plan in `FILE`, to be carried out as it is by apply FILE")
	allowed := allowanceFlags(cmd)
	c.skipFlag(cmd)
	return read(c, cmd, everything, func(ctx context.Context, p *provision.Pass, _ []string) (*planResult, error) {
		if err := c.allow(ctx, p, allowed); err != nil {
			return nil, err
		}
		plan, facts, err := p.Plan(ctx)
		if plan == nil {
			return nil, err
		}
		if err == nil && *out != "" {
			if err = p.Keep(plan, facts).Write(*out); err == nil {
				c.then("the plan is kept in %s; carry it out with: provision apply -i %s %s", *out, c.inventory, *out)
			}
		}
		if err == nil {
			err = p.LeftOut(plan)
		}
		if err == nil && *detailed && !plan.Empty() {
			err = &shown{&report.Error{Code: report.ExitChanges, Cause: "there are changes"}}
		}
		return &planResult{time.Now().UTC(), plan}, err
	})
}

type planResult struct {
	Time time.Time    `json:"time"`
	Plan *report.Plan `json:"plan"`
}

func (planResult) Type() string                   { return "plan" }
func (r planResult) Text(w io.Writer, s ui.Style) { ui.Plan(w, s, r.Plan) }
