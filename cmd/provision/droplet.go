package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
)

func (c *cli) dropletCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "droplet",
		Short: "List, create and destroy the droplets of a DigitalOcean inventory",
		Long:  "The token comes from the inventory, or from DIGITALOCEAN_TOKEN or DIGITALOCEAN_ACCESS_TOKEN.",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return provision.Usage("provision droplet --help", "unknown command %q", "droplet "+args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(c.dropletListCommand(), c.dropletCreateCommand(), c.dropletDestroyCommand())
	return cmd
}

// cloudPass makes a pass for what concerns the account alone.
func (c *cli) cloudPass(ctx context.Context, names []string) (*provision.Pass, error) {
	sys, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	if sys, err = sys.CloudOnly(names); err != nil {
		return nil, err
	}
	return c.pass(sys)
}

func (c *cli) dropletListCommand() *cobra.Command {
	var orphans bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show the droplets that are declared, and those that carry the inventory's tag",
		Example: "  provision droplet list -i prod.toml\n  provision droplet list -i prod.toml --orphans   # only what is not declared, and costs",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := c.cloudPass(cmd.Context(), nil)
			if err != nil {
				return err
			}
			ctx, cancel := reading(cmd.Context())
			defer cancel()
			defer p.Close()
			have, err := p.Holdings(ctx)
			if err != nil {
				return err
			}
			if orphans {
				have.Droplets = slices.DeleteFunc(have.Droplets, func(d provision.DropletStatus) bool { return d.Declared })
			}
			if c.json {
				return json.NewEncoder(c.stdout).Encode(struct {
					Version int    `json:"version"`
					Type    string `json:"type"`
					*provision.Holdings
				}{provision.EventVersion, "droplets", have})
			}
			if orphans && len(have.Droplets)+len(have.Left) == 0 {
				fmt.Fprintln(c.stdout, "nothing is left over: all that the account has of this inventory is declared")
				return nil
			}
			ui.Droplets(c.stdout, c.style(c.stdout.f), have)
			return nil
		},
	}
	cmd.Flags().BoolVar(&orphans, "orphans", false, "only what is ours and not declared: droplets, volumes, reserved IPs")
	return cmd
}

func (c *cli) dropletCreateCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "create [NAME]",
		Short:   "Create what is missing in the account, up to the first login, and nothing on the hosts",
		Example: "  provision droplet create -i prod.toml\n  provision droplet create -i prod.toml worker-1",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return provision.Usage("provision droplet create --help", "unexpected argument %q", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := c.cloudPass(cmd.Context(), args)
			if err != nil {
				return err
			}
			p.Confirm = c.confirm
			now, stop, done := c.interrupts(cmd.Context())
			defer done()
			defer p.Close()
			report, err := p.Apply(now, stop)
			c.reported = true
			if err == nil && !c.json {
				fmt.Fprintf(c.stdout, "done: %d changes; next: provision apply -i %s\n", len(report.Outcomes), c.inventory)
			}
			return err
		},
	}
}

// typed wants a name typed at the question, or given by --confirm. A mere --yes is not enough.
func (c *cli) typed(what, name string, confirmed []string) error {
	for _, given := range confirmed {
		if given == name {
			return nil
		}
	}
	if !c.terminal() {
		return provision.Usage("--confirm "+name, "destroying the %s %s needs its name, and there is no terminal to ask on; nothing was done", what, name)
	}
	fmt.Fprintf(c.stderr, "This destroys the %s %s. Type its name to go on: ", what, name)
	line, err := bufio.NewReader(c.stdin).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != name {
		return provision.ErrDeclined
	}
	return nil
}
