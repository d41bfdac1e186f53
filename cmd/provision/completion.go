package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/inventory"
	"provision/provision"
)

func (c *cli) completionCommand() *cobra.Command {
	shells := map[string]func(root *cobra.Command, w io.Writer) error{
		"bash": func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":  func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
		"fish": func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	}
	names := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion " + strings.Join(names, "|"),
		Short: "Write what a shell needs to complete verbs, flags, hosts and roles",
		Long: `Writes a script for the shell. Hosts and roles come from the inventory on the command line, or from
PROVISION_INVENTORY; nothing is connected to. That for bash needs the package bash-completion.`,
		Example: `  provision completion bash > ~/.local/share/bash-completion/completions/provision
  provision completion zsh > ~/.zfunc/_provision     # with fpath=(~/.zfunc $fpath) before compinit in ~/.zshrc
  provision completion fish > ~/.config/fish/completions/provision.fish`,
		Args: cobra.ArbitraryArgs, ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || shells[args[0]] == nil {
				return provision.Usage("provision completion bash", "say which: %s", strings.Join(names, ", "))
			}
			return shells[args[0]](cmd.Root(), c.stdout)
		},
	}
}

// candidates are the words that may stand in a place, of an inventory without mistakes.
type candidates func(inv *inventory.Inventory) []string

// completing gives the words of the inventory; nothing where there is none that can be read.
func (c *cli) completing(words candidates) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return c.words(words), cobra.ShellCompDirectiveNoFileComp
	}
}

func (c *cli) words(words candidates) []string {
	if c.inventory == "" {
		return nil
	}
	inv, problems := inventory.Load(c.inventory)
	if len(problems) > 0 {
		return nil
	}
	return words(inv)
}

// completions says what stands behind flags and verbs.
func (c *cli) completions(root *cobra.Command) {
	files := func(ends ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(ends, cobra.ShellCompDirectiveFilterFileExt)
	}
	list := func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		// Of several with commas between the last one is completed, and none is named twice.
		before := typed[:strings.LastIndex(typed, ",")+1]
		var all []string
		for _, word := range c.words(hostsAndRoles) {
			if !slices.Contains(strings.Split(before, ","), word) {
				all = append(all, before+word)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
	for _, at := range []struct {
		verb, flag string
		words      cobra.CompletionFunc
	}{
		{"", "inventory", files("toml")},
		{"", "stack", files("toml")},
		{"", "limit", list},
		{"", "parallel", cobra.NoFileCompletions},
		{"verify", "smoke", c.completing(agentHosts)},
		{"graph", "format", cobra.FixedCompletions(ui.GraphFormats, cobra.ShellCompDirectiveNoFileComp)},
		{"init", "tls", cobra.FixedCompletions([]string{inventory.TLSInternal, inventory.TLSACME, inventory.TLSFiles, inventory.TLSOff}, cobra.ShellCompDirectiveNoFileComp)},
		{"init", "ssh-key", files("pub")},
	} {
		cmd, _, err := root.Find(strings.Fields(at.verb))
		if err == nil {
			err = cmd.RegisterFlagCompletionFunc(at.flag, at.words)
		}
		if err != nil {
			panic(err) // the table names what there is not
		}
	}
	for _, cmd := range root.Commands() {
		if len(cmd.ValidArgs) == 0 && cmd.Name() != "apply" { // which takes a file
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
		for _, sub := range cmd.Commands() {
			sub.ValidArgsFunction = cobra.NoFileCompletions
			if strings.Contains(sub.Use, "NAME") {
				sub.ValidArgsFunction = c.completing(dropletHosts)
			}
		}
	}
}

func hostsAndRoles(inv *inventory.Inventory) []string {
	var all []string
	for _, h := range inv.Hosts {
		all = append(all, h.Name)
	}
	for _, role := range []inventory.Role{inventory.RoleServer, inventory.RoleAgent} {
		if slices.ContainsFunc(inv.Hosts, func(h inventory.Host) bool { return slices.Contains(h.Roles, role) }) {
			all = append(all, string(role))
		}
	}
	return all
}

func agentHosts(inv *inventory.Inventory) []string {
	var all []string
	for _, h := range inv.Agents() {
		all = append(all, h.Name)
	}
	return all
}

func dropletHosts(inv *inventory.Inventory) []string {
	var all []string
	for _, h := range inv.Hosts {
		if h.Machine != nil {
			all = append(all, h.Name)
		}
	}
	return all
}
