package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"reflect"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"provision/cmd/provision/ui"
	"provision/inventory/strict"
	"provision/provision"
	"provision/provision/report"
	"provision/remote"
)

// cli is one call: where it reads and writes, the flags of every verb, and what is running.
type cli struct {
	term    Terminal
	out     *results                        // standard output
	returns map[*cobra.Command]reflect.Type // what each verb's result is
	remark  string                          // said on standard error once the result is shown

	inventory, stack string
	limit            []string
	yes, json        bool
	skip             bool // --skip-unreachable
	parallel         int
	verbose, noColor bool
	command          string          // that was called, as it is typed
	face             ui.Face         // shows what happens
	hand             ui.Hand         // what is in hand meanwhile
	page             *ui.Page        // the report, if one is wanted
	sent             map[string]bool // the types of the events that were shown
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
	c.returns = map[*cobra.Command]reflect.Type{}
	root := &cobra.Command{
		Use:   "provision",
		Short: "Bring up Prefect on your own machines over SSH, and keep it as your files say",
		Long: `provision takes blank machines, over SSH alone, to a running Prefect: server, PostgreSQL and
Caddy on one host, agents and your flows on others. Run again, it changes only what differs.

  provision init --split            write onprem.toml and stack.toml
  provision plan  -i onprem.toml    show what would change
  provision apply -i onprem.toml    change it, verify it`,
		Example:       "  provision demo                        # on simulated hosts, in a few seconds\n  provision init                        # writes the two files\n  provision apply -i onprem.toml\n  PROVISION_INVENTORY=onprem.toml provision status",
		SilenceErrors: true, SilenceUsage: true, SuggestionsMinimumDistance: 2,
		Args:             cobra.ArbitraryArgs,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) { c.command = cmd.CommandPath() },
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			hint := "provision --help"
			if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
				hint = "did you mean: provision " + s[0]
			}
			return report.Usage(hint, "unknown command %q", args[0])
		},
	}
	f := root.PersistentFlags()
	f.StringVarP(&c.inventory, "inventory", "i", os.Getenv("PROVISION_INVENTORY"), "inventory `FILE` (or PROVISION_INVENTORY)")
	f.StringVar(&c.stack, "stack", "", "stack `FILE`, instead of the one that the inventory names")
	f.StringSliceVar(&c.limit, "limit", nil, "change only these hosts or roles (`NAME,ROLE`); all are observed")
	f.BoolVarP(&c.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&c.json, "json", false, "one JSON event per line, the last one the report")
	f.IntVar(&c.parallel, "parallel", 0, "hosts dialled and asked at once (`N`)")
	f.BoolVarP(&c.verbose, "verbose", "v", false, "show details")
	f.BoolVar(&c.noColor, "no-color", false, "no colours (NO_COLOR is honoured, too)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		hint := cmd.CommandPath() + " --help"
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) {
			var known []string
			cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
			if near := strict.Nearest(unknown.GetSpecifiedName(), known); near != "" {
				hint = "did you mean: --" + near
			}
		}
		return report.Usage(hint, "%v", err)
	})
	root.SetHelpTemplate(root.HelpTemplate() + exitCodes + "\n")
	root.SetUsageFunc(usage(root.UsageFunc()))
	root.CompletionOptions.DisableDefaultCmd = true
	complete(root, "inventory", filesThatEnd("toml"))
	complete(root, "stack", filesThatEnd("toml"))
	complete(root, "limit", c.completingList(hostsAndRoles))
	complete(root, "parallel", cobra.NoFileCompletions)
	c.addVerbs(root)
	return root
}

// optionalValue is how pflag shows a flag whose value can be left out: with the value that stands for none, which says nothing to a reader.
var optionalValue = regexp.MustCompile(` ([A-Z]+)\[="[^"]*"\]`)

// usage is write with the values that can be left out shown as [=NAME], at the same width.
func usage(write func(*cobra.Command) error) func(*cobra.Command) error {
	return func(cmd *cobra.Command) error {
		out, text := cmd.OutOrStderr(), bytes.Buffer{}
		cmd.SetOut(&text)
		err := write(cmd)
		cmd.SetOut(out)
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, optionalValue.ReplaceAllStringFunc(text.String(), func(flag string) string {
			short := optionalValue.ReplaceAllString(flag, "[=$1]")
			return short + strings.Repeat(" ", len(flag)-len(short))
		}))
		return err
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return report.Usage(cmd.CommandPath()+" --help", "unexpected argument %q", args[0])
	}
	return nil
}

// style is how text is written, on a terminal or elsewhere.
func (c *cli) style(terminal bool) ui.Style {
	return ui.Style{Color: !c.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && terminal}
}

func (c *cli) load(ctx context.Context) (*provision.System, error) {
	if c.inventory == "" {
		return nil, unnamed()
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
	p := &provision.Pass{System: sys, Limit: limit, Parallel: c.parallel, Who: who(), Options: map[string]bool{}, SkipUnreachable: c.skip}
	p.Dialer = &remote.Dialer{Prompt: c.passphrase()}
	c.face = c.newFace()
	if c.verbose {
		p.Dialer.Log = func(format string, args ...any) { c.face.Say("  " + fmt.Sprintf(format, args...)) }
	}
	c.sent = map[string]bool{}
	p.Events = func(e report.Event) {
		c.sent[e.Type] = true
		c.hand.Event(e)
		if c.page != nil {
			c.page.Event(e)
		}
		c.face.Event(e)
	}
	return p, nil
}

// oneLine leaves out the events of a pass where programs read: the result alone is what they get.
func (c *cli) oneLine(p *provision.Pass) {
	if c.json {
		p.Events = nil
	}
}

// skipFlag is for verbs that can do without a host.
func (c *cli) skipFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.skip, "skip-unreachable", false, "continue without hosts that cannot be reached, and name what is left (10)")
}

// newFace chooses how events are shown: JSON if asked for, a live board on a terminal that can show
// one and belongs to a person, plain lines otherwise.
func (c *cli) newFace() ui.Face {
	switch {
	case c.json:
		return ui.NewJSON(c.out, c.term.Err())
	case c.live():
		return c.term.Board(c.style(true))
	}
	return ui.NewLines(c.term.Err(), c.style(c.term.ErrIsTerminal()), c.verbose, ui.Heartbeat)
}

// live tells whether a board can be drawn on standard error. Details (-v) are lines.
func (c *cli) live() bool {
	name := os.Getenv("TERM")
	return c.term.ErrIsTerminal() && name != "" && name != "dumb" && !c.verbose && !inCI()
}

// inCI tells whether the process runs in a pipeline, whose terminal is a log.
func inCI() bool {
	for _, name := range []string{"CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD"} {
		if v := os.Getenv(name); v != "" && v != "false" && v != "0" {
			return true
		}
	}
	return false
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
