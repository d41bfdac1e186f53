package provision_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"provision/inventory/strict"
	"provision/provision"
)

// TestErrors: nothing that was joined is lost, however it is wrapped and whatever its type is.
func TestErrors(t *testing.T) {
	t.Parallel()
	mistakes := strict.Problems{{File: "a.toml", Problem: "one"}, {File: "a.toml", Problem: "two"}}
	step := &provision.Error{Code: provision.ExitStep, Host: "h", Cause: "failed"}
	plain := errors.New("disk full")
	for name, c := range map[string]struct {
		err  error
		want []string
		code int
	}{
		"nothing":                        {nil, nil, 0},
		"mistakes":                       {mistakes, []string{"a.toml: one", "a.toml: two"}, provision.ExitUsage},
		"mistakes wrapped":               {fmt.Errorf("load: %w", mistakes), []string{"a.toml: one", "a.toml: two"}, provision.ExitUsage},
		"mistakes beside another":        {errors.Join(mistakes, plain), []string{"a.toml: one", "a.toml: two", "disk full"}, provision.ExitFailed},
		"another beside mistakes":        {errors.Join(step, mistakes), []string{"h: failed", "a.toml: one", "a.toml: two"}, provision.ExitFailed},
		"both, wrapped":                  {fmt.Errorf("load: %w", errors.Join(mistakes, step)), []string{"a.toml: one", "a.toml: two", "h: failed"}, provision.ExitFailed},
		"joined within joined":           {errors.Join(errors.Join(step, plain), step), []string{"h: failed", "disk full", "h: failed"}, provision.ExitFailed},
		"an error that holds others":     {&provision.Error{Code: provision.ExitStep, Cause: "all", Err: errors.Join(mistakes, plain)}, []string{"all"}, provision.ExitStep},
		"interrupted outranks its cause": {errors.Join(step, context.Canceled), []string{"h: failed", "interrupted"}, provision.ExitInterrupted},
	} {
		var got []string
		for _, e := range provision.Errors(c.err) {
			got = append(got, e.Error())
		}
		if !slices.Equal(got, c.want) || provision.ExitCode(c.err) != c.code {
			t.Errorf("%s: %d %q, want %d %q", name, provision.ExitCode(c.err), got, c.code, c.want)
		}
	}
}
