package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"provision/remote/remotetest"
)

const schemaFile = "../../docs/events.schema.json"

// schema is the check of one line against the documented schema.
func schema(t *testing.T) func(line string) error {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return func(line string) error {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			return err
		}
		return schema.Validate(value)
	}
}

// declared are the types of lines in the schema.
func declared(t *testing.T) (kinds []string) {
	t.Helper()
	var schema struct {
		OneOf []struct {
			Ref string `json:"$ref"`
		}
	}
	if err := json.Unmarshal([]byte(readText(t, schemaFile)), &schema); err != nil {
		t.Fatal(err)
	}
	for _, line := range schema.OneOf {
		kinds = append(kinds, strings.TrimSuffix(path.Base(line.Ref), "Line"))
	}
	if len(kinds) < 10 {
		t.Fatalf("%q alone", kinds)
	}
	return kinds
}

// TestSchema holds what --json prints to the documented schema: every verb, where it succeeds and
// where it fails.
func TestSchema(t *testing.T) {
	t.Parallel()
	valid := schema(t)
	fleet, inventory := bootFleet(t, remotetest.Options{})
	server := fleet.Hosts()[0]
	text, err := os.ReadFile(inventory)
	if err != nil {
		t.Fatal(err)
	}
	// With the built-in stack Docker's own repository is looked for in vain, which is a note.
	if err := os.WriteFile(inventory, bytes.Replace(text, []byte("stack = \"stack.toml\"\n"), nil, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	seen, called := map[string]int{}, map[string]bool{}
	check := func(code int, args ...string) {
		t.Helper()
		called[args[0]] = true
		got, out, errs := capture(t, append(args, "--json", "-i", inventory)...)
		if got != code {
			t.Fatalf("%v: exit %d, want %d\n%s\n%s", args, got, code, out, errs)
		}
		for line := range strings.Lines(out) {
			if err := valid(line); err != nil {
				t.Errorf("%v: %v\n%s", args, err, line)
			}
			value, _ := jsonschema.UnmarshalJSON(strings.NewReader(line))
			kind, _ := value.(map[string]any)["type"].(string)
			seen[kind]++
		}
	}
	check(0, "version")
	check(0, "validate")
	check(0, "graph")
	check(0, "plan")
	check(0, "status")
	check(1, "credentials")
	check(2, "verify")
	server.Fail(remotetest.Failure{Match: "^docker pull caddy", Code: 1, Stderr: "manifest unknown\n"})
	check(20, "apply", "--yes") // one change fails, others are skipped
	check(0, "apply", "--yes")
	check(0, "verify", "--smoke")
	check(0, "status")
	check(0, "credentials")
	check(0, "backups")
	check(0, "backup")
	check(0, "backups")
	check(0, "status")
	check(0, "credentials", "--recovery")
	check(0, "rotate", "ui", "--yes")
	check(40, "rotate", "encryption-key")
	if err := server.WriteFile(demoDrift, "edited", 0o644); err != nil {
		t.Fatal(err)
	}
	check(2, "plan", "--detailed-exitcode")
	check(0, "destroy", "--confirm", "prefect")
	server.Close()
	check(10, "status")
	for _, cmd := range verbs(t) {
		name := strings.TrimPrefix(cmd.CommandPath(), "provision ")
		if name != "completion" && silent[name] == "" && !called[name] {
			t.Errorf("%s was not called", name)
		}
	}
	for _, kind := range declared(t) {
		if kind != "droplets" && seen[kind] == 0 {
			t.Errorf("no line of type %s was printed", kind)
		}
	}

	// The schema can say no.
	_, out, _ := capture(t, "validate", "--json", "-i", inventory)
	for _, wrong := range []string{
		strings.Replace(out, `"version":1`, `"version":2`, 1), strings.Replace(out, `"type":"valid"`, `"type":"fine"`, 1),
		strings.Replace(out, `{`, `{"more":true,`, 1), strings.Replace(out, `"hosts"`, `"host"`, 1),
	} {
		if bytes.Equal([]byte(wrong), []byte(out)) {
			t.Fatalf("nothing was made wrong in %s", out)
		}
		if valid(wrong) == nil {
			t.Errorf("the schema takes %s", wrong)
		}
	}
}
