package strict

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       map[string]int
	}{
		{"plain", "a = 1\n\n# b = 2\nb = 2 # c = 3\n", map[string]int{"a": 1, "b": 4}},
		{"tables", "[a]\nx = 1\n[a.b]\nx = 2\n  [ c . d ]\ny = 3", map[string]int{"a": 1, "a.x": 2, "a.b": 3, "a.b.x": 4, "c": 5, "c.d": 5, "c.d.y": 6}},
		{"dotted", "a.b = 1\n[t]\nx . 'y' = 1\nx.z = 2", map[string]int{"a": 1, "a.b": 1, "t": 2, "t.x": 3, "t.x.y": 3, "t.x.z": 4}},
		{"quoted", "[hosts.\"a.b\"]\n'c d' = 1\n\"\\u00e9\" = 2\n\"\" = 3", map[string]int{
			"hosts": 1, `hosts."a.b"`: 1, `hosts."a.b"."c d"`: 2, `hosts."a.b"."é"`: 3, `hosts."a.b".""`: 4,
		}},
		{"inline", "a = { b = 1, c = { d = \"}\" } }\ne = 1", map[string]int{"a": 1, "a.b": 1, "a.c": 1, "a.c.d": 1, "e": 2}},
		{"inline over lines", "a = {\n  b = 1, # }\n  c = 2,\n}\ne = 1", map[string]int{"a": 1, "a.b": 2, "a.c": 3, "e": 5}},
		{"array", "a = [\n  1, # ]\n  [ 2,\n 3 ],\n]\ne = 1", map[string]int{"a": 1, "a[0]": 2, "a[1]": 3, "a[1][0]": 3, "a[1][1]": 4, "e": 6}},
		{"array of inline tables", "a = [{ b = 1 },\n{ b = 2 }]", map[string]int{"a": 1, "a[0]": 1, "a[0].b": 1, "a[1]": 2, "a[1].b": 2}},
		{"arrays of tables", "[[a]]\nx = 1\n[a.s]\ny = 1\n[[a]]\n[[a.n]]\nx = 2\n[[a.n]]\nx = 3", map[string]int{
			"a": 1, "a[0]": 1, "a[0].x": 2, "a[0].s": 3, "a[0].s.y": 4, "a[1]": 5, "a[1].n": 6, "a[1].n[0]": 6, "a[1].n[0].x": 7, "a[1].n[1]": 8, "a[1].n[1].x": 9,
		}},
		{"strings", "a = \"\\\"\\\\\" # \"\nb = 'C:\\'\nc = \"\"\"\nx = 1\n\\\"\"\"\"\"\nd = '''\n[t]\n''''\ne = 1", map[string]int{"a": 1, "b": 2, "c": 3, "d": 6, "e": 9}},
		{"times and CRLF", "a = 2020-01-01 10:00:00\r\nb = \"x\"\r\n[c]\r\nd = 1\r\n", map[string]int{"a": 1, "b": 2, "c": 3, "c.d": 4}},
		{"mark of byte order", "\ufeffa = 1", map[string]int{"a": 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var tree map[string]any
			if _, err := toml.Decode(c.text, &tree); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, locate(c.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzLocate holds the line locator to the library's reading of any text that the library accepts: the same keys, all of them.
func FuzzLocate(f *testing.F) {
	templates, err := filepath.Glob("../templates/*")
	if err != nil || len(templates) == 0 {
		f.Fatalf("no templates: %v", err)
	}
	for _, name := range templates {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("a = [{b = \"\"\"\n\"\"\"}, 1]\n[[c]]\n[c.d.\"e f\"]\n[[c]]\nx.y = '''\n'''\n")
	f.Add("a = {\n b = 1,\n}\n\"\\x41\" = \"\\e\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		var tree map[string]any
		if _, err := toml.Decode(text, &tree); err != nil {
			return
		}
		want := map[string]bool{}
		paths("", tree, want)
		for path := range want {
			if strings.Contains(path, `""`) {
				return // the library loses elements of mixed arrays beside empty keys
			}
		}
		got := map[string]bool{}
		for path, line := range locate(text) {
			got[path] = true
			if line < 1 {
				t.Errorf("%s is in line %d", path, line)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	})
}

func paths(path string, value any, into map[string]bool) {
	if path != "" {
		into[path] = true
	}
	if table, ok := value.(map[string]any); ok {
		for name, value := range table {
			paths(Key(path, name), value, into)
		}
	}
	if elements, ok := Elements(value); ok {
		for i, element := range elements {
			paths(Key(path, i), element, into)
		}
	}
}

func TestParent(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"": "", "a": "", "a.b": "a", "a[0]": "a", "a[0].b": "a[0]", `a."b.c"`: "a", `"b.c"`: "", `a."b\".c"`: "a", `a."b.c".d`: `a."b.c"`, `a."b[".c[1]`: `a."b[".c`,
	} {
		if got := Parent(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}
