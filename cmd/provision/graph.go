package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
)

func (c *cli) graphCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Draw what runs where, without a connection",
		Long: `Draws the hosts of the inventory with their roles, containers, networks, ports and TLS, as what the
files would give them: as text, as a Mermaid flowchart for a wiki, or as an SVG picture.`,
		Example: "  provision graph -i onprem.toml\n  provision graph -i onprem.toml --format mermaid\n  provision graph -i onprem.toml --format svg > topology.svg",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(ui.GraphFormats, format) {
				return provision.Usage("formats are: "+strings.Join(ui.GraphFormats, ", "), "--format %s: there is no such format", format)
			}
			sys, err := c.load(cmd.Context())
			if err != nil {
				return err
			}
			t, err := sys.Topology()
			if err != nil {
				return err
			}
			if c.json {
				return json.NewEncoder(c.stdout).Encode(struct {
					Version int    `json:"version"`
					Type    string `json:"type"`
					*provision.Topology
				}{provision.EventVersion, "topology", t})
			}
			ui.Graph(c.stdout, c.style(c.stdout.f), t, format)
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: "+strings.Join(ui.GraphFormats, ", "))
	return cmd
}
