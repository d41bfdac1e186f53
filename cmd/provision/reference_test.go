package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const reference = "../../docs/reference"

// generated wants a page to be what the code says; -update writes it.
func generated(t *testing.T, name, want string) {
	t.Helper()
	file := filepath.Join(reference, name)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not what the code says; write it anew with: go test ./cmd/provision -run TestReference -update\n%s", name, diff)
	}
}

const notice = "<!-- Made from the code by: go test ./cmd/provision -run TestReference -update -->\n"

// TestReferenceCommands: the command line, from its own help.
func TestReferenceCommands(t *testing.T) {
	var b strings.Builder
	b.WriteString(notice + "# Command line\n\nA verb, then flags in any order. Results are on standard output, progress, questions and errors on standard error. " +
		"Each verb ends with one of the [exit codes](exit-codes.md). Nothing is asked without a terminal: the message names the flag that answers.\n\n## Flags of every verb\n\n")
	root := (&cli{}).root()
	flags(&b, root.PersistentFlags())
	for _, cmd := range verbs(t) {
		describe(&b, cmd)
	}
	generated(t, "commands.md", b.String())
}

func describe(b *strings.Builder, cmd *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", cmd.CommandPath(), cmd.Short)
	if cmd.Long != "" {
		fmt.Fprintf(b, "\n%s\n", cmd.Long)
	}
	fmt.Fprintf(b, "\n```text\n%s\n```\n", cmd.UseLine())
	if cmd.LocalNonPersistentFlags().HasAvailableFlags() {
		b.WriteString("\n")
		flags(b, cmd.LocalNonPersistentFlags())
	}
	if cmd.Example != "" {
		fmt.Fprintf(b, "\n```text\n%s\n```\n", regexp.MustCompile(`(?m)^  `).ReplaceAllString(cmd.Example, ""))
	}
}

func flags(b *strings.Builder, set *pflag.FlagSet) {
	b.WriteString("| flag | what |\n|---|---|\n")
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.NoOptDefVal != "" && f.NoOptDefVal != "true" {
			name += "[=" + value + "]"
		} else if value != "" {
			name += " " + value
		}
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, usage)
	})
}

// TestReferenceInventory: the keys of the inventory, from the types that they are read into.
func TestReferenceInventory(t *testing.T) {
	generated(t, "inventory.md", notice+`# Inventory: where

One file, by custom onprem.toml or prod.toml. `+"`provision init`"+` writes a commented one, `+"`provision validate`"+` checks it: an unknown key or a wrong value is an
error with its line. Relative paths count from the file, `+"`~/`"+` is the home directory. Editors can check it by docs/inventory.schema.json.

`+secretKeys+keys(t, "Inventory", "../../inventory"))
}

// TestReferenceStack: the keys of the stack.
func TestReferenceStack(t *testing.T) {
	generated(t, "stack.md", notice+`# Stack: what

One file, by custom stack.toml, that the inventory names with `+"`stack`"+`. Without it the built-in stack runs; [stack.toml](../../stack.toml) is that stack as a file, with
every default. Editors can check it by docs/stack.schema.json.

`+secretKeys+keys(t, "Stack", "../../provision/stack", "../../inventory"))
}

const secretKeys = "A **secret** is never written into the file, only where it comes from: `{ env = \"NAME\" }`, `{ file = \"PATH\" }` or `{ command = [\"PROGRAM\", \"ARGUMENT\"] }`, which is run " +
	"without a shell and prints it.\n"

// words for types that have a form of their own in a file.
var typeWords = map[string]string{
	"string": "string", "bool": "true or false", "int": "number", "any": "any", "time.Duration": "duration, `\"10s\"`", "netip.Prefix": "network, `\"10.0.0.0/24\"`",
	"SecretRef": "secret", "inventory.SecretRef": "secret", "GiB": "size, `\"20GiB\"`", "Settings": "table", "Role": "string", "map[string]any": "table",
}

