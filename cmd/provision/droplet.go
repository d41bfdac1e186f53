package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
	"provision/provision/report"
)

func (c *cli) dropletVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "droplet",
		Short: "List, create and destroy the droplets of a DigitalOcean inventory",
		Long:  "The token comes from the inventory, or from DIGITALOCEAN_TOKEN or DIGITALOCEAN_ACCESS_TOKEN.",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return report.Usage("provision droplet --help", "unknown command %q", "droplet "+args[0])
			}
			return cmd.Help()
		},
	}
}

func (c *cli) dropletListVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show the droplets that are declared, and those that carry the inventory's tag",
		Example: "  provision droplet list -i prod.toml\n  provision droplet list -i prod.toml --orphans   # only what is not declared, and costs",
	}
	orphans := cmd.Flags().Bool("orphans", false, "only what is ours and not declared: droplets, volumes, reserved IPs")
	return read(c, cmd, accountAlone, func(ctx context.Context, p *provision.Pass, _ []string) (*dropletsResult, error) {
		have, err := p.Holdings(ctx)
		if err != nil {
			return nil, err
		}
		if *orphans {
			have.Droplets = slices.DeleteFunc(have.Droplets, func(d provision.DropletStatus) bool { return d.Declared })
		}
		return &dropletsResult{have, *orphans}, nil
	})
}

type dropletsResult struct {
	*provision.Holdings
	orphans bool
}

func (dropletsResult) Type() string { return "droplets" }
func (r dropletsResult) Text(w io.Writer, s ui.Style) {
	if r.orphans && len(r.Droplets)+len(r.Left) == 0 {
		fmt.Fprintln(w, "nothing is left over: all that the account has of this inventory is declared")
		return
	}
	ui.Droplets(w, s, r.Holdings)
}

func (c *cli) dropletCreateVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "create [NAME]",
		Short:   "Create what is missing in the account, up to the first login, and nothing on the hosts",
		Example: "  provision droplet create -i prod.toml\n  provision droplet create -i prod.toml worker-1",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return report.Usage(cmd.CommandPath()+" --help", "unexpected argument %q", args[1])
			}
			return nil
		},
		ValidArgsFunction: c.completing(madeHosts),
	}
	return change(c, cmd, accountOf, func(now, stop context.Context, p *provision.Pass, _ []string) (*createResult, error) {
		result, err := c.apply(now, stop, p, "")
		if err != nil {
			return nil, err
		}
		return &createResult{len(result.Outcomes), "provision apply -i " + c.inventory}, nil
	})
}

// createResult is in the events, as [applyResult] is.
type createResult struct {
	changes int
	next    string
}

func (createResult) Type() string { return "report" }
func (r createResult) Text(w io.Writer, _ ui.Style) {
	fmt.Fprintf(w, "done: %d changes; next: %s\n", r.changes, r.next)
}
