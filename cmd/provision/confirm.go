package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"provision/cmd/provision/ui"
	"provision/provision"
	"provision/provision/report"
)

// confirm asks for the plan that was just shown, also where it is another one than before.
func (c *cli) confirm(ctx context.Context, plan *report.Plan, _ bool) (bool, error) {
	if c.yes {
		return true, nil
	}
	if !c.term.CanAsk() {
		return false, report.Usage(c.command+" --yes", "this plan must be confirmed and there is no terminal to ask on; nothing was changed")
	}
	c.face.Pause()
	answer, err := c.ask(ctx, "Carry out "+ui.Count(len(plan.Changes), "change")+"? [y/N] ")
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", err
}

// ask asks one question on the terminal. The end of the input is an empty answer, the end of ctx an
// error.
func (c *cli) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(c.term.Err(), question)
	answer, err := c.term.ReadLine(ctx)
	if err != nil {
		fmt.Fprintln(c.term.Err())
		return "", &report.Error{Code: report.ExitInterrupted, Cause: "interrupted at the question, nothing was changed"}
	}
	return answer, nil
}

// typed wants a name typed at the question, or given by --confirm. A mere --yes is not enough.
func (c *cli) typed(ctx context.Context, what, name string, confirmed []string) error {
	if slices.Contains(confirmed, name) {
		return nil
	}
	if !c.term.CanAsk() {
		return report.Usage("--confirm "+name, "destroying the %s %s needs its name, and there is no terminal to ask on; nothing was done", what, name)
	}
	answer, err := c.ask(ctx, fmt.Sprintf("This destroys the %s %s. Type its name to continue: ", what, name))
	if err == nil && answer != name {
		err = provision.ErrDeclined
	}
	return err
}

// passphrase asks for what is not to be shown, as a key's passphrase, on the terminal; nil without one.
func (c *cli) passphrase() func(context.Context, string) (string, error) {
	if !c.term.CanAsk() {
		return nil
	}
	return func(ctx context.Context, question string) (string, error) {
		defer c.face.Question()()
		return c.term.ReadSecret(ctx, strings.TrimSuffix(question, ": ")+": ")
	}
}
