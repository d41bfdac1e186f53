package gen2

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestZonesOfTheLock holds the list to the versions that are locked. The list itself is compared with the
// package by files/gen2/prefect/tests/test_zones.py, where there is one.
func TestZonesOfTheLock(t *testing.T) {
	t.Parallel()
	lock, err := os.ReadFile("prefect/base/poetry.lock")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(zonesText, "\nAfrica/")
	for _, name := range []string{"prefect", "pendulum", "pytzdata"} {
		m := regexp.MustCompile(`\nname = "` + name + `"\nversion = "([^"]+)"`).FindSubmatch(lock)
		if m == nil || !regexp.MustCompile(`(?i)`+name+` `+regexp.QuoteMeta(string(m[1]))+`\b`).MatchString(head) {
			t.Errorf("the lock has %s %s, the list is of\n%s", name, m, head)
		}
	}
	if len(zones.Names) != 593 {
		t.Errorf("%d zones", len(zones.Names))
	}
}
