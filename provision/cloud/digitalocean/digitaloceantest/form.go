package digitaloceantest

import (
	"maps"
	"math"
	"slices"
	"strings"
)

// form says which fields the body of a call has, as the schema has them: "string", "integer",
// "boolean", "object", "id" (a string or an integer), each also as a list ("[]string"). A field that
// must be there ends with "!", one that may be null with "?". Fields that it does not name are left alone.
type form map[string]string

// check refuses what is missing, of another type, or null where it must not be.
func (f form) check(body object) answer {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		want := f[name]
		kind := strings.TrimRight(want, "!?")
		v, there := body[name]
		switch {
		case !there && strings.Contains(want, "!"):
			return invalid("%s is required.", name)
		case !there, v == nil && strings.Contains(want, "?"):
		case !is(kind, v):
			return invalid("%s must be of type %s.", name, kind)
		}
	}
	return answer{}
}

func is(kind string, v any) bool {
	if item, list := strings.CutPrefix(kind, "[]"); list {
		all, ok := v.([]any)
		return ok && !slices.ContainsFunc(all, func(v any) bool { return !is(item, v) })
	}
	switch v := v.(type) {
	case string:
		return kind == "string" || kind == "id"
	case float64:
		return (kind == "integer" || kind == "id") && v == math.Trunc(v)
	case bool:
		return kind == "boolean"
	case map[string]any:
		return kind == "object"
	}
	return false
}

// The fields of a body that was checked.

func (r *request) has(name string) bool { return r.body[name] != nil }

func (r *request) text(name string) string {
	s, _ := r.body[name].(string)
	return s
}

func (r *request) yes(name string) bool {
	b, _ := r.body[name].(bool)
	return b
}

func (r *request) number(name string) int {
	n, _ := r.body[name].(float64)
	return int(n)
}

func (r *request) texts(name string) []string {
	out := []string{}
	all, _ := r.body[name].([]any)
	for _, v := range all {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func (r *request) numbers(name string) []int {
	out := []int{}
	all, _ := r.body[name].([]any)
	for _, v := range all {
		if n, ok := v.(float64); ok {
			out = append(out, int(n))
		}
	}
	return out
}
