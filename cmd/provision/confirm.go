package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/term"

	"provision/cmd/provision/ui"
	"provision/provision"
)

// confirm asks for the plan that was just shown, also where it is another one than before.
func (c *cli) confirm(ctx context.Context, plan *provision.Plan, _ bool) (bool, error) {
	if c.yes {
		return true, nil
	}
	if !c.terminal() {
		return false, provision.Usage(c.command+" --yes", "this plan needs a yes, and there is no terminal to ask on; nothing was changed")
	}
	c.face.Pause()
	answer, err := c.ask(ctx, "Carry out "+ui.Count(len(plan.Changes), "change")+"? [y/N] ")
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", err
}

// ask asks one question on the terminal. The end of the input is an empty answer, the end of ctx an
// error.
func (c *cli) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(c.stderr, question)
	answer := make(chan string, 1)
	go func() { // ends with the process, if nobody answers
		line, _ := bufio.NewReader(c.stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		fmt.Fprintln(c.stderr)
		return "", &provision.Error{Code: provision.ExitInterrupted, Cause: "interrupted at the question, nothing was changed"}
	}
}

// passphrase asks for what is not to be shown, as a key's passphrase, on the terminal; nil without one.
func (c *cli) passphrase() func(context.Context, string) (string, error) {
	if !c.terminal() {
		return nil
	}
	return func(ctx context.Context, question string) (string, error) {
		fd := int(c.stdin.Fd())
		before, err := term.GetState(fd)
		if err != nil {
			return "", err
		}
		defer c.face.Question()()
		type typed struct {
			text []byte
			err  error
		}
		answer := make(chan typed, 1)
		go func() { // ends with the process, if nobody answers
			text, err := term.ReadPassword(fd)
			answer <- typed{text, err}
		}()
		// Whoever types as soon as the question is there must not be shown: it comes once the terminal has been told.
		for range 1000 {
			if now, err := term.GetState(fd); err != nil || *now != *before {
				break
			}
			time.Sleep(time.Millisecond)
		}
		fmt.Fprintf(c.stderr, "%s: ", strings.TrimSuffix(question, ": "))
		defer fmt.Fprintln(c.stderr)
		select {
		case a := <-answer:
			return string(a.text), a.err
		case <-ctx.Done():
			return "", errors.Join(context.Cause(ctx), term.Restore(fd, before))
		}
	}
}
