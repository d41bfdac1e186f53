package schema

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"

	"provision/files/naming"
	"provision/inventory"
	"provision/inventory/strict"
	"provision/provision/cloud/clouds"
	"provision/provision/cloud/digitalocean/declared"
	"provision/provision/stack"
)

var update = flag.Bool("update", false, "write the schemas to docs")

// file is one of the two files, with what its schema is made of.
type file struct {
	schema, title string
	into          []reflect.Type // which have the tables of the file together
	rules         map[string]rule
	load          func(path string) strict.Problems
}

var files = map[string]file{
	"inventory": {
		"../inventory.schema.json", "where provision brings up Prefect", inventoryTypes(), inventoryRules,
		func(path string) strict.Problems {
			_, problems := inventory.Load(path, clouds.Declared()...)
			return problems
		},
	},
	"stack": {
		"../stack.schema.json", "what provision brings up",
		[]reflect.Type{reflect.TypeFor[stack.Stack]()},
		stackRules,
		func(path string) strict.Problems { _, problems := stack.Load(path); return problems },
	},
}

// inventoryTypes are the inventory's own and one of each cloud.
func inventoryTypes() []reflect.Type {
	all := []reflect.Type{reflect.TypeFor[inventory.Inventory]()}
	for _, empty := range clouds.Declared() {
		all = append(all, reflect.TypeOf(empty()).Elem())
	}
	return all
}

