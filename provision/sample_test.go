package provision_test

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"sync"
	"testing"
)

// inFull matches the tests that `make scenarios` runs.
var inFull = sync.OnceValues(func() (*regexp.Regexp, error) {
	text, err := os.ReadFile("../Makefile")
	if err != nil {
		return nil, err
	}
	pattern := regexp.MustCompile(`(?m)^SCENARIOS := (\S+)\$\$$`).FindSubmatch(text)
	if pattern == nil {
		return nil, errors.New("the Makefile has no line SCENARIOS := PATTERN$$")
	}
	return regexp.Compile(string(pattern[1]))
})

// often is how often a test tries something: all times in full, few where tests are to be short. The race
// detector sees a quarter of those, because what races does so at any of them. Nothing is tried where make check tries all of it a
// moment later.
func often(t *testing.T, all, few int) int {
	t.Helper()
	switch full, err := inFull(); {
	case err != nil:
		t.Fatal(err)
	case !full.MatchString(t.Name()):
		t.Fatalf("make scenarios never runs %s in full: name it in SCENARIOS in the Makefile", t.Name())
	}
	switch {
	case !raceDetector && os.Getenv("PROVISION_SCENARIOS") == "follow":
		t.Skip("make scenarios follows, which runs it in full")
	case raceDetector:
		return min(all, (few+3)/4)
	case testing.Short():
		return min(all, few)
	}
	return all
}

// sample thins out points where all of them would take too long, as often says.
func sample[T any](t *testing.T, points []T, few int) (out []T) {
	t.Helper()
	n := often(t, len(points), few)
	for i := range n {
		out = append(out, points[i*len(points)/n])
	}
	return out
}

// raced draws so many rows of a table where the race detector looks on, which sees in one of them what it sees in all; else it has all.
func raced[Row any](rows map[string]Row, few int) map[string]Row {
	names := slices.Collect(maps.Keys(rows)) // in another order each time
	if !raceDetector || len(names) <= few {
		return rows
	}
	out := map[string]Row{}
	for _, name := range names[:few] {
		out[name] = rows[name]
	}
	return out
}
