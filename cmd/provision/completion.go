package main

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/inventory"
	"provision/provision/cloud/clouds"
	"provision/provision/report"
)

func (c *cli) completionVerb() *cobra.Command {
	shells := map[string]func(root *cobra.Command, w io.Writer) error{
		"bash": func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":  func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
		"fish": func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	}
	names := []string{"bash", "zsh", "fish"}
	cmd := &cobra.Command{
		Use:   "completion " + strings.Join(names, "|"),
		Short: "Write what a shell needs to complete verbs, flags, hosts and roles",
		Long: `Writes a script for the shell. Hosts and roles come from the inventory on the command line, or from
PROVISION_INVENTORY; nothing is connected to. That for bash needs the package bash-completion.`,
		Example: `  provision completion bash > ~/.local/share/bash-completion/completions/provision
  provision completion zsh > ~/.zfunc/_provision     # with fpath=(~/.zfunc $fpath) before compinit in ~/.zshrc
  provision completion fish > ~/.config/fish/completions/provision.fish`,
		Args: cobra.ArbitraryArgs, ValidArgs: names,
	}
	return plain(c, cmd, func(_ context.Context, args []string) (*textResult, error) {
		if len(args) != 1 || shells[args[0]] == nil {
			return nil, report.Usage("provision completion bash", "say which: %s", strings.Join(names, ", "))
		}
		var script bytes.Buffer
		err := shells[args[0]](cmd.Root(), &script)
		return &textResult{func(w io.Writer, _ ui.Style) { script.WriteTo(w) }}, err
	})
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
	inv, problems := inventory.Load(c.inventory, clouds.Declared()...)
	if len(problems) > 0 {
		return nil
	}
	return words(inv)
}

// completingList gives the last of several words with commas between, and none that is there already.
func (c *cli) completingList(words candidates) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndex(typed, ",")+1]
		var all []string
		for _, word := range c.words(words) {
			if !slices.Contains(strings.Split(before, ","), word) {
				all = append(all, before+word)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

// filesThatEnd gives files by what their names end with.
func filesThatEnd(ends ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(ends, cobra.ShellCompDirectiveFilterFileExt)
}

// complete says what may stand behind a flag of a command.
func complete(cmd *cobra.Command, flag string, words cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, words); err != nil {
		panic(err) // there is no such flag
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

func madeHosts(inv *inventory.Inventory) []string {
	var all []string
	for _, h := range inv.Hosts {
		if h.Machine != nil {
			all = append(all, h.Name)
		}
	}
	return all
}