// TestCommitted compares the schemas in docs with those that the types give. It is not parallel: the others read what it may write.
func TestCommitted(t *testing.T) {
	for name, f := range files {
		want := f.text(t)
		if *update {
			if err := os.WriteFile(f.schema, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(f.schema)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what the types give; make schemas writes it: %s", name, diff)
		}
	}
}

func (f file) text(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f.make(t)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// make reflects the types. Nothing in it is a reference, and it stays within draft 7: editors differ in what else they know.
func (f file) make(t *testing.T) *jsonschema.Schema {
	t.Helper()
	r := jsonschema.Reflector{
		FieldNameTag: "toml", RequiredFromJSONSchemaTags: true, DoNotReference: true, Anonymous: true,
		Mapper: func(of reflect.Type) *jsonschema.Schema {
			if own, ok := ownForms[of]; ok {
				return own()
			}
			return nil
		},
	}
	for _, dir := range []string{"../../inventory", "../../provision/stack", "../../provision/cloud"} {
		if err := r.AddGoComments("provision/docs/schema", dir, jsonschema.WithFullComment()); err != nil {
			t.Fatal(err)
		}
	}
	r.LookupComment = func(of reflect.Type, field string) string { return description(r.CommentMap, of, field) }
	s := r.ReflectFromType(f.into[0])
	for _, more := range f.into[1:] {
		for name, of := range r.ReflectFromType(more).Properties.FromOldest() {
			s.Properties.Set(name, of)
		}
	}
	s.Version, s.Title, s.Description = "http://json-schema.org/draft-07/schema#", f.title, ""
	s.ID = jsonschema.ID("urn:provision:" + strings.TrimSuffix(strings.TrimPrefix(f.schema, "../"), ".schema.json") + ":1")
	for _, of := range f.into {
		for i := range of.NumField() {
			if name, option, _ := strings.Cut(of.Field(i).Tag.Get("toml"), ","); option == "named" {
				list, _ := s.Properties.Get(name)
				list.Type, list.AdditionalProperties, list.Items = "object", list.Items, nil
			}
		}
	}
	unused := map[string]bool{}
	for path := range f.rules {
		unused[path] = true
	}
	walk("", s, func(path string, node *jsonschema.Schema) {
		if rule, ok := f.rules[path]; ok {
			rule(node)
			delete(unused, path)
		}
	})
	if len(unused) > 0 {
		t.Fatalf("rules without a key: %v", unused)
	}
	if f.into[0] == reflect.TypeFor[stack.Stack]() {
		var defaults map[string]any
		if _, err := toml.Decode(stack.Template(stack.Default().Generation()), &defaults); err != nil {
			t.Fatal(err)
		}
		give(s, defaults)
	}
	return s
}

// give writes the values of the default stack to their keys.
func give(s *jsonschema.Schema, defaults map[string]any) {
	for name, value := range defaults {
		of, _ := s.Properties.Get(name)
		if table, ok := value.(map[string]any); ok && of.Properties != nil {
			give(of, table)
			continue
		}
		of.Default = value
	}
}

// description is the first paragraph of the comment, with the key instead of the field's name. What follows it is for who writes Go.
func description(comments map[string]string, of reflect.Type, field string) string {
	path := of.PkgPath() + "." + of.Name()
	if field == "" {
		return ""
	}
	text, _, _ := strings.Cut(comments[path+"."+field], "\n\n")
	text = strings.ReplaceAll(text, "\n", " ")
	f, _ := of.FieldByName(field)
	name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	if rest, ok := strings.CutPrefix(text, field+" "); ok {
		text = name + " " + rest
	}
	return text
}

// ownForms are the types that are decoded by a rule of their own.
var ownForms = map[reflect.Type]func() *jsonschema.Schema{
	reflect.TypeFor[time.Duration](): func() *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: `^\+?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`, Examples: []any{"30s", "15m", "24h"}}
	},
	reflect.TypeFor[netip.Prefix](): func() *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: `^[0-9a-fA-F:.]+/[0-9]{1,3}$`, Examples: []any{"10.0.0.0/24"}}
	},
	reflect.TypeFor[stack.Age](): func() *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]{1,5}[dh]|forever)$`, Examples: []any{"90d", "36h", "forever"}}
	},
	reflect.TypeFor[declared.GiB](): func() *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: `^[1-9][0-9]{0,4}GiB$`, Examples: []any{"20GiB"}}
	},
	reflect.TypeFor[stack.Settings](): func() *jsonschema.Schema {
		return &jsonschema.Schema{
			Type: "object", PropertyNames: &jsonschema.Schema{Pattern: `^PREFECT_[A-Z0-9_]+$`},
			AdditionalProperties: &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}},
		}
	},
}

// walk calls do for the schema of every key: hosts.*.roles and hosts.*.roles[] are those of a host's list and of what is in it.
func walk(path string, s *jsonschema.Schema, do func(string, *jsonschema.Schema)) {
	do(path, s)
	if s.Properties != nil {
		for name, of := range s.Properties.FromOldest() {
			walk(strings.TrimPrefix(path+"."+name, "."), of, do)
		}
	}
	if s.Items != nil {
		walk(path+"[]", s.Items, do)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Properties != nil {
		walk(path+".*", s.AdditionalProperties, do)
	}
}

// rule is what a key may hold beyond what its Go type says.
type rule func(*jsonschema.Schema)

func oneOf(words ...any) rule {
	return func(s *jsonschema.Schema) { s.Enum = words }
}

func needs(names ...string) rule {
	return func(s *jsonschema.Schema) { s.Required = slices.Sorted(slices.Values(names)) }
}

func pattern(p string) rule { return func(s *jsonschema.Schema) { s.Pattern = p } }

func notEmpty(s *jsonschema.Schema) {
	one := uint64(1)
	if s.Type == "array" {
		s.MinItems = &one
		return
	}
	s.MinLength = &one
}

func different(s *jsonschema.Schema) { s.UniqueItems = true }

func from(least, most string) rule {
	return func(s *jsonschema.Schema) { s.Minimum, s.Maximum = json.Number(least), json.Number(most) }
}

// oneForm is for a secret: exactly one of its keys.
func oneForm(s *jsonschema.Schema) {
	one := uint64(1)
	s.MinProperties, s.MaxProperties = &one, &one
}

// queue is for the name of a shared queue.
func queue(s *jsonschema.Schema) {
	most := uint64(64)
	s.Pattern, s.MaxLength, s.Not = `^[A-Za-z0-9_][A-Za-z0-9._-]*$`, &most, &jsonschema.Schema{Pattern: "^" + naming.HostQueuePrefix}
}

// named is for tables by the names of hosts.
func named(s *jsonschema.Schema) {
	most := uint64(48)
	s.PropertyNames = &jsonschema.Schema{Pattern: `^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`, MaxLength: &most}
}
