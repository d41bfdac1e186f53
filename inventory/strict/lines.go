package strict

import (
	"strings"

	"github.com/BurntSushi/toml"
)

// locate gives the line of every key, table, element of an array and key of an inline table in text, by their Key path.
// The text must have been accepted by the TOML parser before: that parser tells the line of its own errors only,
// so this one walks over a text that is known to be well formed and does not check it again.
func locate(text string) map[string]int {
	for _, mark := range []string{"\ufeff", "\xff\xfe", "\xfe\xff"} { // that parser passes over them, too
		text = strings.TrimPrefix(text, mark)
	}
	w := walker{text: text, line: 1, lines: map[string]int{}, tables: map[string]int{}}
	for table := ""; ; {
		w.blank(true)
		switch {
		case w.pos >= len(w.text):
			return w.lines
		case strings.HasPrefix(w.text[w.pos:], "[["):
			w.pos += 2
			table = w.header(true)
			w.skip("]]")
		case w.text[w.pos] == '[':
			w.pos++
			table = w.header(false)
			w.skip("]")
		default:
			w.keyValue(table)
		}
	}
}

type walker struct {
	text   string
	pos    int
	line   int
	lines  map[string]int
	tables map[string]int // arrays of tables: elements so far
}

func (w *walker) more(set string) bool {
	return w.pos < len(w.text) && strings.IndexByte(set, w.text[w.pos]) >= 0
}

// step consumes one byte and counts lines.
func (w *walker) step() {
	if w.pos < len(w.text) {
		if w.text[w.pos] == '\n' {
			w.line++
		}
		w.pos++
	}
}

// skip consumes the mark if it comes next.
func (w *walker) skip(mark string) {
	if strings.HasPrefix(w.text[w.pos:], mark) {
		w.pos += len(mark)
	}
}

// blank consumes white space and, with newlines, line ends and comments.
func (w *walker) blank(newlines bool) {
	for w.pos < len(w.text) {
		switch {
		case w.more(" \t"), newlines && w.more("\r\n"):
			w.step()
		case newlines && w.more("#"):
			for w.pos < len(w.text) && !w.more("\n") {
				w.step()
			}
		default:
			return
		}
	}
}

// note records a path at its first appearance.
func (w *walker) note(path string) {
	if _, ok := w.lines[path]; !ok {
		w.lines[path] = w.line
	}
}

// enter notes a part under the path; if that is an array of tables, its last element is meant.
func (w *walker) enter(path, part string) string {
	path = Key(path, part)
	w.note(path)
	if n := w.tables[path]; n > 0 {
		path = Key(path, n-1)
	}
	return path
}

func (w *walker) header(array bool) string {
	path := ""
	parts := w.parts()
	for i, part := range parts {
		if array && i == len(parts)-1 {
			path = Key(path, part)
			w.note(path)
			w.tables[path]++
			path = Key(path, w.tables[path]-1)
			w.note(path)
			return path
		}
		path = w.enter(path, part)
	}
	return path
}

func (w *walker) keyValue(table string) {
	for _, part := range w.parts() {
		table = w.enter(table, part)
	}
	w.skip("=")
	w.value(table)
}

// parts reads a dotted key.
func (w *walker) parts() []string {
	var parts []string
	for {
		w.blank(false)
		start := w.pos
		if w.more(`"'`) {
			w.quoted()
			parts = append(parts, unquote(w.text[start:w.pos]))
		} else {
			for w.pos < len(w.text) && !w.more(".=] \t\r\n") {
				w.step()
			}
			parts = append(parts, w.text[start:w.pos])
		}
		w.blank(false)
		if !w.more(".") {
			return parts
		}
		w.step()
	}
}

// unquote leaves TOML's rules for quoted keys to the library.
func unquote(quoted string) string {
	var v struct{ K string }
	if _, err := toml.Decode("K = "+quoted, &v); err != nil {
		return quoted
	}
	return v.K
}

// quoted consumes a string of any of the four kinds.
func (w *walker) quoted() {
	quote := w.text[w.pos : w.pos+1]
	escapes := quote == `"`
	long := strings.HasPrefix(w.text[w.pos:], strings.Repeat(quote, 3))
	if long {
		quote = strings.Repeat(quote, 3)
	}
	w.pos += len(quote)
	for w.pos < len(w.text) && !strings.HasPrefix(w.text[w.pos:], quote) {
		if escapes && w.more(`\`) {
			w.step()
		}
		w.step()
	}
	w.skip(quote)
	for i := 0; long && i < 2 && w.more(quote[:1]); i++ { // """" and """"" end with quotes that belong to the string
		w.step()
	}
}

func (w *walker) value(path string) {
	w.blank(false)
	switch {
	case w.more(`"'`):
		w.quoted()
	case w.more("["):
		w.step()
		for i := 0; ; i++ {
			w.blank(true)
			if w.pos >= len(w.text) || w.more("]") {
				break
			}
			w.note(Key(path, i))
			w.value(Key(path, i))
			w.blank(true)
			w.skip(",")
		}
		w.skip("]")
	case w.more("{"):
		w.step()
		for {
			w.blank(true)
			if w.pos >= len(w.text) || w.more("}") {
				break
			}
			w.keyValue(path)
			w.blank(true)
			w.skip(",")
		}
		w.skip("}")
	default:
		for w.pos < len(w.text) && !w.more(",]}#\r\n") {
			w.step()
		}
	}
}
