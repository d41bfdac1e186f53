package strict

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestResolve(t *testing.T) {
	t.Setenv("PROVISION_TEST_SECRET", "from the environment\n")
	t.Setenv("PROVISION_TEST_EMPTY", "")
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	write(t, dir, "secret", "from a file\n\n")
	write(t, dir, "crlf", "from a file\r\n")
	write(t, dir, "empty", "\n")
	write(t, dir, "large", strings.Repeat("canary", 20000))
	write(t, dir, "own.sh", "#!/bin/sh\necho beside\n")
	if err := os.Chmod(filepath.Join(dir, "own.sh"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		ref       SecretRef
		want, err string
	}{
		{"env", SecretRef{Env: "PROVISION_TEST_SECRET"}, "from the environment", ""},
		{"env unset", SecretRef{Env: "PROVISION_TEST_NONE"}, "", "environment variable PROVISION_TEST_NONE is not set"},
		{"env empty", SecretRef{Env: "PROVISION_TEST_EMPTY"}, "", "environment variable PROVISION_TEST_EMPTY: the secret is empty"},
		{"file", SecretRef{File: "secret"}, "from a file\n", ""},
		{"file from elsewhere", SecretRef{File: "crlf"}, "from a file", ""},
		{"file at home", SecretRef{File: "~/secret"}, "from a file\n", ""},
		{"file absent", SecretRef{File: "none"}, "", "file none does not exist"},
		{"file empty", SecretRef{File: "empty"}, "", "file empty: the secret is empty"},
		{"file large", SecretRef{File: "large"}, "", "file large is larger than 64 KiB"},
		{"directory", SecretRef{File: "."}, "", "file . is a directory, not a file"},
		{"command", SecretRef{Command: []string{"printf", "%s\\n", "a b; $HOME"}}, "a b; $HOME", ""},
		{"command beside the file", SecretRef{Command: []string{"./own.sh"}}, "beside", ""},
		{"command at home", SecretRef{Command: []string{"~/own.sh"}}, "beside", ""},
		{"command fails", SecretRef{Command: []string{"sh", "-c", "echo canary; echo canary >&2; exit 3"}}, "", "command sh: exit status 3; run it by hand to see what it says"},
		{"command absent", SecretRef{Command: []string{"provision-test-none", "canary"}}, "", "command provision-test-none: there is no such program in PATH"},
		{"command file absent", SecretRef{Command: []string{"./none", "canary"}}, "", "command ./none: does not exist"},
		{"command silent", SecretRef{Command: []string{"true"}}, "", "command true: the secret is empty"},
		{"command endless", SecretRef{Command: []string{"yes", "canary"}}, "", "command yes: printed more than a secret can be"},
		{"none", SecretRef{}, "", "no secret is given"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.ref.Resolve(t.Context(), dir)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if got != c.want || text != c.err {
				t.Errorf("got %q and error %q, want %q and %q", got, text, c.want, c.err)
			}
		})
	}
}

func TestResolveEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := SecretRef{Command: []string{"sleep", "60"}}.Resolve(ctx, t.TempDir())
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}
