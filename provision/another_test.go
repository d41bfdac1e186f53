package provision_test

import (
	"path/filepath"
	"strings"
	"testing"

	"provision/provision/report"
)

// TestAnotherStack puts a second stack on hosts that have one. Its ports and networks are taken, too,
// but to make room for it is the one thing not to do.
func TestAnotherStack(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]layout{"single": {stack: "name = \"prefect\"\n"}, "split": {agents: 1, stack: "name = \"prefect\"\n"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := arrange(t, l)
			if _, err := s.attempt().apply(); err != nil {
				t.Fatal(explain(err))
			}
			s.write(filepath.Join(filepath.Dir(s.inventory), "stack.toml"), "name = \"other\"\n")
			result, err := s.attempt().apply()
			if code := report.ExitCode(err); code != report.ExitData || len(result.Outcomes) != 0 {
				t.Errorf("exit code %d after %d changes\n%s", code, len(result.Outcomes), explain(err))
			}
			for _, e := range report.Errors(err) {
				if !strings.Contains(e.Cause, "another stack lives on this host") {
					t.Errorf("%s: %s", e.Host, e.Cause)
				}
			}
		})
	}
}
