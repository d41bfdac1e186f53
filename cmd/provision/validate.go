package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
)

func (c *cli) validateVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "validate",
		Short:   "Check both files, without a connection",
		Example: "  provision validate -i onprem.toml",
	}
	return offline(c, cmd, func(sys *provision.System) (*validResult, error) {
		if !c.json {
			for _, warning := range sys.Stack.Packed {
				fmt.Fprintln(c.term.Err(), "warning: "+warning)
			}
		}
		return &validResult{
			Hosts: sys.HostNames(), Warnings: append([]string{}, sys.Stack.Packed...),
			text: fmt.Sprintf("%s and the stack %q are valid: %s\n", c.inventory, sys.Stack.Name, ui.Count(len(sys.Inventory.Hosts), "host")),
		}, nil
	})
}

type validResult struct {
	Hosts    []string `json:"hosts"`
	Warnings []string `json:"warnings"`
	text     string
}

func (validResult) Type() string                   { return "valid" }
func (r validResult) Text(w io.Writer, _ ui.Style) { io.WriteString(w, r.text) }
