package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/provision"
)

var errChanges = &provision.Error{Code: provision.ExitChanges, Cause: "there are changes"}

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
	return nil, provision.Usage("agent hosts are: "+strings.Join(all, ", "), "--smoke=%s: there is no such agent host", word)
}

func (c *cli) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "validate",
		Short:   "Check both files, without a connection",
		Example: "  provision validate -i onprem.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			sys, err := c.load(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				return json.NewEncoder(c.stdout).Encode(map[string]any{"version": provision.EventVersion, "type": "valid", "hosts": sys.HostNames(), "warnings": append([]string{}, sys.Stack.Packed...)})
			}
			for _, warning := range sys.Stack.Packed {
				fmt.Fprintln(c.stderr, "warning: "+warning)
			}
			fmt.Fprintf(c.stdout, "%s and the stack %q are valid: %s\n", c.inventory, sys.Stack.Name, ui.Count(len(sys.Inventory.Hosts), "host"))
			return nil
		},
	}
}

func (c *cli) statusCommand() *cobra.Command {
	var coded bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what runs where, its health, its image and since when",
		Long: `Shows what runs where. What it sees is its result, so it ends with 0 also where something does not
work; a host that cannot be asked, or whose Docker gives no answer (21), is an error. With --exit-code
it ends with 22 where something does not work, and with 2 where a droplet is not there yet.`,
		Example: "  provision status -i onprem.toml\n  provision status -i onprem.toml --json\n  provision status -i onprem.toml --exit-code   # for a script: 0 only where everything works",
		RunE: func(cmd *cobra.Command, _ []string) error {
			sys, err := c.load(cmd.Context())
			if err != nil {
				return err
			}
			p, err := c.pass(sys)
			if err != nil {
				return err
			}
			if c.json { // one line, of the result
				p.Events = nil
			}
			ctx, cancel := reading(cmd.Context())
			defer cancel()
			defer c.face.Close()
			defer p.Close()
			hosts, err := p.Status(ctx)
			c.face.Pause()
			if c.json {
				json.NewEncoder(c.stdout).Encode(map[string]any{"version": provision.EventVersion, "type": "status", "url": sys.Inventory.URL, "hosts": hosts})
			} else {
				ui.Status(c.stdout, c.style(c.stdout.f), sys.Inventory.URL, hosts, "provision apply -i "+c.inventory)
			}
			if code := provision.Ill(hosts); coded && err == nil && code != provision.ExitDone {
				c.printed = true
				return &provision.Error{Code: code, Cause: "not everything works"}
			}
			return err
		},
	}
	c.skipFlag(cmd)
	cmd.Flags().BoolVar(&coded, "exit-code", false, "exit with 22 if something does not work, with 2 if a droplet is not there yet")
	return cmd
}

func (c *cli) credentialsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "credentials",
		Short:   "Show the login to the UI, to who may read it on the server",
		Example: "  provision credentials -i onprem.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			sys, err := c.load(cmd.Context())
			if err != nil {
				return err
			}
			p, err := c.pass(sys)
			if err != nil {
				return err
			}
			if c.json { // one line, of the result
				p.Events = nil
			}
			ctx, cancel := reading(cmd.Context())
			defer cancel()
			defer c.face.Close()
			defer p.Close()
			login, err := p.Credentials(ctx)
			c.face.Pause()
			if err != nil {
				return err
			}
			if c.json {
				return json.NewEncoder(c.stdout).Encode(struct {
					Version int    `json:"version"`
					Type    string `json:"type"`
					provision.Login
				}{provision.EventVersion, "credentials", login})
			}
			fmt.Fprintf(c.stdout, "url       %s\nuser      %s\npassword  %s\n", login.URL, login.User, login.Password)
			return nil
		},
	}
}
