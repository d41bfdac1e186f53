package remote

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote returns s as one word of a POSIX shell, in single quotes, so that the
// shell reads back exactly s. A NUL byte cannot be part of a shell word: s must
// not hold one, and callers check that where the value enters the program.
func Quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Sanitize makes text from elsewhere safe to show to a person: everything that
// is not printable, line break or tab is escaped, so that neither terminal
// sequences nor reordering (bidirectional) characters get through. Invalid UTF-8
// is escaped byte by byte. The result is valid UTF-8.
func Sanitize(s string) string {
	if !needsSanitizing(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, r < utf8.RuneSelf && !showable(r):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case showable(r):
			b.WriteString(s[i : i+n])
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += n
	}
	return b.String()
}

func needsSanitizing(s string) bool {
	for i, r := range s {
		if !showable(r) {
			return true
		}
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return true
		}
	}
	return false
}

func showable(r rune) bool { return r == '\n' || r == '\t' || unicode.IsPrint(r) }

// oneLine folds text for an error message that must stay on one line.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(Sanitize(s), func(r rune) bool { return r == '\n' }), "; ")
}

// lastLine is the last line with something on it: the reason of a failure comes
// last in what a command prints.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
}
