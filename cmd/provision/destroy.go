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

func (c *cli) destroyVerb() *cobra.Command {
	var volumes bool
	var confirmed []string
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Take the stack off all its hosts; its data stay",
		Long: `Shows all that goes: containers, networks with their rules, images that were built for the stack,
files. The name of the stack has to be typed, or given with --confirm; --yes alone is not enough. Agent
hosts come first and the server last, and running flows have their time to end, so that they can say
how they ended.

Volumes stay, and with them the key and the identity without which nobody can read or continue their
data: the next apply brings the stack back with them. With --volumes they go, too, and each volume's
name has to be typed as well (or given with one --confirm each); their data are then gone for good.

What is not the stack's stays: other containers, networks and volumes, Docker, images that were pulled.
Droplets and their block storage stay as well: see provision droplet destroy. A host that cannot be
reached ends it before anything is done (10); take it out of the inventory if it is gone for ever. What
was interrupted is finished by the next destroy, or undone by the next apply.`,
		Example: "  provision destroy -i onprem.toml\n  provision destroy -i onprem.toml --confirm prefect   # where there is no terminal\n" +
			"  provision destroy -i onprem.toml --volumes",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(c.limit) > 0 {
				return provision.RefuseLimit("destroy")
			}
			return noArgs(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&volumes, "volumes", false, "remove the stack's volumes, too, with all data in them")
	cmd.Flags().StringSliceVar(&confirmed, "confirm", nil, "the stack's `NAME` in place of typing it; once more for each volume")
	complete(cmd, "confirm", cobra.NoFileCompletions)
	wait := cmd.Flags().Duration("lock-wait", 0, "how long to wait while another run is working on a host")
	c.skipFlag(cmd)
	destroying := func(sys *provision.System, _ []string) (*provision.System, error) { return sys.Destroying(volumes) }
	return change(c, cmd, destroying, func(now, stop context.Context, p *provision.Pass, _ []string) (*destroyedStack, error) {
		p.LockWait = *wait
		p.Confirm = func(ctx context.Context, plan *report.Plan, _ bool) (bool, error) {
			c.face.Pause()
			err := c.typed(ctx, "stack", p.System.Stack.Name, confirmed)
			for _, v := range provision.DoomedVolumes(plan) {
				if err == nil {
					err = c.typed(ctx, "volume and all its data:", v, confirmed)
				}
			}
			return err == nil, err
		}
		remains, err := p.DestroyStack(now, stop)
		if err != nil {
			return nil, err
		}
		return &destroyedStack{p.System.Stack.Name, remains.Left, remains.Removed}, nil
	})
}

// destroyedStack says that the stack is gone, and what is not.
type destroyedStack struct {
	Name    string   `json:"name"`
	Left    []string `json:"left"`
	removed bool
}

func (destroyedStack) Type() string { return "destroyed" }
func (r destroyedStack) Text(w io.Writer, _ ui.Style) {
	if r.removed {
		fmt.Fprintf(w, "the stack %s is gone\n", r.Name)
	} else {
		fmt.Fprintf(w, "nothing of the stack %s is left to remove\n", r.Name)
	}
	for _, l := range r.Left {
		fmt.Fprintf(w, "still there: %s\n", l)
	}
}
