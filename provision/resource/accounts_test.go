package resource_test

import (
	"slices"
	"strings"
	"testing"

	. "provision/provision/resource"
)

func TestAccountsWithTheUserIDOfAContainer(t *testing.T) {
	t.Parallel()
	a := &Accounts{Host: "h", Of: map[string]string{"999": "PostgreSQL", "10001": "Prefect"}}
	for name, c := range map[string]struct {
		passwd string
		want   []string // the account and the container of each warning
	}{
		"none":                 {"", nil},
		"one":                  {"mysql:x:999:999::/var/lib/mysql:/bin/false\n", []string{"mysql 999 PostgreSQL"}},
		"several":              {"a:x:999:5::/:/bin/sh\nb:x:10001:5::/:/bin/sh\n", []string{"a 999 PostgreSQL", "b 10001 Prefect"}},
		"named twice":          {"a:x:999:5::/:/bin/sh\na:x:999:5::/:/bin/sh\n", []string{"a 999 PostgreSQL"}},
		"a name like a number": {"999:x:1000:1000::/:/bin/sh\n", nil},
		"hostile":              {"\x1b[2J:x:999:5::/:/bin/sh\n", []string{`\x1b[2J 999 PostgreSQL`}},
		"cut off":              {"a:x\nb", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := a.Warn(world{Facts: facts{a.ID(): yes("passwd", c.passwd)}})
			if len(got) != len(c.want) {
				t.Fatalf("%q", got)
			}
			for i, want := range c.want {
				f := strings.Fields(want)
				if !strings.HasPrefix(got[i], "host h: its account "+f[0]+" has the user id "+f[1]+", as "+f[2]) {
					t.Errorf("%q, want %q", got[i], want)
				}
			}
		})
	}
	if got := a.Warn(world{Facts: facts{a.ID(): unknown("x")}}); len(got) != 0 {
		t.Errorf("nobody knows: %q", got)
	}

	// The real getent, where root has the id 0.
	real := &Accounts{Host: "h", Of: map[string]string{"0": "PostgreSQL", "4294967": "Prefect"}}
	s := NewScript("n")
	real.Probe(s)
	out, err := Machine{}.Sh(t.Context(), s.String())
	if err != nil {
		t.Fatal(err, out)
	}
	got, complete := s.Parse([]byte(out))
	if warned := real.Warn(world{Facts: got}); !complete || !slices.ContainsFunc(warned, func(w string) bool { return strings.Contains(w, "its account root has the user id 0") }) {
		t.Errorf("%q of %q", warned, out)
	}
}
