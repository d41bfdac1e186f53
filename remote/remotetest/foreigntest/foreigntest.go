// Package foreigntest checks the tables of foreign texts.
package foreigntest

import (
	"strings"
	"testing"

	"provision/remote"
)

// Check wants of each row of a table that it is in one of the lines, which programs said, and of each line that it means what it is
// said to mean.
func Check(t *testing.T, table remote.Foreigns, said map[string]remote.Meaning) {
	t.Helper()
	for line, means := range said {
		if !table.Say(line, means) {
			t.Errorf("%q does not mean that %s", line, means)
		}
	}
	for _, row := range table {
		seen := false
		for line, means := range said {
			seen = seen || means == row.Means && strings.Contains(strings.ToLower(line), row.Text)
		}
		if !seen || row.Program == "" || row.Text != strings.ToLower(row.Text) {
			t.Errorf("nothing that was said shows the row %q", row)
		}
	}
}
