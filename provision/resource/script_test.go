package resource_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	. "provision/provision/resource"

	"github.com/google/go-cmp/cmp"

	"provision/remote"
)

const nonce = "0123456789abcdef0123456789abcdef"

func parser() (s *Script, one, two ID) {
	one, two = ID{"h", "file", "/one"}, ID{"h", "file", "/two"}
	s = NewScript(nonce)
	s.Record(one, "yes")
	s.Record(two, "no")
	return s, one, two
}

// frames writes output with N for the nonce.
func frames(s string) []byte { return []byte(strings.ReplaceAll(s, "N ", nonce+" ")) }

func TestParse(t *testing.T) {
	t.Parallel()
	const silent = "the host gave no answer"
	for name, c := range map[string]struct {
		out      string
		one, two Fact
		complete bool
	}{
		"nothing":     {"", unknown(silent), unknown(silent), false},
		"whole":       {"\nN r 0\n\nN k yes\n\nN r 1\n\nN k no\n\nN e\n", yes(), no(), true},
		"fields":      {"\nN r 0\n\nN f a\nx\ny\n\nN f b\n\nN k yes\n\nN e\n", yes("a", "x\ny\n", "b", ""), unknown(silent), true},
		"a reason":    {"\nN r 0\n\nN k unknown\nno \x1b[2Jidea\n\nN e\n", unknown(`no \x1b[2Jidea`), unknown(silent), true},
		"noise first": {"welcome\nN\n\nN r 0\n\nN k yes\n\nN e\n", yes(), unknown(silent), true},
		"cut off":     {"\nN r 0\n\nN k yes\n\nN r 1\n\nN k n", yes(), fact(Unknown), false},
		"cut in the nonce": {
			"\nN r 0\n\nN k yes\n\n" + nonce[:9], yes(), unknown(silent), false,
		},
		"no such record":        {"\nN r 7\n\nN k yes\n\nN r -1\n\nN k yes\n\nN r x\n\nN k yes\n\nN e\n", unknown(silent), unknown(silent), true},
		"marks of another run":  {"\nN r 0\n\nN f a\n\nffffffffffffffffffffffffffffffff k no\n\nffffffffffffffffffffffffffffffff e\n\nN k yes\n", yes("a", "\nffffffffffffffffffffffffffffffff k no\n\nffffffffffffffffffffffffffffffff e\n"), unknown(silent), false},
		"an answer before any":  {"\nN k yes\n\nN f a\nx\n\nN e\n", unknown(silent), unknown(silent), true},
		"another kind of frame": {"\nN r 0\n\nN q\n\nN k yes\n\nN e\n", yes(), unknown(silent), true},
		"not a mark in a line":  {"\nN r 0\n\nN f a\nxN k no\n\nN k yes\n\nN e\n", yes("a", "x"+nonce+" k no\n"), unknown(silent), true},
	} {
		s, one, two := parser()
		got, complete := s.Parse(frames(c.out))
		if complete != c.complete {
			t.Errorf("%s: complete %t", name, complete)
		}
		if d := cmp.Diff(map[ID]Fact{one: c.one, two: c.two}, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// FuzzParse feeds what a hostile host may answer. Whatever it is, there is one fact for each record
// and no other, and a reason can be shown.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "\nN r 0\n\nN k yes\n\nN e\n", "\nN r 1\n\nN k unknown\n\x1b[2J\u202e\x00\n\nN f ../../etc\nx", "\nN r 99999999999999999999\n", "\nN ",
		"\nN r 0\n\nN f a\n" + strings.Repeat("\nN f b\n", 50), "\nN e\n\nN r 0\n\nN k yes", "\r\nN r 0\r\n", "\nN r 0 1\n\nN k yes no\n", "\xff\xfe\nN k \xff\n",
	} {
		f.Add(frames(seed))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		s, one, two := parser()
		got, _ := s.Parse(out)
		if len(got) != 2 {
			t.Fatalf("%d facts", len(got))
		}
		for _, id := range []ID{one, two} {
			fact, ok := got[id]
			if !ok || fact.Fields == nil || fact.Know < Unknown || fact.Know > Yes {
				t.Fatalf("%v: %+v", id, fact)
			}
			if fact.Know == Unknown && fact.Why == "" && !strings.Contains(string(out), nonce+" k") {
				t.Fatal("unknown without a reason")
			}
			for _, r := range fact.Why {
				if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
					t.Fatalf("%U in the reason", r)
				}
			}
			size := 0
			for k, v := range fact.Fields {
				size += len(k) + len(v)
			}
			if size > len(out) {
				t.Fatalf("%d bytes of fields from %d", size, len(out))
			}
		}
	})
}

// TestConcurrent runs a script in the shell of this machine: two records that each wait for the other, and
// one that would read the others' answers if it could.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	meet := func(mine, other string) string {
		return fmt.Sprintf(`: >%[1]s; n=0; until [ -e %[2]s ] || [ $n -ge 600 ]; do n=$((n + 1)); sleep 0.1; done; [ $n -lt 600 ] && v met "$shared" && yes`,
			remote.Quote(filepath.Join(dir, mine)), remote.Quote(filepath.Join(dir, other)))
	}
	id := func(name string) ID { return ID{"h", "thing", name} }
	s := NewScript(nonce)
	s.Record(id("first"), "yes")
	s.Concurrent(id("a"), meet("a", "b"))
	s.Deferred(func() (ID, string) { return id("last"), "f list\nprintf 'x\\n\\n'\nv read \"$(cat)\"\nyes" })
	s.Record(id("second"), "yes")
	s.Concurrent(id("b"), meet("b", "a"))
	s.Once("shared", "shared='it was set before'")
	cmd := exec.Command("/bin/sh", "-s")
	cmd.Stdin = strings.NewReader(s.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, complete := s.Parse(out)
	met := yes("met", "it was set before")
	want := map[ID]Fact{id("first"): yes(), id("second"): yes(), id("a"): met, id("b"): met, id("last"): yes("list", "x\n\n", "read", "")}
	if d := cmp.Diff(want, got); d != "" || !complete {
		t.Errorf("complete %t: %s\n%s", complete, d, out)
	}
}
