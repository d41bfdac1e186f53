package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// command is what a row has become below the root.
func (v verb) command(t *testing.T, root *cobra.Command) *cobra.Command {
	t.Helper()
	name := v.build(&cli{returns: map[*cobra.Command]reflect.Type{}}).Name()
	cmd, _, err := root.Find(strings.Fields(v.under + " " + name))
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// sources are the files of this package that are no tests, parsed.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestVerbsHaveRows: every method that makes a verb has one row in the table, and every row a group of the help.
func TestVerbsHaveRows(t *testing.T) {
	t.Parallel()
	var made []string
	for _, file := range sources(t) {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && strings.HasSuffix(f.Name.Name, "Verb") {
				made = append(made, f.Name.Name)
			}
		}
	}
	if len(made) < 10 {
		t.Fatalf("only %v were found", made)
	}
	var rows []string
	for _, m := range regexp.MustCompile(`\(\*cli\)\.(\w+)\}`).FindAllStringSubmatch(readText(t, "verbs.go"), -1) {
		rows = append(rows, m[1])
	}
	slices.Sort(made)
	slices.Sort(rows)
	if !slices.Equal(made, rows) {
		t.Errorf("verbs.go has rows for\n%v, and the verbs are\n%v", rows, made)
	}
	root := (&cli{}).root()
	for _, v := range verbTable {
		if !slices.Contains(groups, v.group) {
			t.Errorf("%s: there is no group %q", v.command(t, root).CommandPath(), v.group)
		}
	}
	for _, cmd := range root.Commands() {
		if cmd.GroupID == "" {
			t.Errorf("%s has no group in the help", cmd.CommandPath())
		}
	}
}

// textForAll are the verbs whose result is text for programs, too.
var textForAll = []string{"provision completion", "provision demo", "provision init"}

// TestResultsAreDeclared: what a verb returns is in the schema of the machine output, every field of it, and has what that requires.
func TestResultsAreDeclared(t *testing.T) {
	t.Parallel()
	var schema struct {
		Defs map[string]struct {
			Required   []string
			Properties map[string]json.RawMessage
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(readText(t, schemaFile)), &schema); err != nil {
		t.Fatal(err)
	}
	c := &cli{}
	root := c.root()
	for _, v := range verbTable {
		cmd := v.command(t, root)
		if cmd.HasSubCommands() {
			continue
		}
		returns, ok := c.returns[cmd]
		if !ok {
			t.Errorf("%s is made by none of plain, offline, read and change", cmd.CommandPath())
			continue
		}
		zero, ok := reflect.New(returns).Interface().(Result)
		if !ok {
			t.Fatalf("%s: %v is no Result", cmd.CommandPath(), returns)
		}
		if zero.Type() == "" {
			if !slices.Contains(textForAll, cmd.CommandPath()) {
				t.Errorf("%s returns a result without a type: programs could not read it", cmd.CommandPath())
			}
			continue
		}
		line, ok := schema.Defs[zero.Type()+"Line"]
		if !ok {
			t.Errorf("%s returns JSON of type %q, which %s does not declare", cmd.CommandPath(), zero.Type(), schemaFile)
			continue
		}
		fields := jsonFields(returns)
		for _, name := range fields {
			if _, ok := line.Properties[name]; !ok {
				t.Errorf("%s returns JSON with %q, which %s does not declare for %sLine", cmd.CommandPath(), name, schemaFile, zero.Type())
			}
		}
		for _, name := range line.Required {
			if len(fields) > 0 && name != "version" && name != "type" && !slices.Contains(fields, name) { // without fields, an event is the line
				t.Errorf("%s returns JSON without %q, which %s requires in %sLine", cmd.CommandPath(), name, schemaFile, zero.Type())
			}
		}
	}
}

// jsonFields are the names of a struct's fields in JSON, those of embedded structs as well.
func jsonFields(of reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous || !f.IsExported() || name == "-":
		case name == "":
			names = append(names, f.Name)
		default:
			names = append(names, name)
		}
	}
	return names
}

// TestOneWayOut: results and errors have one way to the streams. Standard streams are named in main.go alone, standard output is
// written where results are shown, and no verb encodes JSON by itself.
func TestOneWayOut(t *testing.T) {
	t.Parallel()
	allowed := map[string][]string{
		"os.Stdin": {"main.go"}, "os.Stdout": {"main.go"}, "os.Stderr": {"main.go"},
		"fmt.Print": nil, "fmt.Println": nil, "fmt.Printf": nil,
		"json.NewEncoder": nil, "json.Marshal": {"result.go"},
		"term.Out": {"main.go"}, "c.out": {"main.go", "result.go", "root.go"}, // root.go: the face for programs
	}
	seen := map[string]bool{}
	for file, tree := range sources(t) {
		ast.Inspect(tree, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			on := ""
			switch x := s.X.(type) {
			case *ast.Ident:
				on = x.Name
			case *ast.SelectorExpr:
				on = x.Sel.Name
			}
			name := on + "." + s.Sel.Name
			if files, watched := allowed[name]; watched {
				seen[name] = true
				if !slices.Contains(files, file) {
					t.Errorf("%s uses %s: a verb returns a Result, and asks and tells through the Terminal", file, name)
				}
			}
			return true
		})
	}
	for _, name := range []string{"os.Stdout", "json.Marshal", "term.Out", "c.out"} {
		if !seen[name] {
			t.Errorf("%s is used nowhere: this test looks for the wrong words; seen: %v", name, slices.Collect(maps.Keys(seen)))
		}
	}
}
