package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"provision/remote/remotetest"
)

// TestCredentialsOfAHost: a password that would drive the terminal of who asks for it is refused, for
// people and for programs, and one that is only unusual is shown as it is.
func TestCredentialsOfAHost(t *testing.T) {
	t.Parallel()
	fleet, inventory := bootFleet(t, remotetest.Options{})
	if code, _, errs := capture(t, "apply", "--yes", "-i", inventory); code != 0 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	for name, c := range map[string]struct {
		password string
		shown    bool
	}{
		"title":             {"hunter2\x1b]0;OWNED\x07", false},
		"clipboard":         {"hunter2\x1b]52;c;cm0gLXJmIH4K\x07", false},
		"one-byte escape":   {"hunter2\u009b2J", false},
		"right to left":     {"hunter2\u202e", false},
		"another line":      {"hunter2\nurl       https://elsewhere.example.org", false},
		"carriage return":   {"hunter2\rpassword", false},
		"no text":           {"hunter2\xff", false},
		"letters and signs": {"pässwörd 'with' \"quotes\" & <more> 日本", true},
	} {
		if err := fleet.Hosts()[0].WriteFile("/var/lib/provision/prefect/server/secrets/login/ui_password", c.password+"\n", 0o400); err != nil {
			t.Fatal(err)
		}
		for _, format := range [][]string{nil, {"--json"}} {
			code, out, errs := capture(t, append([]string{"credentials", "-i", inventory}, format...)...)
			if c.shown {
				if code != 0 || !strings.Contains(out, "pässwörd 'with'") {
					t.Errorf("%s %v: exit %d\n%s%s", name, format, code, out, errs)
				}
				continue
			}
			if code != 1 || strings.Contains(out+errs, "hunter2") || !strings.Contains(errs, "next: see it on prefect: cat -v /var/lib/") {
				t.Errorf("%s %v: exit %d\n%q\n%q", name, format, code, out, errs)
			}
		}
	}
}

// TestOwnerOnly: a report and a kept plan have what the hosts printed, so they are for who made them.
func TestOwnerOnly(t *testing.T) {
	t.Parallel()
	_, inventory := bootFleet(t, remotetest.Options{})
	dir := t.TempDir()
	page, plan := filepath.Join(dir, "report.html"), filepath.Join(dir, "change.plan")
	for _, args := range [][]string{
		{"plan", "-i", inventory, "--out", plan},
		{"apply", "--yes", "-i", inventory, "--report", page},
	} {
		if code, _, errs := capture(t, args...); code != 0 {
			t.Fatalf("%v: exit %d\n%s", args, code, errs)
		}
	}
	for _, name := range []string{page, plan} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", name, info.Mode())
		}
	}
}
