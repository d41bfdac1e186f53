package remote

import (
	"embed"
	"io/fs"
	"regexp"
	"strings"
)

// Scripts are the .sh files of a package, by their names without the ending. What such a file holds is sent as it stands; values
// reach it in one way only: as quoted words above it, by [Scripts.With] and [Args].
type Scripts map[string]string

//go:embed *.sh
var scriptFiles embed.FS

// scripts are the shell of this package. What frames a script is text of Go instead, because its marks are no variables: the script would
// see them.
var scripts = ReadScripts(scriptFiles)

// ReadScripts reads the .sh files at the top of an embedded file system. Comments and indentation are left out, because every byte is
// sent to every host, but for the directives of shellcheck. So no line within a quoted text or a here-document begins with a tab
// or with #.
func ReadScripts(files fs.FS) Scripts {
	names, err := fs.Glob(files, "*.sh")
	scripts := Scripts{}
	for _, name := range names {
		var text []byte
		if text, err = fs.ReadFile(files, name); err != nil {
			break
		}
		var b strings.Builder
		for line := range strings.Lines(string(text)) {
			line = strings.TrimLeft(line, "\t")
			if !strings.HasPrefix(line, "#") || strings.HasPrefix(line, "# shellcheck ") {
				b.WriteString(line)
			}
		}
		scripts[strings.TrimSuffix(name, ".sh")] = b.String()
	}
	if err != nil {
		panic(err) // of a binary that was built wrong
	}
	return scripts
}

// shellName is a variable of a shell.
var shellName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// With is a script below its values, which come as NAME, VALUE, ... A script that is not there is a mistake of the caller and panics.
func (s Scripts) With(name string, values ...string) string {
	text, ok := s[name]
	if !ok {
		panic("there is no script " + name)
	}
	return Set(values...) + text
}

// Set is a line that sets variables, which come as NAME, VALUE, ...; "" without any.
func Set(values ...string) string {
	var b strings.Builder
	for i := 0; i < len(values); i += 2 {
		if !shellName.MatchString(values[i]) {
			panic("not a name of a variable: " + values[i])
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(values[i] + "=" + Quote(values[i+1]))
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

// Args is a line that makes a list of values the positional parameters, "$@".
func Args(values ...string) string {
	var b strings.Builder
	b.WriteString("set --")
	for _, v := range values {
		b.WriteString(" " + Quote(v))
	}
	b.WriteByte('\n')
	return b.String()
}

// Function is the definition of a function of a shell.
func Function(name, body string) string {
	return name + "() {\n" + strings.TrimSuffix(body, "\n") + "\n}\n"
}
