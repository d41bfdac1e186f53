package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
	"provision/provision/report"
)

func (c *cli) graphVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Draw what runs where, without a connection",
		Long: `Draws the hosts of the inventory with their roles, containers, networks, ports and TLS, as what the
files would give them: as text, as a Mermaid flowchart for a wiki, or as an SVG picture.`,
		Example: "  provision graph -i onprem.toml\n  provision graph -i onprem.toml --format mermaid\n  provision graph -i onprem.toml --format svg > topology.svg",
	}
	format := cmd.Flags().String("format", "text", "`FORMAT`: "+strings.Join(ui.GraphFormats, ", "))
	complete(cmd, "format", cobra.FixedCompletions(ui.GraphFormats, cobra.ShellCompDirectiveNoFileComp))
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(ui.GraphFormats, *format) {
			return report.Usage("formats are: "+strings.Join(ui.GraphFormats, ", "), "--format %s: there is no such format", *format)
		}
		return noArgs(cmd, args)
	}
	return offline(c, cmd, func(sys *provision.System) (*graphResult, error) {
		t, err := sys.Topology()
		if err != nil {
			return nil, err
		}
		return &graphResult{t, *format}, nil
	})
}

type graphResult struct {
	*provision.Topology
	format string
}

func (graphResult) Type() string                   { return "topology" }
func (r graphResult) Text(w io.Writer, s ui.Style) { ui.Graph(w, s, r.Topology, r.format) }
