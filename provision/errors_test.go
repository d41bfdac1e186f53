package provision_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"provision/inventory/strict"
	"provision/provision/report"
)

// TestErrors: nothing that was joined is lost, however it is wrapped and whatever its type is.
func TestErrors(t *testing.T) {
	t.Parallel()
	mistakes := strict.Problems{{File: "a.toml", Problem: "one"}, {File: "a.toml", Problem: "two"}}
	step := &report.Error{Code: report.ExitStep, Host: "h", Cause: "failed"}
	plain := errors.New("disk full")
	for name, c := range map[string]struct {
		err  error
		want []string
		code int
	}{
		"nothing":                        {nil, nil, 0},
		"mistakes":                       {mistakes, []string{"a.toml: one", "a.toml: two"}, report.ExitUsage},
		"mistakes wrapped":               {fmt.Errorf("load: %w", mistakes), []string{"a.toml: one", "a.toml: two"}, report.ExitUsage},
		"mistakes beside another":        {errors.Join(mistakes, plain), []string{"a.toml: one", "a.toml: two", "disk full"}, report.ExitFailed},
		"another beside mistakes":        {errors.Join(step, mistakes), []string{"h: failed", "a.toml: one", "a.toml: two"}, report.ExitFailed},
		"both, wrapped":                  {fmt.Errorf("load: %w", errors.Join(mistakes, step)), []string{"a.toml: one", "a.toml: two", "h: failed"}, report.ExitFailed},
		"joined within joined":           {errors.Join(errors.Join(step, plain), step), []string{"h: failed", "disk full", "h: failed"}, report.ExitFailed},
		"an error that holds others":     {&report.Error{Code: report.ExitStep, Cause: "all", Err: errors.Join(mistakes, plain)}, []string{"all"}, report.ExitStep},
		"interrupted outranks its cause": {errors.Join(step, context.Canceled), []string{"h: failed", "interrupted"}, report.ExitInterrupted},
	} {
		var got []string
		for _, e := range report.Errors(c.err) {
			got = append(got, e.Error())
		}
		if !slices.Equal(got, c.want) || report.ExitCode(c.err) != c.code {
			t.Errorf("%s: %d %q, want %d %q", name, report.ExitCode(c.err), got, c.code, c.want)
		}
	}
}