// keys are the tables of a file, from the Go type of the whole and the packages that its types are in.
func keys(t *testing.T, root string, packages ...string) string {
	t.Helper()
	types := map[string]*ast.StructType{}
	comments := map[string]string{}
	for _, dir := range packages {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range tree.Decls {
				general, ok := d.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, spec := range general.Specs {
					if named, ok := spec.(*ast.TypeSpec); ok {
						if fields, ok := named.Type.(*ast.StructType); ok && types[named.Name.Name] == nil {
							types[named.Name.Name] = fields
							comments[named.Name.Name] = oneLine(general.Doc.Text())
						}
					}
				}
			}
		}
	}
	var b strings.Builder
	var table func(name, heading string)
	table = func(name, heading string) {
		if types[name] == nil {
			t.Fatalf("there is no type %s", name)
		}
		fmt.Fprintf(&b, "\n## %s\n\n", heading)
		if heading != topLevel {
			b.WriteString(heading + strings.TrimPrefix(comments[name], name) + "\n\n")
		}
		b.WriteString("| key | value | meaning |\n|---|---|---|\n")
		var below []func()
		for _, field := range types[name].Fields.List {
			if field.Tag == nil {
				continue
			}
			tag, err := strconv.Unquote(field.Tag.Value)
			if err != nil {
				t.Fatal(err)
			}
			key, option, _ := strings.Cut(reflect.StructTag(tag).Get("toml"), ",")
			if key == "" || key == "-" {
				continue
			}
			path := key
			if heading != topLevel {
				path = strings.Trim(heading, "`[]") + "." + key
			}
			written, list := written(field.Type)
			meaning := meaning(field.Names[0].Name, field.Doc.Text()+field.Comment.Text())
			switch word := typeWords[written]; {
			case word != "" && list:
				fmt.Fprintf(&b, "| `%s` | list, each: %s | %s |\n", key, word, meaning)
			case word != "":
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key, word, meaning)
			default:
				sub := "`[" + path + "]`"
				if option == "named" {
					sub = "`[" + path + ".NAME]`"
				} else if list {
					sub = "`[[" + path + "]]`"
				}
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key, sub, meaning)
				below = append(below, func() { table(written, sub) })
			}
		}
		for _, f := range below {
			f()
		}
	}
	table(root, topLevel)
	return b.String()
}

const topLevel = "Above the first table"

// written is a type as it is written, without what makes it a list or a pointer.
func written(e ast.Expr) (name string, list bool) {
	switch e := e.(type) {
	case *ast.StarExpr:
		return written(e.X)
	case *ast.ArrayType:
		name, _ := written(e.Elt)
		return name, true
	case *ast.MapType:
		return "map[string]any", false
	case *ast.SelectorExpr:
		x, _ := written(e.X)
		return x + "." + e.Sel.Name, false
	case *ast.Ident:
		return e.Name, false
	}
	return "", false
}

var forProgrammers = regexp.MustCompile(`[.;] Load has [^.]*\.`)

// meaning is the comment of a field without the field's name.
func meaning(field, comment string) string {
	comment = forProgrammers.ReplaceAllString(oneLine(comment), ".")
	for _, begin := range []string{field + " is ", field + " are ", field + " "} {
		if rest, ok := strings.CutPrefix(comment, begin); ok {
			comment = rest
			break
		}
	}
	return strings.ReplaceAll(comment, "|", "\\|")
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// TestReferenceExitCodes: the page, the help and the code name the same numbers.
func TestReferenceExitCodes(t *testing.T) {
	t.Parallel()
	tree, err := parser.ParseFile(token.NewFileSet(), "../../provision/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(tree, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Exit") && len(v.Values) == 1 {
			if number, ok := v.Values[0].(*ast.BasicLit); ok {
				codes = append(codes, number.Value)
			}
		}
		return true
	})
	if len(codes) < 10 {
		t.Fatalf("only %v were found", codes)
	}
	for where, numbers := range map[string][][]string{
		"docs/reference/exit-codes.md": regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(readText(t, reference+"/exit-codes.md"), -1),
		"the help":                     regexp.MustCompile(`(?m)(?:^| ) (\d+) [a-z]`).FindAllStringSubmatch(exitCodes, -1),
	} {
		var got []string
		for _, m := range numbers {
			got = append(got, m[1])
		}
		slices.Sort(got)
		want := slices.Sorted(slices.Values(codes))
		if !slices.Equal(got, want) {
			t.Errorf("%s names %v, the code %v", where, got, want)
		}
	}
}

// TestReferenceEvents: the page names the types of lines that the schema has, all of them and no other.
func TestReferenceEvents(t *testing.T) {
	t.Parallel()
	types := func(pattern, file string) []string {
		var all []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(readText(t, file), -1) {
			all = append(all, m[1])
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	page := types("(?m)^\\| `([a-z]+)` \\|", reference+"/events.md")
	schema := types(`"#/\$defs/([a-z]+)Line"`, "../../docs/events.schema.json")
	if len(schema) < 10 || !slices.Equal(page, schema) {
		t.Errorf("the page names %v, the schema %v", page, schema)
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
