package strict

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Control tells characters that have no place in any value: they can move a cursor, end a line, or hide the rest of it.
func Control(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar
}

// OneOf refuses a word that is not among the known ones.
func (d *Document) OneOf(key, word string, known ...string) bool {
	if slices.Contains(known, word) {
		return true
	}
	hint := "known: " + strings.Join(known, ", ")
	if near := Nearest(word, known); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	d.Add(key, Show(word)+" is unknown here", hint)
	return false
}
