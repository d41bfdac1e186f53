package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/inventory"
	"provision/provision"
	"provision/provision/stack"
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
				return json.NewEncoder(c.stdout).Encode(map[string]any{"version": provision.EventVersion, "type": "valid", "hosts": sys.HostNames()})
			}
			fmt.Fprintf(c.stdout, "%s and the stack %q are valid: %s\n", c.inventory, sys.Stack.Name, ui.Count(len(sys.Inventory.Hosts), "host"))
			return nil
		},
	}
}

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show what runs where, its health, its image and since when",
		Example: "  provision status -i onprem.toml\n  provision status -i onprem.toml --json",
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
				ui.Status(c.stdout, c.style(c.stdout), sys.Inventory.URL, hosts)
			}
			return err
		},
	}
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

func (c *cli) initCommand() *cobra.Command {
	var single, split, cloud bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a commented inventory and stack.toml to start from",
		Long:  "Writes onprem.toml (prod.toml with --digitalocean) and stack.toml into the current directory. Existing files are left as they are.",
		Example: "  provision init --single         server and agent on one host\n  provision init --split          agents on hosts of their own\n" +
			"  provision init --digitalocean   droplets",
		RunE: func(*cobra.Command, []string) error {
			var chosen []string
			for name, set := range map[string]bool{"single": single, "split": split, "digitalocean": cloud} {
				if set {
					chosen = append(chosen, name)
				}
			}
			if len(chosen) != 1 {
				return provision.Usage("provision init --split", "say which: --single, --split or --digitalocean")
			}
			return c.scaffold(chosen[0])
		},
	}
	cmd.Flags().BoolVar(&single, "single", false, "server and agent on one host")
	cmd.Flags().BoolVar(&split, "split", false, "server and agents on hosts of their own")
	cmd.Flags().BoolVar(&cloud, "digitalocean", false, "droplets")
	return cmd
}

// scaffold writes the files, none of them if one exists.
func (c *cli) scaffold(layout string) error {
	name, text := inventory.Template(inventory.Layout(layout))
	out := []struct{ name, text string }{{name, text}, {"stack.toml", stack.Template()}}
	for _, f := range out {
		if _, err := os.Lstat(f.name); err == nil {
			return provision.Usage("move it away, or run this in another directory", "%s exists; nothing was written", f.name)
		}
	}
	for _, f := range out {
		file, err := os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return provision.Usage("", "write %s: %v", f.name, err)
		}
		_, err = file.WriteString(f.text)
		if cerr := file.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
		fmt.Fprintf(c.stdout, "wrote %s\n", f.name)
	}
	fmt.Fprintf(c.stderr, "next: put your addresses into %s, then: provision plan -i %s\n", out[0].name, out[0].name)
	return nil
}
