package strict

import (
	"strings"
	"testing"
)

// TestTooDeep: nesting that would keep the parser busy for minutes is refused with its line, and
// nothing that is written by people is.
func TestTooDeep(t *testing.T) {
	t.Parallel()
	const many = 200_000
	for name, text := range map[string]string{
		"dotted key":          strings.Repeat("a.", many) + "a = 1\n",
		"dotted with blanks":  strings.Repeat("a . ", many) + "a = 1\n",
		"quoted parts":        strings.Repeat(`"a".`, many) + "a = 1\n",
		"literal parts":       strings.Repeat(`'a'.`, many) + "a = 1\n",
		"table":               "[" + strings.Repeat("a.", many) + "a]\n",
		"array of tables":     "[[" + strings.Repeat("a.", many) + "a]]\n",
		"arrays":              "a = " + strings.Repeat("[", many) + strings.Repeat("]", many) + "\n",
		"arrays, not closed":  "a = " + strings.Repeat("[", many),
		"arrays over lines":   "a = " + strings.Repeat("[\n", many),
		"inline tables":       "a = " + strings.Repeat("{a=", many) + "1" + strings.Repeat("}", many) + "\n",
		"dotted within table": "a = { " + strings.Repeat("a.", many) + "a = 1 }\n",
	} {
		doc, problems := Parse("x.toml", []byte("# a comment\nb = \"#\"\n"+text))
		if doc != nil || len(problems) != 1 || problems[0].Line < 3 || !strings.Contains(problems[0].Problem, "nested") {
			t.Errorf("%s: %.200v", name, problems)
		}
	}
	for name, text := range map[string]string{
		"dots in a string":      "url = \"" + strings.Repeat("a.", many) + "\"\n",
		"dots in a comment":     "# " + strings.Repeat("a.", many) + "\n",
		"brackets in a string":  "a = '" + strings.Repeat("[", many) + "'\n",
		"brackets, many lines":  "a = \"\"\"\n" + strings.Repeat("[\n\\\"", 1000) + "\"\"\"\n",
		"brackets in a literal": "a = '''\n" + strings.Repeat("[\n\"", 1000) + "'''\n",
		"many addresses":        "a = [" + strings.Repeat("\"10.0.0.0/8\",", 5000) + "]\n",
		"many numbers":          "a = [" + strings.Repeat("1.5, ", 5000) + "]\n",
		"many keys":             strings.Repeat("x.y.z.", 10) + "a = 1\n" + strings.Repeat("[[a.b.c]]\nd = { e = [[1]] }\n", 1000),
		"an escaped quote":      `a = "\"[[[[` + strings.Repeat("[", 100) + "\"\n",
	} {
		if line := TooDeep(text); line != 0 {
			t.Errorf("%s: line %d", name, line)
		}
	}
}
