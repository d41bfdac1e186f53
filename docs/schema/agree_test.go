package schema

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"

	"provision/inventory/strict"
	"provision/provision/stack"
)

// document is a file that has nothing but the value at the path of a key, in which * is a table's name and [] a list's only element.
func document(path string, value any) map[string]any {
	parts := strings.Split(strings.NewReplacer(".", "\x00", "[]", "\x00[]").Replace(path), "\x00")
	if path == "" {
		parts = nil
	}
	for _, part := range slices.Backward(parts) {
		switch part {
		case "[]":
			if table, ok := value.(map[string]any); ok {
				value = []map[string]any{table}
			} else {
				value = []any{value}
			}
		case "*":
			value = map[string]any{"a": value}
		default:
			value = map[string]any{part: value}
		}
	}
	return value.(map[string]any)
}

// said is what the loader says about a document.
func (f file) said(t *testing.T, document map[string]any) strict.Problems {
	t.Helper()
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(document); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "file.toml")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return f.load(path)
}

// at is the path as the loader's messages have it.
func at(path string) string { return strings.NewReplacer("*", "a", "[]", "[0]").Replace(path) }

// TestSameKeys asks the loader in every table which keys it knows.
func TestSameKeys(t *testing.T) {
	t.Parallel()
	const stray = "nobody-would-call-a-key-like-this"
	for name, f := range files {
		tables := 0
		walk("", f.make(t), func(path string, s *jsonschema.Schema) {
			if s.Properties == nil {
				return
			}
			tables++
			known := slices.Sorted(s.Properties.KeysFromOldest())
			if s.AdditionalProperties != jsonschema.FalseSchema {
				t.Errorf("%s: %q takes any key", name, path)
			}
			problem, want := "", "unknown key; known here: "+strings.Join(known, ", ")
			key := strict.Key(at(path), stray)
			if s.MaxProperties != nil { // a secret, with messages of its own
				key, want = at(path), "unknown form of a secret; write "
				for _, form := range known {
					value := any("x")
					if of, _ := s.Properties.Get(form); of.Type == "array" {
						value = []string{"x"}
					}
					whole := document(path+"."+form, value)
					if name == "stack" && whole["prefect"] == nil { // a key may be of the newest alone
						whole["prefect"] = map[string]any{"version": stack.Versions()[len(stack.Versions())-1]}
					}
					if told := about(f.said(t, whole), key); told != "" {
						t.Errorf("%s: %s is in the schema, and the loader says %s", path, form, told)
					}
				}
			}
			problem = about(f.said(t, document(strings.TrimPrefix(path+"."+stray, "."), 1)), key)
			if s.MaxProperties != nil {
				for _, form := range known {
					if !strings.Contains(problem, form+" = ") {
						t.Errorf("%s: %s is in the schema, and the loader says %s", path, form, problem)
					}
				}
				problem = problem[:min(len(problem), len(want))]
			}
			if diff := cmp.Diff(want, problem); diff != "" {
				t.Errorf("%s: %q: %s", name, path, diff)
			}
		})
		if least := map[string]int{"inventory": 9, "stack": 11}[name]; tables < least {
			t.Errorf("%s: only %d tables", name, tables)
		}
	}
}

func about(problems strict.Problems, key string) string {
	for _, p := range problems {
		if p.Key == key {
			return p.Problem + "; " + p.Hint
		}
	}
	return ""
}

// TestSameRequired leaves every table empty and compares what the loader misses with what the schema requires.
func TestSameRequired(t *testing.T) {
	t.Parallel()
	for name, f := range files {
		want, got := map[string]bool{}, map[string]bool{}
		walk("", f.make(t), func(path string, s *jsonschema.Schema) {
			for _, key := range s.Required {
				want[at(path)+"."+key] = true
			}
			if s.Properties == nil || s.MaxProperties != nil || path == "" {
				return
			}
			for _, p := range f.said(t, document(path, map[string]any{})) {
				if strings.HasPrefix(p.Problem, "missing") {
					got[p.Key] = true
				}
			}
		})
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestSameWords holds the words that a key may have to those that the loader takes.
func TestSameWords(t *testing.T) {
	t.Parallel()
	lists := 0
	for name, f := range files {
		walk("", f.make(t), func(path string, s *jsonschema.Schema) {
			if s.Enum == nil {
				return
			}
			lists++
			refusal := about(f.said(t, document(path, "9.9.9")), at(path))
			for _, word := range s.Enum {
				word := fmt.Sprint(word)
				if !strings.Contains(refusal, word) {
					t.Errorf("%s: %s: %s is in the schema, and the loader says %s", name, path, word, refusal)
				}
				if told := about(f.said(t, document(path, word)), at(path)); strings.Contains(told, "unknown") || strings.Contains(told, "not supported") {
					t.Errorf("%s: %s: %s is in the schema, and the loader says %s", name, path, word, told)
				}
			}
			_, known, listed := strings.Cut(refusal, "known: ")
			if listed && len(strings.Split(known, ", ")) != len(s.Enum) {
				t.Errorf("%s: %s: the loader knows %s, the schema %v", name, path, known, s.Enum)
			}
		})
	}
	if lists < 8 {
		t.Errorf("only %d lists of words", lists)
	}
}

// TestEveryKeyIsExplained wants a sentence at every key, for a file's author.
func TestEveryKeyIsExplained(t *testing.T) {
	t.Parallel()
	for name, f := range files {
		walk("", f.make(t), func(path string, s *jsonschema.Schema) {
			if path == "" || strings.HasSuffix(path, "*") || strings.HasSuffix(path, "[]") {
				return
			}
			for _, word := range []string{"nil", "Load", "strict.SecretRef", "0"} {
				if strings.Contains(" "+s.Description, " "+word+" ") {
					t.Errorf("%s: %s speaks of Go: %s", name, path, s.Description)
				}
			}
			if s.Description == "" {
				t.Errorf("%s: %s is not explained", name, path)
			}
		})
	}
}
