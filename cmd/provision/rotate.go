package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
	"provision/provision/report"
)

func (c *cli) rotateVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate NAME...",
		Short: "Give secrets new values; the old ones open nothing any more",
		Long: `Shows what is replaced and what is interrupted by it, asks once, carries it out, observes again until
nothing differs, verifies, and has every agent host prove what its tokens open. NAME is one of

  database    the password of the stack's own PostgreSQL
  valkey      the password of Valkey, where there are several servers
  ui          the password of the UI
  tokens      both tokens of all agent hosts at the API; tokens:HOST those of one host
  poll, run   the tokens of one kind, of all agent hosts; poll:HOST and run:HOST that of one host
  bridge      what agent and business logic of a host know each other by; bridge:HOST that of one host
  ca          the certificate authority (tls.mode "internal"); agents trust old and new meanwhile

Containers that read the secret stop before it changes, flow runs have their time to end, and start
with the new value; no other container is touched. What you gave yourself, in the stack or the
inventory, is changed there (3). Prefect's encryption key is never replaced: what it has encrypted
would be lost (40). What was interrupted is healed by the next apply; call rotate again where the value
from before must not stay.`,
		Example: "  provision rotate -i onprem.toml database\n  provision rotate -i onprem.toml tokens:worker-1 --yes\n  provision rotate -i onprem.toml ui && provision credentials -i onprem.toml",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return report.Usage("provision rotate --help", "name what is to be replaced")
			case len(c.limit) > 0:
				return provision.RefuseLimit("rotate")
			}
			return nil
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		words, directive := c.completing(provision.RotateNames)(cmd, args, typed)
		return slices.DeleteFunc(words, func(w string) bool { return slices.Contains(args, w) }), directive
	}
	wait := cmd.Flags().Duration("lock-wait", 0, "how long to wait while another run is working on a host")
	c.skipFlag(cmd)
	rotating := func(sys *provision.System, names []string) (*provision.System, error) { return sys.Rotating(names) }
	return change(c, cmd, rotating, func(now, stop context.Context, p *provision.Pass, names []string) (*rotatedResult, error) {
		p.LockWait = *wait
		c.command += " " + strings.Join(names, " ")
		rotated, result, err := p.Rotate(now, stop)
		if err != nil && report.ExitCode(err) != report.ExitUnreachable || len(rotated.Secrets) == 0 {
			return nil, err
		}
		return &rotatedResult{rotated, result}, err
	})
}

// rotatedResult says what has another value, and what was replaced because of it.
type rotatedResult struct {
	*provision.Rotated
	report *report.Report
}

func (rotatedResult) Type() string { return "rotated" }
func (r rotatedResult) Text(w io.Writer, s ui.Style) {
	ui.Report(w, s, r.report, "provision credentials")
	for _, secret := range r.Secrets {
		fmt.Fprintf(w, "replaced: %s on %s\n", secret.Name, secret.Host)
	}
}
