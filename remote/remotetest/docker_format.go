package remotetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"provision/remote/remotetest/unix"
)

func templateFuncs() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},
		"join": func(list any, sep string) (string, error) {
			switch l := list.(type) {
			case []string:
				return strings.Join(l, sep), nil
			case []any: // as in a raw answer
				return "", fmt.Errorf("error calling join: expected []string; found []interface {}")
			}
			return "", fmt.Errorf("wrong type for value; expected []string; got %T", list)
		},
		"split": strings.Split, "lower": strings.ToLower, "upper": strings.ToUpper, "title": strings.Title, //nolint:staticcheck // Docker's own
		"println": fmt.Sprintln,
		"pad": func(s string, before, after int) string {
			if s == "" {
				return s
			}
			return strings.Repeat(" ", before) + s + strings.Repeat(" ", after)
		},
		"truncate": func(s string, n int) string { return s[:min(n, len(s))] },
	}
}

// rows prints a list with --format, one line each. A format that begins with "table" keeps no header.
func (p *proc) rows(format string, items []any) {
	if format == "json" || format == "{{json .}}" {
		p.Unsupported("docker list as json")
	}
	if strings.HasPrefix(format, "table") {
		p.Unsupported("docker list as table")
	}
	t, err := template.New("").Funcs(templateFuncs()).Parse(unescape(format))
	if err != nil {
		p.Errorf("template parsing error: %v\n", err)
		panic(unix.Exited(64))
	}
	for _, item := range items {
		var b bytes.Buffer
		if err := t.Execute(&b, item); err != nil {
			p.Errorf("%v\n", err)
			panic(unix.Exited(1))
		}
		p.Printf("%s\n", b.String())
	}
}

func unescape(s string) string { return strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(s) }

// inspected prints one object the way `docker inspect` does: the template is tried on the client's
// own type first and, if that fails, on the answer of the engine as it came, where fields have the
// names of the API, lists have no type, and a missing key is an error.
func inspected(format string, typed any) (string, error) {
	t, err := template.New("").Funcs(templateFuncs()).Parse(unescape(format))
	if err != nil {
		return "", fmt.Errorf("template parsing error: %w", err)
	}
	var b bytes.Buffer
	if t.Execute(&b, typed) == nil {
		return b.String(), nil
	}
	text, err := json.Marshal(typed)
	if err != nil {
		return "", err
	}
	var raw any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&raw); err != nil {
		return "", err
	}
	b.Reset()
	if err := t.Option("missingkey=error").Execute(&b, raw); err != nil {
		return "", fmt.Errorf("template parsing error: %w", err)
	}
	return b.String(), nil
}

// inspectAll is `docker inspect`: what was found is printed, what was not is an error at the end.
func (p *proc) inspectAll(o unix.Parsed, names []string, kind string, find func(string) any) int {
	var found []any
	var errs []string
	for _, n := range names {
		if v := find(n); v != nil {
			found = append(found, v)
		} else {
			errs = append(errs, noSuch(kind, n))
		}
	}
	format, given := o.Value["f"]
	code := 0
	if given {
		printed := false
		for _, v := range found {
			text, err := inspected(format, v)
			if err != nil {
				errs = append(errs, err.Error())
				break
			}
			p.Printf("%s\n", text)
			printed = true
		}
		if !printed {
			p.Printf("\n")
		}
	} else {
		if found == nil {
			found = []any{}
		}
		text, _ := json.MarshalIndent(found, "", "    ")
		p.Printf("%s\n", text)
	}
	for _, e := range errs {
		p.Errorf("%s\n", e)
		code = 1
	}
	return code
}

func noSuch(kind, name string) string {
	switch kind {
	case "":
		return "Error: No such object: " + name
	case "network":
		return "Error response from daemon: network " + name + " not found"
	case "volume":
		return "Error response from daemon: get " + name + ": no such volume"
	case "image":
		return "Error response from daemon: No such image: " + name
	}
	return "Error response from daemon: No such " + kind + ": " + name
}
