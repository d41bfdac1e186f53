package strict

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A Decoder is a type with its own form in a file. DecodeTOML takes the value as the TOML library gives it; a non-empty problem refuses it.
// The problem must not contain the value if the type holds secrets.
type Decoder interface {
	DecodeTOML(value any) (problem, hint string)
}

// Decode fills the structs that into points at, which have different keys of one file. Fields carry `toml:"name"`; those without it, or
// with "-", are not in the file; `toml:"name,named"` is a table of tables decoded into a slice sorted by name, the name going to the elements' Name.
// What the file does not have keeps its value, so defaults are set beforehand. Every key without a field and every value of
// another type is a problem; names must match exactly, unlike in the library's own decoding.
func (d *Document) Decode(into ...any) {
	structs := make([]reflect.Value, len(into))
	for n := range into {
		structs[n] = reflect.ValueOf(into[n]).Elem()
	}
	d.table("", d.tree, structs...)
}

// Refuse adds a problem about a key without a usable value: nothing is said of what is below it.
func (d *Document) Refuse(key, problem, hint string) {
	d.Add(key, problem, hint)
	d.unusable[key] = true
}

func (d *Document) table(path string, tree map[string]any, structs ...reflect.Value) {
	fields := map[string]reflect.Value{}
	named := map[string]bool{}
	for _, into := range structs {
		for i := range into.NumField() {
			name, option, _ := strings.Cut(into.Type().Field(i).Tag.Get("toml"), ",")
			if name != "" && name != "-" {
				fields[name] = into.Field(i)
				named[name] = option == "named"
			}
		}
	}
	known := slices.Sorted(maps.Keys(fields))
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		key := Key(path, name)
		field, ok := fields[name]
		switch {
		case !ok:
			d.unknown(path, name, tree[name], known)
		case named[name]:
			d.named(key, tree[name], field)
		default:
			d.value(key, tree[name], field)
		}
	}
}

// unknown reports a key that nothing reads. A key meant by it is not reported as missing as well.
func (d *Document) unknown(path, name string, value any, known []string) {
	key := Key(path, name)
	hint := "known here: " + strings.Join(known, ", ")
	if near := Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
		d.unusable[Key(path, near)] = !d.Has(Key(path, near))
	}
	if d.Unknown != nil {
		if meant := d.Unknown(path, name, value); meant != "" {
			hint = meant
			defer func() { d.unusable[path] = true }()
		}
	}
	d.Add(key, "unknown key", hint)
}

func (d *Document) named(key string, value any, into reflect.Value) {
	tables, ok := value.(map[string]any)
	if !ok {
		d.Refuse(key, "must be tables, not "+kindOf(value), fmt.Sprintf("write [%s.NAME]", key))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		element := reflect.New(into.Type().Elem()).Elem()
		element.FieldByName("Name").SetString(name)
		d.value(Key(key, name), tables[name], element)
		into.Set(reflect.Append(into, element))
	}
}

func (d *Document) value(key string, value any, into reflect.Value) {
	if own, ok := into.Addr().Interface().(Decoder); ok {
		if problem, hint := own.DecodeTOML(value); problem != "" {
			d.Refuse(key, problem, hint)
		}
		return
	}
	switch into.Interface().(type) {
	case time.Duration:
		d.duration(key, value, into)
		return
	case netip.Prefix:
		d.network(key, value, into)
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.value(key, value, into.Elem())
	case reflect.Struct:
		if table, ok := value.(map[string]any); ok {
			d.table(key, table, into)
			return
		}
		d.mismatch(key, "a table", value)
	case reflect.Map:
		table, ok := value.(map[string]any)
		if !ok {
			d.mismatch(key, "a table", value)
			return
		}
		into.Set(reflect.MakeMap(into.Type()))
		for _, name := range slices.Sorted(maps.Keys(table)) {
			element := reflect.New(into.Type().Elem()).Elem()
			d.value(Key(key, name), table[name], element)
			into.SetMapIndex(reflect.ValueOf(name), element)
		}
	case reflect.Slice:
		d.list(key, value, into)
	case reflect.Interface:
		if plain := d.plain(key, value); plain != nil {
			into.Set(reflect.ValueOf(plain))
		}
	case reflect.String:
		if text, ok := value.(string); ok {
			into.SetString(text)
			return
		}
		d.mismatch(key, "a string", value)
	case reflect.Bool:
		if truth, ok := value.(bool); ok {
			into.SetBool(truth)
			return
		}
		d.mismatch(key, "true or false", value)
	case reflect.Int:
		if number, ok := value.(int64); ok {
			into.SetInt(number)
			return
		}
		d.mismatch(key, "a whole number", value)
	default:
		panic("inventory: no rule to decode " + into.Type().String())
	}
}

