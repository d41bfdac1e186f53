package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"mvdan.cc/sh/v3/syntax"
)

// verbs are all commands that do something by themselves.
func verbs(t *testing.T) []*cobra.Command {
	t.Helper()
	var all []*cobra.Command
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if !sub.Hidden && sub.Name() != "help" {
				walk(sub)
			}
		}
		if !cmd.HasSubCommands() {
			all = append(all, cmd)
		}
	}
	walk((&cli{}).root())
	return all
}

// TestHelp: the help of every verb has examples that are right, and the exit codes.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, cmd := range verbs(t) {
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			t.Parallel()
			words := append(strings.Fields(cmd.CommandPath())[1:], "--help")
			code, out, errs := capture(t, words...)
			if code != 0 || errs != "" || strings.Count(out, "\nExit codes:\n  0 done ") != 1 {
				t.Errorf("%d %s%s", code, out, errs)
			}
			if strings.Contains(out, `[="`) {
				t.Errorf("the value that stands for a missing one is shown:\n%s", out)
			}
			if cmd.Name() == "version" && cmd.Example == "" {
				return // there is one way to call it
			}
			calls := called(t, cmd.Example)
			own := 0
			for _, call := range calls {
				if accepts(t, call) == cmd.CommandPath() {
					own++
				}
			}
			if own == 0 {
				t.Errorf("no example calls it:\n%s", cmd.Example)
			}
		})
	}
	for _, call := range called(t, (&cli{}).root().Example) {
		accepts(t, call)
	}
}

// called are the calls of provision in a piece of shell, as words.
func called(t *testing.T, text string) [][]string {
	t.Helper()
	file, err := syntax.NewParser().Parse(strings.NewReader(text), "")
	if err != nil {
		t.Fatalf("not shell: %v\n%s", err, text)
	}
	var calls [][]string
	syntax.Walk(file, func(node syntax.Node) bool {
		call, ok := node.(*syntax.CallExpr)
		if !ok {
			return true
		}
		var words []string
		for _, word := range call.Args {
			words = append(words, strings.Trim(spelled(word), `'"`))
		}
		if len(words) > 0 && (words[0] == "provision" || strings.HasSuffix(words[0], "/provision")) {
			calls = append(calls, words)
		}
		return true
	})
	return calls
}

func spelled(word *syntax.Word) string {
	var b strings.Builder
	if err := syntax.NewPrinter().Print(&b, word); err != nil {
		return ""
	}
	return b.String()
}

// accepts wants a call to be understood as far as that can be told without carrying it out, and
// returns the verb.
func accepts(t *testing.T, words []string) string {
	t.Helper()
	cmd, rest, err := (&cli{}).root().Find(words[1:])
	if err != nil {
		t.Errorf("%v: %v", words, err)
		return ""
	}
	if err := cmd.ParseFlags(rest); err != nil && !errors.Is(err, pflag.ErrHelp) {
		t.Errorf("%v: %v", words, err)
	}
	if args := cmd.Flags().Args(); cmd.Args != nil && cmd.HasParent() {
		if err := cmd.Args(cmd, args); err != nil {
			t.Errorf("%v: %v", words, err)
		}
	} else if len(args) > 0 {
		t.Errorf("%v: no such verb", words)
	}
	return cmd.CommandPath()
}
