// Package strict reads TOML files that people write: every key is known or a problem, every problem has its line, and all of
// them are found together.
package strict

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// maxDocument bounds what is read of a configuration file: a path that names a device or a disk image must not fill the memory.
const maxDocument = 1 << 20

// Document is one configuration file while it is being checked: its values, the line of each, and the mistakes found so far.
// It is not safe for concurrent use.
type Document struct {
	File string // as the caller named it
	Dir  string // what relative paths in it count from

	// Unknown says what was meant by a key below path that nothing reads; "" if that is not known. Nothing more is said of path then. It may be nil.
	Unknown func(path, name string, value any) string

	tree     map[string]any
	lines    map[string]int
	settled  map[string]bool // keys with a problem: a second one about the same key would only confuse
	unusable map[string]bool // keys without a usable value: nothing is said of what is below them
	problems Problems
}

// Open reads and parses a TOML file. It returns nil and the problem if that cannot be done.
func Open(path string) (*Document, Problems) {
	text, err := ReadFile(path, maxDocument)
	if err != nil {
		return nil, Problems{{File: path, Problem: PlainFileError(err), Hint: "name another file; provision init --split writes a first one"}}
	}
	return Parse(path, text)
}

// Parse is Open for a text at hand; path is where it comes from.
func Parse(path string, text []byte) (*Document, Problems) {
	d := &Document{File: path, Dir: filepath.Dir(path), tree: map[string]any{}, settled: map[string]bool{}, unusable: map[string]bool{}}
	if line := TooDeep(string(text)); line > 0 {
		return nil, Problems{{File: path, Line: line, Problem: fmt.Sprintf("nested more than %d deep", maxDepth), Hint: "nothing in this file is nested like that"}}
	}
	if _, err := toml.Decode(string(text), &d.tree); err != nil {
		return nil, Problems{syntaxProblem(path, string(text), err)}
	}
	d.lines = locate(string(text))
	return d, nil
}

// Text is the string at a path of keys; "" if there is none. It says nothing of mistakes: Decode does.
func (d *Document) Text(path ...string) string {
	var value any = d.tree
	for _, key := range path {
		table, _ := value.(map[string]any)
		value = table[key]
	}
	text, _ := value.(string)
	return text
}

// syntaxProblem is the library's error without what it may quote of a secret's value.
func syntaxProblem(path, text string, err error) Problem {
	p := Problem{File: path, Line: 1, Problem: "not TOML"}
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		return p
	}
	// Where a line ended too early the library names the next one; what it could not read began before that.
	began := 1 + strings.Count(text[:min(max(parse.Position.Start, 0), len(text))], "\n")
	p.Line = max(min(parse.Position.Line, began), 1)
	p.Problem = "not TOML: " + strings.ToValidUTF8(strings.Map(printable, parse.Message), "?")
	for part := range strings.SplitSeq(strings.ToLower(parse.LastKey), ".") {
		if secretName(strings.Trim(part, `"'`)) {
			p.Problem = "not TOML: the value is not well formed"
			p.Hint = SecretForms
		}
	}
	return p
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}

// secretName says whether a value under this key is likely to be a secret, wherever the key stands.
func secretName(key string) bool {
	return strings.Contains(key, "password") || strings.Contains(key, "token") || strings.Contains(key, "secret")
}

// Key joins the parts of a key's path, strings for tables and ints for elements: hosts.worker-1.queues[0].
// Empty strings at the front are left out; a string at the front is taken as a path, the others as one part each.
func Key(path string, parts ...any) string {
	var b strings.Builder
	b.WriteString(path)
	for _, part := range parts {
		switch part := part.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", part)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(bare(part))
		}
	}
	return b.String()
}

// bare is the part as TOML writes it, quoted where it must be.
func bare(part string) string {
	plain := part != ""
	for _, r := range part {
		plain = plain && (r == '-' || r == '_' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)))
	}
	if plain {
		return part
	}
	return strconv.Quote(part)
}

// Show is a value as a message may quote it: never one with control characters, never endless.
func Show(value string) string {
	const most = 80
	for _, r := range value {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return "a value with unprintable characters"
		}
	}
	if len(value) > most {
		return strconv.Quote(strings.ToValidUTF8(value[:most], "")) + "..."
	}
	return strconv.Quote(value)
}

// Has says whether the key is in the file.
func (d *Document) Has(key string) bool {
	_, ok := d.lines[key]
	return ok
}

// Line is the line of the key, else of the nearest table around it, else 1.
func (d *Document) Line(key string) int {
	for key != "" {
		if line, ok := d.lines[key]; ok {
			return line
		}
		key = Parent(key)
	}
	return 1
}

// Parent is the path without its last part.
func Parent(key string) string {
	if strings.HasSuffix(key, `"`) { // a quoted part may hold dots and brackets
		for i := len(key) - 2; i >= 0; i-- {
			if key[i] == '"' && (i == 0 || key[i-1] == '.') {
				return strings.TrimSuffix(key[:i], ".")
			}
		}
		return ""
	}
	return key[:max(strings.LastIndexAny(key, ".["), 0)]
}

// Add records a problem at the key. Of several at one key the first is kept, and nothing is added within a value that has the wrong type.
func (d *Document) Add(key, problem, hint string) {
	for k := key; k != ""; k = Parent(k) {
		if d.unusable[k] {
			return
		}
	}
	if d.settled[key] {
		return
	}
	if key != "" {
		d.settled[key] = true
	}
	d.problems = append(d.problems, Problem{File: d.File, Line: d.Line(key), Key: key, Problem: problem, Hint: hint})
}

// Settled says that a problem about this very key was found.
func (d *Document) Settled(key string) bool { return d.settled[key] }

// Unusable says that the key has no usable value.
func (d *Document) Unusable(key string) bool { return d.unusable[key] }

// Told says whether there is a problem with the key or something in it.
func (d *Document) Told(key string) bool {
	for k := range d.settled {
		if k == key || strings.HasPrefix(k, key+".") || strings.HasPrefix(k, key+"[") {
			return true
		}
	}
	return d.unusable[key]
}

// Problems are the mistakes so far, in the order of the file.
func (d *Document) Problems() Problems { return d.problems.sorted() }

// Path makes a path from the file usable: `~/` becomes the home directory, and a relative one counts from the file's directory.
func (d *Document) Path(path string) string {
	if path == "" {
		return ""
	}
	return From(d.Dir, path)
}

func From(dir, path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// ReadFile reads a file that a user has named: a regular one, and no more of it than the limit. A pipe,
// a socket or a device would be waited for without an end. An error names the file.
func ReadFile(path string, most int64) ([]byte, error) {
	wrong := func(format string, args ...any) error {
		return &os.PathError{Op: "read", Path: path, Err: fmt.Errorf(format, args...)}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // to open a pipe waits for its writer
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, wrong("is a directory, not a file")
	case !info.Mode().IsRegular():
		return nil, wrong("is not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, wrong("is larger than %d KiB", most>>10)
	}
	return text, nil
}

// PlainFileError says what is wrong with a file without repeating its name, which the message around it has.
func PlainFileError(err error) string {
	var pathErr *os.PathError
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "does not exist"
	case errors.Is(err, os.ErrPermission):
		return "may not be read by this user"
	case errors.As(err, &pathErr):
		return pathErr.Err.Error()
	}
	return err.Error()
}