func (d *Document) list(key string, value any, into reflect.Value) {
	elements, ok := Elements(value)
	if !ok {
		if into.Type().Elem().Kind() == reflect.Struct {
			d.mismatch(key, fmt.Sprintf("tables, each under [[%s]]", key), value)
			return
		}
		d.mismatch(key, "a list", value)
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(elements), len(elements)))
	for i, element := range elements {
		d.value(Key(key, i), element, into.Index(i))
	}
}

func Elements(value any) ([]any, bool) {
	switch value := value.(type) {
	case []any:
		return value, true
	case []map[string]any:
		elements := make([]any, len(value))
		for i, table := range value {
			elements[i] = table
		}
		return elements, true
	}
	return nil, false
}

func (d *Document) duration(key string, value any, into reflect.Value) {
	text, ok := value.(string)
	if !ok {
		d.mismatch(key, "a duration", value)
		return
	}
	span, err := time.ParseDuration(text)
	switch {
	case err != nil:
		d.Refuse(key, Show(text)+" is not a duration", `write a number with its unit: "30s", "15m", "24h"`)
	case span <= 0:
		d.Refuse(key, "must be longer than nothing", "")
	case span%time.Second != 0:
		d.Refuse(key, "must be whole seconds", "")
	default:
		into.SetInt(int64(span))
	}
}

func (d *Document) network(key string, value any, into reflect.Value) {
	text, ok := value.(string)
	if !ok {
		d.mismatch(key, "a network", value)
		return
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		hint := `write it like "10.0.0.0/24"`
		if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
			hint = fmt.Sprintf("one address is %q", netip.PrefixFrom(addr, addr.BitLen()))
		}
		d.Refuse(key, Show(text)+" is not a network", hint)
		return
	}
	if prefix != prefix.Masked() {
		d.Refuse(key, fmt.Sprintf("%q has bits set behind its prefix", text), fmt.Sprintf("did you mean %q?", prefix.Masked()))
		return
	}
	into.Set(reflect.ValueOf(prefix))
}

// plain is the value with the types that JSON knows: string, bool, int64, float64, []any, map[string]any.
func (d *Document) plain(key string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		table := make(map[string]any, len(value))
		for _, name := range slices.Sorted(maps.Keys(value)) {
			table[name] = d.plain(Key(key, name), value[name])
		}
		return table
	case time.Time:
		d.Refuse(key, "a date or time has no form in JSON", "write it in quotes")
		return nil
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			d.Refuse(key, "this number has no form in JSON", "")
			return nil
		}
	}
	elements, ok := Elements(value)
	if !ok {
		return value
	}
	for i, element := range elements {
		elements[i] = d.plain(Key(key, i), element)
	}
	return elements
}

func (d *Document) mismatch(key, want string, value any) {
	hint := ""
	switch _, isText := value.(string); {
	case isText && want == "a list":
		hint = "put it in brackets"
	case isText && (want == "a whole number" || want == "true or false"):
		hint = "write it without quotes"
	case want == "a duration":
		hint = `write a number with its unit, in quotes: "10s"`
	case want == "a string":
		if _, isList := Elements(value); !isList {
			hint = "put it in quotes"
		}
	}
	if _, isTable := value.(map[string]any); isTable {
		hint = ""
	}
	d.Refuse(key, fmt.Sprintf("must be %s, not %s", want, kindOf(value)), hint)
}

func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case int64:
		return "a whole number"
	case float64:
		return "a number with a fraction"
	case bool:
		return "true or false"
	case time.Time:
		return "a date or time"
	case map[string]any:
		return "a table"
	}
	return "a list"
}

// Nearest is the name that was likely meant by a misspelt one, "" if none is near.
func Nearest(name string, known []string) string {
	best, least := "", 3
	if len(name) <= 3 {
		least = 2
	}
	for _, candidate := range known {
		if n := distance(strings.ToLower(name), strings.ToLower(candidate)); n < least {
			best, least = candidate, n
		}
	}
	return best
}

// distance counts the letters to insert, remove, replace or swap with their neighbour.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > len(t)+2 || len(t) > len(s)+2 {
		return 3
	}
	d := make([][]int, len(s)+1)
	for i := range d {
		d[i] = make([]int, len(t)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(s)][len(t)]
}
