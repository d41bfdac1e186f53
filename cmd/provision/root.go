package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"provision/cmd/provision/ui"
	"provision/inventory"
	"provision/provision"
	"provision/remote"
)

// cli holds the common flags and the streams.
type cli struct {
	stdin, stdout, stderr *os.File

	inventory, stack string
	limit            []string
	yes, json        bool
	parallel         int
	verbose, noColor bool
	printed          bool // the error is already in what was printed
	reported         bool // the last JSON line, the report, holds it
}

const exitCodes = `
Exit codes:
  0 done           10 unreachable     16 stale plan         40 refused to risk data
  1 failed         11 host key        20 a step failed     130 interrupted
  2 changes found  12 authentication  21 outcome unknown
  3 wrong files    13 privilege       22 unhealthy
    or usage       14 locked          30 cloud
                   15 preflight`

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "provision",
		Short: "Bring up Prefect on your own machines over SSH, and keep it as your files say",
		Long: `provision takes blank machines, over SSH alone, to a running Prefect: server, PostgreSQL and
Caddy on one host, agents and your flows on others. Run again, it changes only what differs.

  provision init --split            write onprem.toml and stack.toml
  provision plan  -i onprem.toml    show what would change
  provision apply -i onprem.toml    change it, verify it
` + exitCodes,
		SilenceErrors: true, SilenceUsage: true, SuggestionsMinimumDistance: 2,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			hint := "provision --help"
			if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
				hint = "did you mean: provision " + s[0]
			}
			return provision.Usage(hint, "unknown command %q", args[0])
		},
	}
	f := root.PersistentFlags()
	f.StringVarP(&c.inventory, "inventory", "i", os.Getenv("PROVISION_INVENTORY"), "inventory `FILE` (or PROVISION_INVENTORY)")
	f.StringVar(&c.stack, "stack", "", "stack `FILE`, in place of the one that the inventory names")
	f.StringSliceVar(&c.limit, "limit", nil, "change only these hosts or roles (`NAME,ROLE`); all are observed")
	f.BoolVarP(&c.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&c.json, "json", false, "one JSON event a line, the last one the report")
	f.IntVar(&c.parallel, "parallel", 0, "hosts worked on at once (`N`)")
	f.BoolVarP(&c.verbose, "verbose", "v", false, "show details")
	f.BoolVar(&c.noColor, "no-color", false, "no colours (NO_COLOR is honoured, too)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		hint := cmd.CommandPath() + " --help"
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) {
			var known []string
			cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
			if near := inventory.Nearest(unknown.GetSpecifiedName(), known); near != "" {
				hint = "did you mean: --" + near
			}
		}
		return provision.Usage(hint, "%v", err)
	})
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.AddCommand(c.initCommand(), c.validateCommand(), c.planCommand(), c.applyCommand(), c.verifyCommand(), c.statusCommand(), c.credentialsCommand(), c.dropletCommand(), c.demoCommand(), c.versionCommand())
	for _, cmd := range root.Commands() {
		if cmd.Args == nil {
			cmd.Args = noArgs
		}
	}
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return provision.Usage(cmd.CommandPath()+" --help", "unexpected argument %q", args[0])
	}
	return nil
}

func (c *cli) style(f *os.File) ui.Style {
	return ui.Style{Color: !c.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))}
}

func (c *cli) load(ctx context.Context) (*provision.System, error) {
	if c.inventory == "" {
		return nil, provision.Usage("provision COMMAND -i onprem.toml; write one with: provision init --split", "no inventory is named")
	}
	return provision.Load(ctx, c.inventory, c.stack)
}

// pass makes a pass whose events are shown as the flags ask.
func (c *cli) pass(sys *provision.System) (*provision.Pass, error) {
	if err := sys.Connectable(); err != nil {
		return nil, err
	}
	limit, err := sys.Select(c.limit)
	if err != nil {
		return nil, err
	}
	p := &provision.Pass{System: sys, Limit: limit, Parallel: c.parallel, Who: who(), Options: map[string]bool{}}
	p.Dialer = &remote.Dialer{Prompt: c.passphrase()}
	if c.verbose {
		p.Dialer.Log = func(format string, args ...any) { fmt.Fprintf(c.stderr, "  "+format+"\n", args...) }
	}
	if c.json {
		p.Events = ui.JSON(c.stdout)
	} else {
		p.Events = ui.Text(c.stderr, c.style(c.stderr), c.verbose)
	}
	return p, nil
}

func who() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	return fmt.Sprintf("%s on %s (process %d)", name, host, os.Getpid())
}

func (c *cli) terminal() bool {
	return term.IsTerminal(int(c.stdin.Fd())) && term.IsTerminal(int(c.stderr.Fd()))
}

// passphrase asks for a key's passphrase on the terminal; nil without one.
func (c *cli) passphrase() func(context.Context, string) (string, error) {
	if !c.terminal() {
		return nil
	}
	return func(_ context.Context, question string) (string, error) {
		fmt.Fprintf(c.stderr, "%s: ", question)
		b, err := term.ReadPassword(int(c.stdin.Fd()))
		fmt.Fprintln(c.stderr)
		return string(b), err
	}
}

// confirm asks for the plan that was just shown.
func (c *cli) confirm(_ context.Context, plan *provision.Plan, changed bool) (bool, error) {
	if c.yes {
		if changed {
			return false, &provision.Error{Code: provision.ExitStale, Cause: "the hosts have changed since the plan was made, nothing was changed", Hint: "run the same command again"}
		}
		return true, nil
	}
	if !c.terminal() {
		return false, provision.Usage("provision apply --yes", "this plan needs a yes, and there is no terminal to ask on; nothing was changed")
	}
	fmt.Fprintf(c.stderr, "Carry out %s? [y/N] ", ui.Count(len(plan.Changes), "change"))
	line, err := bufio.NewReader(c.stdin).ReadString('\n')
	if err != nil {
		return false, nil
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

var errSecondInterrupt = errors.New("interrupted twice")

// interrupts returns two contexts: stop ends with the first Ctrl-C, after which the changes in hand
// are finished; now ends with the second.
func (c *cli) interrupts(ctx context.Context) (now, stop context.Context, done func()) {
	stop, cancelStop := context.WithCancel(ctx)
	now, cancelNow := context.WithCancelCause(ctx)
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	quit := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-quit:
				return
			case <-ch:
			}
			if n == 0 {
				fmt.Fprintln(c.stderr, "\nfinishing the changes in hand, then stopping; press Ctrl-C again to abandon them")
				cancelStop()
				continue
			}
			fmt.Fprintln(c.stderr, "abandoning: what was running on the hosts may go on; run the same command again to find out")
			cancelNow(fmt.Errorf("%w: %w", errSecondInterrupt, context.Canceled))
			return
		}
	}()
	return now, stop, func() { signal.Stop(ch); close(quit); cancelStop(); cancelNow(nil) }
}

// reading returns a context that ends with the first Ctrl-C, for commands that change nothing.
func reading(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}
