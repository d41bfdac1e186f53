package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"provision/cmd/provision/ui"
	"provision/files/generation"
	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/cloud/clouds"
	"provision/provision/report"
	"provision/provision/stack"
)

func (c *cli) initVerb() *cobra.Command {
	layouts := map[string]*bool{}
	values := map[string]*string{}
	plaintext := false
	var inventories []string
	examples := ""
	for _, l := range clouds.Layouts() {
		inventories = append(inventories, l.File+" with --"+l.Name)
		examples += fmt.Sprintf("\n  provision init --%-14s # %s", l.Name, l.Usage)
	}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a commented inventory and stack.toml to start from",
		Long: `Writes onprem.toml (` + strings.Join(inventories, ", ") + `) and stack.toml into the current directory. Existing files are left as they are.

On a terminal and without flags it asks for what it needs to know. With flags it asks nothing: what they do not say
keeps its example, to be edited.`,
		Example: "  provision init                  # asks\n  provision init --single         # server and agent on one host\n  provision init --split          # agents on hosts of their own\n" +
			"  provision init --split --server 10.0.0.11 --agent 10.0.0.21,10.0.0.22 --user ops\n" +
			"  provision init --single --prefect 2   # the original design, for stacks that cannot change yet" + examples,
	}
	f := cmd.Flags()
	for _, layout := range anywhere {
		layouts[layout.Name] = f.Bool(layout.Name, false, layout.Usage)
	}
	for _, i := range items() {
		values[i.flag] = f.String(i.flag, "", i.usage)
	}
	prefect := prefectFlag(cmd)
	f.BoolVar(&plaintext, "allow-plaintext", false, "with --tls off: yes, in clear")
	complete(cmd, "tls", cobra.FixedCompletions([]string{inventory.TLSInternal, inventory.TLSACME, inventory.TLSFiles, inventory.TLSOff}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "ssh-key", filesThatEnd("pub"))
	return plain(c, cmd, func(ctx context.Context, _ []string) (*textResult, error) {
		var chosen []inventory.Layout
		for _, layout := range anywhere {
			if *layouts[layout.Name] {
				chosen = append(chosen, layout)
			}
		}
		var a *answers
		g, err := generationCalled(*prefect)
		switch {
		case err != nil:
		case len(chosen) == 1:
			a, err = fromFlags(cmd, chosen[0], values, plaintext)
		case cmd.Flags().NFlag() == 0 && c.capable():
			if err := absent(stackFile); err != nil {
				return nil, err
			}
			a, err = c.interview(ctx)
		default:
			var flags []string
			for _, layout := range anywhere {
				flags = append(flags, "--"+layout.Name)
			}
			last := len(flags) - 1
			err = report.Usage("provision init --split", "say which: %s or %s", strings.Join(flags[:last], ", "), flags[last])
		}
		if err != nil {
			return nil, err
		}
		if cmd.Flags().NFlag() > 0 {
			a.generation = g
		}
		wrote, err := scaffold(a)
		if err == nil {
			c.then("next: %sprovision plan -i %s", a.todo(), a.draft.File)
		}
		return &textResult{func(w io.Writer, _ ui.Style) {
			for _, name := range wrote {
				fmt.Fprintf(w, "wrote %s\n", name)
			}
		}}, err
	})
}

// fromFlags takes what the flags say and leaves the rest as the template has it.
func fromFlags(cmd *cobra.Command, layout inventory.Layout, values map[string]*string, plaintext bool) (*answers, error) {
	a := newAnswers(layout)
	if plaintext {
		a.draft.Set("tls.allow_plaintext", true)
	}
	var wrong []error
	for _, i := range items() {
		given, fits := cmd.Flags().Changed(i.flag), slices.Contains(i.layouts, layout)
		switch {
		case given && !fits:
			return nil, report.Usage("provision init --help", "--%s is not for --%s", i.flag, layout.Name)
		case given:
			if i.key == "url" {
				a.forgetDomain()
			}
			if p := a.set(i, *values[i.flag]); p != nil {
				wrong = append(wrong, report.Usage(p.Hint, "--%s: %s", i.flag, p.Problem))
			}
		case fits && i.key == domainKey && cmd.Flags().Changed("url"):
			a.set(i, a.domain())
		case fits && i.key == keysKey && publicKey() != "":
			a.set(i, publicKey())
		}
	}
	return a, errors.Join(wrong...)
}

// capable tells whether standard input and error are a terminal on which questions can be drawn.
func (c *cli) capable() bool {
	name := os.Getenv("TERM")
	return c.term.CanAsk() && name != "" && name != "dumb"
}

