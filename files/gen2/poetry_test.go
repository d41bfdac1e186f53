package gen2

import (
	"regexp"
	"strings"
	"testing"
)

// TestPoetryItselfIsPinnedByHash holds what pip installs Poetry from: an exact version and hashes for each package, and no place to fetch it from.
func TestPoetryItselfIsPinnedByHash(t *testing.T) {
	t.Parallel()
	text, err := prefectFiles.ReadFile("prefect/poetry.txt")
	if err != nil {
		t.Fatal(err)
	}
	entry := regexp.MustCompile(`^[A-Za-z0-9._-]+==[A-Za-z0-9.]+( --hash=sha256:[0-9a-f]{64})+$`)
	found := 0
	for line := range strings.Lines(strings.ReplaceAll(string(text), " \\\n   ", "")) {
		if found++; !entry.MatchString(strings.TrimSpace(line)) {
			t.Errorf("not pinned: %.80s", line)
		}
	}
	if found < 40 {
		t.Errorf("%d packages", found)
	}
	dockerfile, err := prefectFiles.ReadFile("prefect/image.Dockerfile.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(dockerfile), "--require-hashes --only-binary :all: -r /opt/poetry.txt") {
		t.Error("pip does not insist on hashes")
	}
}
