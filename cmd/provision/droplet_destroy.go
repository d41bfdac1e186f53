package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"provision/provision"
)

func (c *cli) dropletDestroyCommand() *cobra.Command {
	var all, withVolume bool
	var confirmed []string
	cmd := &cobra.Command{
		Use:   "destroy NAME | --all",
		Short: "Destroy one droplet, or all that the account has of the inventory; volumes stay",
		Long: `What works on a droplet is stopped first, running flows have their time to end, then it is
deleted with everything on its own disk. Its volume and its reserved IP stay. Its name has to be
typed, and with --with-volume the volume's name, too, whose data is then gone for good.

With --all goes everything that carries the inventory's tag, declared or not: agents, then the
server, firewalls, reserved IPs, the DNS record, the private network. The name in [digitalocean]
has to be typed. SSH keys, the project and whatever has no tag of ours stay.`,
		Example: "  provision droplet destroy -i prod.toml worker-2\n  provision droplet destroy -i prod.toml prefect --with-volume\n" +
			"  provision droplet destroy -i prod.toml --all\n" +
			"  provision droplet destroy -i prod.toml worker-2 --confirm worker-2   # where there is no terminal",
		Args: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return provision.Usage("provision droplet destroy --help", "name the one droplet to destroy, or write --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := c.cloudPass(cmd.Context(), nil)
			if err != nil {
				return err
			}
			now, _, done := c.interrupts(cmd.Context())
			defer done()
			defer p.Close()
			if all {
				return c.destroyAll(now, p, withVolume, confirmed)
			}
			return c.destroyOne(now, p, args[0], withVolume, confirmed)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "destroy all that carries the inventory's tag, in order")
	cmd.Flags().BoolVar(&withVolume, "with-volume", false, "destroy its volume, too, with all data on it")
	cmd.Flags().StringSliceVar(&confirmed, "confirm", nil, "the `NAME` in place of typing it; once more for each volume")
	return cmd
}

func (c *cli) destroyOne(ctx context.Context, p *provision.Pass, name string, withVolume bool, confirmed []string) error {
	doomed, err := p.Doom(ctx, name)
	if err != nil {
		return err
	}
	if withVolume && doomed.Volume == "" {
		return provision.Usage("leave out --with-volume", "%s has no volume", name)
	}
	if err := c.typed("droplet", name, confirmed); err != nil {
		return err
	}
	if withVolume {
		if err := c.typed("volume and all its data:", doomed.Volume, confirmed); err != nil {
			return err
		}
	} else if doomed.Volume != "" {
		doomed.Left = append(doomed.Left, "the volume "+doomed.Volume+", with its data")
	}
	if err := p.Destroy(ctx, doomed, withVolume); err != nil {
		return err
	}
	return c.destroyed(name, doomed.Left)
}

func (c *cli) destroyAll(ctx context.Context, p *provision.Pass, withVolumes bool, confirmed []string) error {
	e, err := p.Estate(ctx)
	if err != nil {
		return err
	}
	for _, what := range e.Goes {
		fmt.Fprintf(c.stderr, "- %s\n", what)
	}
	for _, what := range e.VolumesInWords {
		if withVolumes {
			fmt.Fprintf(c.stderr, "- %s\n", what)
		} else {
			fmt.Fprintf(c.stderr, "stays: %s\n", what)
		}
	}
	for _, what := range e.Stays {
		fmt.Fprintf(c.stderr, "stays: %s\n", what)
	}
	name := e.Name
	if err := c.typed("above, all of the inventory", name, confirmed); err != nil {
		return err
	}
	for _, v := range e.Volumes {
		if withVolumes {
			if err := c.typed("volume and all its data:", v, confirmed); err != nil {
				return err
			}
		}
	}
	left, err := p.DestroyAll(ctx, e, withVolumes)
	if err != nil {
		return err
	}
	return c.destroyed(name, left)
}

// destroyed says what is gone, and what is not.
func (c *cli) destroyed(name string, left []string) error {
	if c.json {
		left = append([]string{}, left...) // [] and never null
		return json.NewEncoder(c.stdout).Encode(map[string]any{"version": provision.EventVersion, "type": "destroyed", "name": name, "left": left})
	}
	fmt.Fprintf(c.stdout, "%s is gone\n", name)
	for _, l := range left {
		fmt.Fprintf(c.stdout, "still there: %s\n", l)
	}
	return nil
}