// interview asks for everything.
func (c *cli) interview(ctx context.Context) (*answers, error) {
	var choices []ui.Choice
	for _, layout := range anywhere {
		choices = append(choices, ui.Choice{Value: layout.Name, Title: layout.Title})
	}
	name, err := c.question(ctx, ui.Question{Title: "What is it to run on?", Default: anywhere[0].Name, Choices: choices})
	if err != nil {
		return nil, err
	}
	a := newAnswers(anywhere[slices.IndexFunc(anywhere, func(l inventory.Layout) bool { return l.Name == name })])
	if err := absent(a.draft.File); err != nil {
		return nil, err
	}
	a.forgetDomain()
	for _, i := range items() {
		if !slices.Contains(i.layouts, a.layout) || i.when != nil && !i.when(a) {
			continue
		}
		q := ui.Question{Title: i.title, Help: i.help, Choices: i.choices, Check: func(text string) error { return asked(a.set(i, text)) }}
		if i.standard != nil {
			q.Default = i.standard(a)
		}
		if i.key == "tls.mode" {
			err = c.mode(ctx, a, q)
		} else {
			_, err = c.question(ctx, q)
		}
		if err != nil {
			return nil, err
		}
	}
	var kinds []ui.Choice
	for _, g := range slices.Backward(stack.Generations()) {
		kinds = append(kinds, ui.Choice{Value: g.Major(), Title: "Prefect " + g.Prefect + ": " + g.Says})
	}
	major, err := c.question(ctx, ui.Question{Title: "Which Prefect?", Default: newest().Major(), Choices: kinds})
	if err != nil {
		return nil, err
	}
	a.generation, err = generationCalled(major)
	a.complete = true
	return a, err
}

// newest is the generation that new stacks get.
func newest() generation.Generation { return stack.Generations()[len(stack.Generations())-1] }

// prefectFlag chooses the generation, the newest if nobody says.
func prefectFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("prefect", newest().Major(), "`MAJOR` version of Prefect that the stack is for: "+generationsInWords())
}

// generationCalled is the generation with this major version of Prefect.
func generationCalled(major string) (generation.Generation, error) {
	for _, g := range stack.Generations() {
		if g.Major() == major {
			return g, nil
		}
	}
	return newest(), report.Usage("for example: --prefect "+newest().Major(), "--prefect %s: there is no such generation; it is %s", strict.Show(major), generationsInWords())
}

// generationsInWords names the generations, the newest first.
func generationsInWords() string {
	var all []string
	for _, g := range slices.Backward(stack.Generations()) {
		all = append(all, fmt.Sprintf("%s (%s)", g.Major(), g.Prefect))
	}
	return strings.Join(all, " or ")
}

// mode asks for the TLS mode, and asks again who chooses none.
func (c *cli) mode(ctx context.Context, a *answers, q ui.Question) error {
	check := q.Check
	q.Check = func(text string) error {
		a.draft.Set("tls.allow_plaintext", text == inventory.TLSOff)
		return check(text)
	}
	for {
		answer, err := c.question(ctx, q)
		if err != nil || answer != inventory.TLSOff {
			return err
		}
		sure, err := c.question(ctx, ui.Question{Title: "Passwords and tokens will travel in clear. All the same?", Default: "no", Choices: []ui.Choice{
			{Value: "no", Title: "no"}, {Value: "yes", Title: "yes, allow_plaintext = true"},
		}})
		if err != nil || sure == "yes" {
			return err
		}
	}
}

func (c *cli) question(ctx context.Context, q ui.Question) (string, error) {
	answer, err := c.term.Choose(ctx, c.style(c.term.ErrIsTerminal()), q)
	if errors.Is(err, ui.ErrAborted) {
		return "", &report.Error{Code: report.ExitInterrupted, Cause: "interrupted at the question, nothing was written"}
	}
	return answer, err
}

// absent says which of the files that init writes is there already.
func absent(names ...string) error {
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil {
			return report.Usage("move it away, or run this in another directory", "%s exists; nothing was written", name)
		}
	}
	return nil
}

const stackFile = "stack.toml"

// scaffold writes the files if they are valid, none of them if one exists, and returns their names.
func scaffold(a *answers) (wrote []string, err error) {
	inv, problems := a.draft.Check()
	if problems == nil {
		problems = stack.Check(inv, stack.Of(a.generation))
	}
	if problems != nil {
		return nil, refused(a.layout, problems)
	}
	out := []struct{ name, text string }{{a.draft.File, a.draft.Text()}, {stackFile, stack.Template(a.generation)}}
	if err := absent(out[0].name, out[1].name); err != nil {
		return nil, err
	}
	for _, f := range out {
		file, err := os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return wrote, report.Usage("", "write %s: %v", f.name, err)
		}
		_, err = file.WriteString(f.text)
		if cerr := file.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return wrote, fmt.Errorf("write %s: %w", f.name, err)
		}
		wrote = append(wrote, f.name)
	}
	return wrote, nil
}
