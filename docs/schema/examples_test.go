package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"provision/inventory"
	"provision/provision/cloud/clouds"
	"provision/provision/stack"
)

// layouts are all inventories that init can begin with.
func layouts() []inventory.Layout {
	return append([]inventory.Layout{inventory.LayoutSingle, inventory.LayoutSplit}, clouds.Layouts()...)
}

// check says what the committed schema says about a text; it fails on a text that is not TOML.
func check(t *testing.T, name, text string) error {
	t.Helper()
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	value, err := validator.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := validator.NewCompiler().Compile(files[name].schema)
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

// kind tells an inventory from a stack by the tables that only one of them has; "" for another TOML file.
func kind(t *testing.T, text string) string {
	t.Helper()
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return tree[name] != nil })
	}
	switch {
	case has("tool"): // pyproject.toml
		return ""
	case has("hosts", "droplets", "digitalocean", "url", "site", "ssh", "sudo", "tls", "stack"):
		return "inventory"
	case has("name", "prefect", "postgres", "caddy", "ui", "agent", "business_logic", "deployments", "retention", "scale", "docker"):
		return "stack"
	}
	return ""
}

// TestWritten holds what init writes to the schemas: as it is, and with every line that is there as a comment.
func TestWritten(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	for _, g := range stack.Generations() {
		texts["stack of Prefect "+g.Major()] = stack.Template(g)
	}
	for _, layout := range layouts() {
		texts[layout.Name] = layout.Text
	}
	for name, text := range texts {
		schema := "inventory"
		if strings.HasPrefix(name, "stack") {
			schema = "stack"
		}
		if err := check(t, schema, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		tried := 0
		for _, with := range uncommented(text) {
			tried++
			if err := check(t, schema, with.text); err != nil {
				t.Errorf("%s, with %q: %v", name, with.line, err)
			}
		}
		if tried < 4 {
			t.Errorf("%s: only %d lines are there as comments", name, tried)
		}
	}
}

var (
	commentedKey   = regexp.MustCompile(`^# ([a-z_]+ = )`)
	commentedTable = regexp.MustCompile(`^# \[`)
)

type variant struct{ line, text string }

// uncommented gives the text once for each commented line of an existing table, and once for each commented table with all its lines.
func uncommented(text string) []variant {
	lines := strings.Split(text, "\n")
	var all []variant
	add := func(from, to int) {
		with := slices.Clone(lines)
		for n := from; n < to; n++ {
			with[n] = strings.TrimPrefix(with[n], "# ")
		}
		all = append(all, variant{lines[from], strings.Join(with, "\n")})
	}
	for n := 0; n < len(lines); n++ {
		switch {
		case commentedTable.MatchString(lines[n]):
			end := n + 1
			for end < len(lines) && commentedKey.MatchString(lines[end]) {
				end++
			}
			add(n, end)
			n = end - 1
		case commentedKey.MatchString(lines[n]):
			add(n, n+1)
		}
	}
	return all
}

// TestExamples holds every inventory and stack of the repository to its schema, those within its pages included.
func TestExamples(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	checked := map[string]int{}
	try := func(where, text string) {
		if name := kind(t, text); name != "" {
			checked[name]++
			if err := check(t, name, text); err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
	blocks := regexp.MustCompile("(?ms)^```toml\n(.*?)^```$")
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "dist"):
			return fs.SkipDir
		case filepath.Ext(path) == ".toml" || filepath.Ext(path) == ".md":
			text, err := fs.ReadFile(root, path)
			if err != nil {
				return err
			}
			if filepath.Ext(path) == ".toml" {
				try(path, string(text))
				return nil
			}
			for _, block := range blocks.FindAllSubmatch(text, -1) {
				if strings.Contains(string(block[1]), "...") {
					return errors.New(path + ": a block of TOML with an ellipsis cannot be checked: write it whole, or without the language")
				}
				try(path, string(block[1]))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked["inventory"] < 5 || checked["stack"] < 3 {
		t.Errorf("only %v were found", checked)
	}
}

// TestWrittenNamesEveryKey wants every key of the schemas among what init writes, if only in a comment.
func TestWrittenNamesEveryKey(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	for _, g := range stack.Generations() {
		texts["stack"] += stack.Template(g)
	}
	for _, layout := range layouts() {
		texts["inventory"] += layout.Text
	}
	for name, f := range files {
		keys := 0
		walk("", f.make(t), func(path string, _ *jsonschema.Schema) {
			key := path[strings.LastIndex(path, ".")+1:]
			if key == "" || key == "*" || strings.HasSuffix(key, "[]") {
				return
			}
			keys++
			if !regexp.MustCompile(`\b` + key + `\b`).MatchString(texts[name]) {
				t.Errorf("%s: what init writes does not name %s", name, path)
			}
		})
		if keys < 30 {
			t.Errorf("%s: only %d keys", name, keys)
		}
	}
}
