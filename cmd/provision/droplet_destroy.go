package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
	"provision/provision/report"
)

func (c *cli) dropletDestroyVerb() *cobra.Command {
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
				return report.Usage("provision droplet destroy --help", "name the one droplet to destroy, or write --all")
			}
			return nil
		},
		ValidArgsFunction: c.completing(madeHosts),
	}
	cmd.Flags().BoolVar(&all, "all", false, "destroy all that carries the inventory's tag, in order")
	cmd.Flags().BoolVar(&withVolume, "with-volume", false, "destroy its volume, too, with all data on it")
	cmd.Flags().StringSliceVar(&confirmed, "confirm", nil, "the `NAME` in place of typing it; once more for each volume")
	return change(c, cmd, accountAlone, func(now, stop context.Context, p *provision.Pass, args []string) (*destroyResult, error) {
		typed := func(what, name string) error { return c.typed(stop, what, name, confirmed) }
		if all {
			return c.destroyAll(now, p, withVolume, typed)
		}
		return destroyOne(now, p, args[0], withVolume, typed)
	})
}

// destroyResult says what is gone, and what is not.
type destroyResult struct {
	Name string   `json:"name"`
	Left []string `json:"left"`
}

func destroyed(name string, left []string) *destroyResult {
	return &destroyResult{name, append([]string{}, left...)} // [] and never null
}

func (destroyResult) Type() string { return "destroyed" }
func (r destroyResult) Text(w io.Writer, _ ui.Style) {
	fmt.Fprintf(w, "%s is gone\n", r.Name)
	for _, l := range r.Left {
		fmt.Fprintf(w, "still there: %s\n", l)
	}
}

func destroyOne(ctx context.Context, p *provision.Pass, name string, withVolume bool, typed func(what, name string) error) (*destroyResult, error) {
	doomed, err := p.Doom(ctx, name)
	if err != nil {
		return nil, err
	}
	if withVolume && doomed.Volume == "" {
		return nil, report.Usage("leave out --with-volume", "%s has no volume", name)
	}
	if err := typed("droplet", name); err != nil {
		return nil, err
	}
	if withVolume {
		if err := typed("volume and all its data:", doomed.Volume); err != nil {
			return nil, err
		}
	} else if doomed.Volume != "" {
		doomed.Left = append(doomed.Left, "the volume "+doomed.Volume+", with its data")
	}
	if err := p.Destroy(ctx, doomed, withVolume); err != nil {
		return nil, err
	}
	return destroyed(name, doomed.Left), nil
}

func (c *cli) destroyAll(ctx context.Context, p *provision.Pass, withVolumes bool, typed func(what, name string) error) (*destroyResult, error) {
	e, err := p.Estate(ctx)
	if err != nil {
		return nil, err
	}
	for _, what := range e.Goes {
		fmt.Fprintf(c.term.Err(), "- %s\n", what)
	}
	for _, what := range e.VolumesInWords {
		if withVolumes {
			fmt.Fprintf(c.term.Err(), "- %s\n", what)
		} else {
			fmt.Fprintf(c.term.Err(), "stays: %s\n", what)
		}
	}
	for _, what := range e.Stays {
		fmt.Fprintf(c.term.Err(), "stays: %s\n", what)
	}
	name := e.Name
	if err := typed("above, all of the inventory", name); err != nil {
		return nil, err
	}
	for _, v := range e.Volumes {
		if withVolumes {
			if err := typed("volume and all its data:", v); err != nil {
				return nil, err
			}
		}
	}
	left, err := p.DestroyAll(ctx, e, withVolumes)
	if err != nil {
		return nil, err
	}
	return destroyed(name, left), nil
}
