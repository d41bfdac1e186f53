//go:build linux

package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The cache's place comes from the environment, so these tests are not
// parallel.

func TestCachedBuildsOnceAndLeavesNothingHalf(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PROVISION_LAB_CACHE", dir)
	ctx := t.Context()
	quiet := func(string, ...any) {}
	builds := 0
	fails := errors.New("no mirror")
	build := func(err error) func(context.Context, string) error {
		return func(_ context.Context, to string) error {
			builds++
			write(t, filepath.Join(to, "file"), "content")
			return err
		}
	}
	if _, err := cached(ctx, quiet, "thing", "1", build(fails)); !errors.Is(err, fails) {
		t.Fatalf("a failed build gave %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*thing-*")); len(left) > 0 {
		t.Errorf("a failed build left %v", left)
	}
	// As a killed build leaves it.
	half := filepath.Join(dir, "half.thing-0")
	write(t, filepath.Join(half, "file"), "")
	for range 2 {
		got, err := cached(ctx, quiet, "thing", "1", build(nil))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(got, "file")); err != nil || string(b) != "content" {
			t.Errorf("cached file: %q, %v", b, err)
		}
	}
	if builds != 2 {
		t.Errorf("built %d times, want the failed one and one", builds)
	}
	if _, err := os.Stat(half); err == nil {
		t.Error("the killed build's half is still there")
	}
	second, err := cached(ctx, quiet, "thing", "2", build(nil))
	if err != nil || builds != 3 {
		t.Errorf("a changed recipe: %d builds, %v", builds, err)
	}
	if err := prune(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "thing-*")); len(left) != 1 || left[0] != second {
		t.Errorf("after pruning there is %v, want only %s", left, second)
	}
}

func TestFlockWaitsForItsHolderAndForNoLongerThanAsked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := flock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := flock(short, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a held lock gave %v", err)
	}
	time.AfterFunc(50*time.Millisecond, unlock)
	again, err := flock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	again()
}
