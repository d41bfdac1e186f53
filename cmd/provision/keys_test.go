package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestReferenceInventory: the keys of the inventory, from the types that they are read into, its own and those of each cloud.
func TestReferenceInventory(t *testing.T) {
	all := []types{typesOf(t, "Inventory", "../../inventory")}
	clouds, err := filepath.Glob("../../provision/cloud/*/declared")
	if err != nil || len(clouds) == 0 {
		t.Fatalf("no cloud was found: %v", err)
	}
	for _, dir := range clouds {
		all = append(all, typesOf(t, "Tables", dir))
	}
	generated(t, "inventory.md", notice+`# Inventory: where

One file, by custom onprem.toml or prod.toml. `+"`provision init`"+` writes a commented one, `+"`provision validate`"+` checks it: an unknown key or a wrong value is an
error with its line. Relative paths count from the file, `+"`~/`"+` is the home directory. Editors can check it by docs/inventory.schema.json.

`+secretKeys+keys(t, all...))
}

// TestReferenceStack: the keys of the stack.
func TestReferenceStack(t *testing.T) {
	generated(t, "stack.md", notice+`# Stack: what

One file, by custom stack.toml, that the inventory names with `+"`stack`"+`. Without it the built-in stack runs; [stack.toml](../../stack.toml) is that stack as a file, with
every default. Editors can check it by docs/stack.schema.json.

`+secretKeys+keys(t, typesOf(t, "Stack", "../../provision/stack", "../../inventory")))
}

const secretKeys = "A **secret** is never written into the file, only where it comes from: `{ env = \"NAME\" }`, `{ file = \"PATH\" }` or `{ command = [\"PROGRAM\", \"ARGUMENT\"] }`, which is run " +
	"without a shell and prints it.\n"

// words for types that have a form of their own in a file.
var typeWords = map[string]string{
	"string": "string", "bool": "true or false", "int": "number", "any": "any", "time.Duration": "duration, `\"10s\"`", "netip.Prefix": "network, `\"10.0.0.0/24\"`",
	"strict.SecretRef": "secret", "Age": "age, `\"90d\"`", "GiB": "size, `\"20GiB\"`", "Settings": "table", "Role": "string", "inventory.Role": "string", "map[string]any": "table",
}

// types are the Go types of a file's tables, by name, with their comments. The root's fields are tables at the top of the file.
type types struct {
	root     string
	structs  map[string]*ast.StructType
	comments map[string]string
}

// typesOf reads the packages that the types are in.
func typesOf(t *testing.T, root string, packages ...string) types {
	t.Helper()
	all := types{root, map[string]*ast.StructType{}, map[string]string{}}
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
						if fields, ok := named.Type.(*ast.StructType); ok && all.structs[named.Name.Name] == nil {
							all.structs[named.Name.Name] = fields
							all.comments[named.Name.Name] = oneLine(general.Doc.Text())
						}
					}
				}
			}
		}
	}
	return all
}

// keys are the tables of a file, from the types that have them together.
func keys(t *testing.T, all ...types) string {
	t.Helper()
	var b strings.Builder
	const head = "| key | value | meaning |\n|---|---|---|\n"
	var rows func(of types, name, heading string) (below []func())
	table := func(of types, name, heading string) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s", heading, heading+strings.TrimPrefix(of.comments[name], name), head)
		for _, f := range rows(of, name, heading) {
			f()
		}
	}
	rows = func(of types, name, heading string) (below []func()) {
		if of.structs[name] == nil {
			t.Fatalf("there is no type %s", name)
		}
		for _, field := range of.structs[name].Fields.List {
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
			said, _, _ := strings.Cut(field.Doc.Text(), "\n\n") // what follows is for those who call Go
			meaning := meaning(field.Names[0].Name, said+field.Comment.Text())
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
				below = append(below, func() { table(of, written, sub) })
			}
		}
		return below
	}
	b.WriteString("\n## " + topLevel + "\n\n" + head)
	var below []func()
	for _, of := range all {
		below = append(below, rows(of, of.root, topLevel)...)
	}
	for _, f := range below {
		f()
	}
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
