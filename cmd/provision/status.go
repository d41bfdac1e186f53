package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
	"provision/provision/report"
)

func (c *cli) statusVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what runs where, its health, its image and since when",
		Long: `Shows what runs where. What it sees is its result, so it ends with 0 also where something does not
work; a host that cannot be asked, or whose Docker gives no answer (21), is an error. With --exit-code
it ends with 22 where something does not work, and with 2 where a droplet is not there yet.`,
		Example: "  provision status -i onprem.toml\n  provision status -i onprem.toml --json\n  provision status -i onprem.toml --exit-code   # for a script: 0 only where everything works",
	}
	coded := cmd.Flags().Bool("exit-code", false, "exit with 22 if something does not work, with 2 if a droplet is not there yet")
	c.skipFlag(cmd)
	return read(c, cmd, everything, func(ctx context.Context, p *provision.Pass, _ []string) (*statusResult, error) {
		c.oneLine(p)
		hosts, err := p.Status(ctx)
		if code := provision.Ill(hosts); *coded && err == nil && code != report.ExitDone {
			err = &shown{&report.Error{Code: code, Cause: "not everything works"}}
		}
		return &statusResult{p.System.Inventory.URL, hosts, "provision apply -i " + c.inventory}, err
	})
}

type statusResult struct {
	URL   string                 `json:"url"`
	Hosts []provision.HostStatus `json:"hosts"`
	next  string                 // makes the droplets that do not exist
}

func (statusResult) Type() string { return "status" }
func (r statusResult) Text(w io.Writer, s ui.Style) {
	ui.Status(w, s, r.URL, r.Hosts, r.next)
}
