package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	for _, group := range groups {
		title := "\n## " + group + "\n"
		for _, v := range verbTable {
			cmd := v.command(t, root)
			if v.group == group && !cmd.HasSubCommands() {
				b.WriteString(title)
				title = ""
				describe(&b, cmd)
			}
		}
	}
	generated(t, "commands.md", b.String())
}

func describe(b *strings.Builder, cmd *cobra.Command) {
	fmt.Fprintf(b, "\n### %s\n\n%s.\n", cmd.CommandPath(), cmd.Short)
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

// TestReferenceExitCodes: the page, the help and the code name the same numbers.
func TestReferenceExitCodes(t *testing.T) {
	t.Parallel()
	tree, err := parser.ParseFile(token.NewFileSet(), "../../provision/report/errors.go", nil, 0)
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
