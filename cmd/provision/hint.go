package main

import (
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"provision/provision/report"
	"provision/remote"
)

// pointed matches the commands in a hint that need an inventory.
var pointed = sync.OnceValue(func() *regexp.Regexp {
	var paths []string
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Annotations[filesNeeded] != "" {
			paths = append(paths, regexp.QuoteMeta(cmd.CommandPath()))
		}
		for _, part := range cmd.Commands() {
			walk(part)
		}
	}
	walk((&cli{}).root())
	return regexp.MustCompile(`\b(?:` + strings.Join(paths, "|") + `)\b`)
})

// typable makes the commands in the hints of errors ones that can be typed as they stand: with the
// inventory of this call.
func (c *cli) typable(err error) error {
	var errs []error
	for _, e := range report.Errors(err) {
		told := *e
		told.Hint = withInventory(e.Hint, c.inventory)
		errs = append(errs, &told)
	}
	return errors.Join(errs...)
}

func withInventory(hint, file string) string {
	if file == "" || strings.Contains(hint, " -i ") || strings.HasPrefix(hint, "did you mean") || strings.HasSuffix(hint, " --help") {
		return hint
	}
	if strings.ContainsFunc(file, func(r rune) bool { return strings.ContainsRune(" '\"\\$`&;|<>()*?[]#~!", r) }) {
		file = remote.Quote(file)
	}
	return pointed().ReplaceAllStringFunc(hint, func(command string) string { return command + " -i " + file })
}

// unnamed is the error of a call without an inventory: it names those that are here.
func unnamed() error {
	files, _ := filepath.Glob("*.toml") // the pattern is a good one
	files = slices.DeleteFunc(files, func(f string) bool { return f == "stack.toml" })
	hint := "provision COMMAND -i onprem.toml; write one with: provision init --split"
	if len(files) > 0 && len(files) < 10 {
		hint = "pass one of: -i " + strings.Join(files, ", -i ")
	}
	return report.Usage(hint, "no inventory given")
}
