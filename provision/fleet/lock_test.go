package fleet

import (
	"strings"
	"testing"
	"time"
)

func TestParseNote(t *testing.T) {
	t.Parallel()
	const nobody = "another run is working on this host"
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
		"abandoned":          {"7 1700000000\nops\nsince X\npid 812 99\nabandoned\n", "ops gave up its work on this host, since X, and what it began still runs", 7 * time.Second, 812, "99"},
		"age below nothing":  {"-5\nops\nsince X\npid 812 99\n", "ops works on this host, since X", -5 * time.Second, 812, "99"},
	} {
		n := parseNote(c.out)
		if n.who != c.who || n.age != c.age || n.pid != c.pid || n.start != c.start || n.abandoned != strings.HasSuffix(c.out, "\nabandoned\n") {
			t.Errorf("%s: %+v", name, n)
		}
	}
}

// TestPatience: who is alive is waited for as long as the operator said, and what a run has left that
// is gone as long as it takes.
func TestPatience(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(1_700_000_000+int64(s), 0) }
	holder := func(pid, age int, touched string) note {
		return note{pid: pid, start: "1", age: time.Duration(age) * time.Second, touched: touched}
	}
	left := func(n note) note { n.abandoned = true; return n }
	type look struct {
		second    int
		note      note
		more, end bool
	}
	for name, c := range map[string]struct {
		wait  time.Duration
		looks []look
	}{
		"nobody says who it is":           {0, []look{{0, note{}, false, false}}},
		"alive, not to be waited for":     {0, []look{{0, holder(5, 3, "a"), true, false}, {2, holder(5, 0, "b"), false, false}}},
		"alive, to be waited for":         {time.Minute, []look{{0, holder(5, 3, "a"), true, false}, {2, holder(5, 0, "b"), true, false}, {61, holder(5, 0, "z"), false, false}}},
		"killed":                          {0, []look{{0, holder(5, 3, "a"), true, false}, {50, holder(5, 53, "a"), true, false}, {58, holder(5, 61, "a"), true, true}, {60, holder(5, 63, "a"), true, false}, {2000, holder(5, 2003, "a"), true, false}, {4000, holder(5, 4003, "a"), false, false}}},
		"killed long ago":                 {0, []look{{0, holder(5, 600, "a"), true, true}, {9, holder(5, 609, "a"), true, false}}},
		"abandoned":                       {0, []look{{0, left(holder(5, 3, "a")), true, false}, {600, left(holder(5, 603, "a")), true, true}, {2000, left(holder(5, 2003, "a")), true, false}, {4000, left(holder(5, 4003, "a")), false, false}}},
		"abandoned while it is watched":   {0, []look{{0, holder(5, 3, "a"), true, false}, {2, left(holder(5, 0, "b")), true, false}, {50, left(holder(5, 48, "b")), true, false}}},
		"taken by another meanwhile":      {0, []look{{0, left(holder(5, 3, "a")), true, false}, {5, holder(6, 0, "b"), false, false}}},
		"never touched, by a wrong clock": {0, []look{{0, holder(5, -900, "a"), true, false}, {69, holder(5, -831, "a"), true, false}, {71, holder(5, -829, "a"), false, false}}},
	} {
		p := patience{deadline: at(0).Add(c.wait)}
		for _, l := range c.looks {
			if more, end := p.look(l.note, at(l.second)); more != l.more || end != l.end {
				t.Errorf("%s, after %d s: go on %v, end the session %v", name, l.second, more, end)
			}
		}
	}
}
