package remotecontract

import (
	"strings"
	"testing"

	"provision/remote"
)

// CheckForeign wants of each row of a table that it is in one of the lines, which programs said, and of each line that it means what it is
// said to mean.
func CheckForeign(t *testing.T, table remote.Foreigns, said map[string]remote.Meaning) {
	t.Helper()
	for line, means := range said {
		if !table.Say(line, means) {
			t.Errorf("%q does not mean that %s", line, means)
		}
	}
	for _, row := range table {
		seen := false
		for line, means := range said {
			seen = seen || means == row.Means && strings.Contains(strings.ToLower(line), strings.ToLower(row.Text))
		}
		if !seen || row.Program == "" {
			t.Errorf("nothing that was said shows the row %q", row)
		}
	}
}
