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

func (c *cli) verifyVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove, without changing anything, that the hosts are as the files say and work",
		Long: `No change is left, every container is healthy, and from every agent host through Caddy: its own
queue answers its token, a wrong token gets 401, a write to deployments 403 (not tried where flows
may write: execution = "serve" with api = "all"). With --smoke a run of the built-in
flow ends Completed, executed on every agent host, or on the one that is named.

A container that has just been started, as after a reboot, is waited for, 3 minutes at most.`,
		Example: "  provision verify -i onprem.toml\n  provision verify -i onprem.toml --smoke\n  provision verify -i onprem.toml --smoke=worker-1",
	}
	smoke := cmd.Flags().String("smoke", "", "run the built-in flow on all agent hosts, or on `HOST`")
	cmd.Flags().Lookup("smoke").NoOptDefVal = "all"
	complete(cmd, "smoke", c.completing(agentHosts))
	c.skipFlag(cmd)
	return read(c, cmd, everything, func(ctx context.Context, p *provision.Pass, _ []string) (*verifyResult, error) {
		hosts, err := smokeHosts(p.System, *smoke)
		if err != nil {
			return nil, err
		}
		if err := p.Verify(ctx, hosts); err != nil {
			return nil, err
		}
		return &verifyResult{}, nil
	})
}

// verifyResult has no fields: what was verified is in the events.
type verifyResult struct{}

func (verifyResult) Type() string { return "verify" }
func (verifyResult) Text(w io.Writer, _ ui.Style) {
	fmt.Fprintln(w, "verified: nothing differs and everything works")
}

// smokeHosts resolves the value of --smoke.
func smokeHosts(sys *provision.System, word string) ([]string, error) {
	var all []string
	for _, h := range sys.Inventory.Agents() {
		all = append(all, h.Name)
	}
	switch {
	case word == "":
		return nil, nil
	case word == "all":
		return all, nil
	case slices.Contains(all, word):
		return []string{word}, nil
	}
	return nil, report.Usage("agent hosts are: "+strings.Join(all, ", "), "--smoke=%s: there is no such agent host", word)
}
