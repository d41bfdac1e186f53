package provision

import (
	"testing"
	"time"
)

func TestParseNote(t *testing.T) {
	t.Parallel()
	const nobody = "somebody else works on this host"
	for name, c := range map[string]struct {
		out   string
		who   string
		age   time.Duration
		pid   int
		start string
	}{
		"none":               {"", nobody, 0, 0, ""},
		"whole":              {"7\nops on laptop (process 3)\nsince 2026-01-02T03:04:05Z\npid 812 99\n", "ops on laptop (process 3) works on this host, since 2026-01-02T03:04:05Z", 7 * time.Second, 812, "99"},
		"with what":          {"7\nops\nsince X\npid 812 99\nimage postgres:13.3\n", "ops works on this host, since X, doing image postgres:13.3", 7 * time.Second, 812, "99"},
		"cut off":            {"7\nops\n", nobody, 0, 0, ""},
		"no age":             {"x\nops\nsince X\npid 812 99\n", nobody, 0, 0, ""},
		"no pid":             {"7\nops\nsince X\npid\n", "ops works on this host, since X", 7 * time.Second, 0, ""},
		"pid is not one":     {"7\nops\nsince X\npid -1 99\n", "ops works on this host, since X", 7 * time.Second, 0, "99"},
		"pid of init":        {"7\nops\nsince X\npid 1 99\n", "ops works on this host, since X", 7 * time.Second, 0, "99"},
		"pid is a command":   {"7\nops\nsince X\npid 8;reboot 99\n", "ops works on this host, since X", 7 * time.Second, 0, "99"},
		"control characters": {"7\n\x1b[2Jops\nsince \x07X\npid 812 99\nimage \x1b]0;x\n", `\x1b[2Jops works on this host, since \x07X, doing image \x1b]0;x`, 7 * time.Second, 812, "99"},
		"age below nothing":  {"-5\nops\nsince X\npid 812 99\n", "ops works on this host, since X", -5 * time.Second, 812, "99"},
	} {
		who, age, pid, start := parseNote(c.out)
		if who != c.who || age != c.age || pid != c.pid || start != c.start {
			t.Errorf("%s: %q %s %d %q", name, who, age, pid, start)
		}
	}
}
