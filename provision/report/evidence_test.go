package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"provision/remote"
)

// TestEvidence: of what a failed script printed, the lines that explain it are shown.
func TestEvidence(t *testing.T) {
	t.Parallel()
	const looping = "it starts and ends again (exit code 1)"
	waiting := strings.Repeat("waiting for prefect-server to be healthy\n", 40)
	many := strings.Repeat("building\n", 40)
	for name, test := range map[string]struct{ out, errs, cause, want string }{
		"a service that ends again and again": {
			waiting, "Container prefect-server  Starting\nlast lines of prefect-server:\nTraceback\nKeyError: 'x'\n" + looping + "\n", looping,
			"last lines of prefect-server:\nTraceback\nKeyError: 'x'",
		},
		"the reason comes last":        {"some output\n", many + "ERROR: no space left\n", "", strings.Repeat("building\n", evidenceLines-1) + "ERROR: no space left"},
		"the cause is not repeated":    {"", "one\ntwo\n", "two", "one"},
		"nothing on standard error":    {"E: Unable to locate package\n", "", "", "E: Unable to locate package"},
		"nothing at all":               {"", "", "", ""},
		"words that only look like it": {"", "these are the last lines of it\nno\n", "", "these are the last lines of it\nno"},
	} {
		if d := cmp.Diff(test.want, evidence(&remote.ExitError{Code: 1, Stdout: test.out, Stderr: test.errs}, test.cause)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
