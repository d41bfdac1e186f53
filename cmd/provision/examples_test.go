//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"provision/remote/remotetest"
)

const examples = "../../examples"

// TestExamples applies every example as it is to blank simulated hosts, twice: the second time there
// is nothing to do.
func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(examples + "/*/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, file := range files {
		name := strings.TrimPrefix(file, "../../")
		if filepath.Base(file) == "stack.toml" { // part of the inventory beside it
			continue
		}
		tried++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := readText(t, file)
			if !strings.HasPrefix(text, "# ") || !strings.Contains(text, name) {
				t.Errorf("it does not begin with what it is and how it is used:\n%s", text)
			}
			p := settle(t, remotetest.HostOptions{}, text)
			p.copies(examples)
			apply, sign := "provision apply -i "+name, "changes in "
			if strings.Contains(text, "[digitalocean]") { // what is said of an account has the documented form, too
				apply, sign = "provision apply --yes --json -i "+name+" >events", " are valid: "
			}
			shown := p.follows("provision validate -i " + name + "\n" + apply + "\nprovision apply -i " + name + "\nprovision verify --smoke -i " + name + "\n")
			for _, want := range []string{" are valid: ", sign, "\nnothing to change; everything works (", "\nverified: nothing differs and everything works"} {
				if !strings.Contains(strings.ReplaceAll(shown, "\r", ""), want) {
					t.Errorf("not shown: %q in\n%s", want, shown)
				}
			}
			if strings.Contains(apply, "--json") {
				valid, result := schema(t), false
				for line := range strings.Lines(readText(t, filepath.Join(p.dir, "events"))) {
					if err := valid(line); err != nil {
						t.Errorf("%v\n%s", err, line)
					}
					result = strings.Contains(line, `"type":"report"`)
				}
				if !result {
					t.Error("the last line is no report")
				}
			}
		})
	}
	if tried < 5 {
		t.Errorf("only %d examples were found", tried)
	}
}
