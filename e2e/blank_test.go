//go:build linux && e2e

package e2e

import "testing"

// TestBlank are the scenarios on hosts that are blank. They are over before others begin, because others begin with
// the sites that two of them keep.
func TestBlank(t *testing.T) {
	t.Run("single", testSingle)
	t.Run("split", testSplit)
	t.Run("killed", testKilled)
}
