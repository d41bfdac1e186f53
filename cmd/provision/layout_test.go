//go:build unix

package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// located is a function or type with the file that it is in, as pages name both.
	located = regexp.MustCompile("`([A-Za-z]+)`\\s+\\(`([a-z0-9_/.]+\\.go)`\\)")
	// namedPath is a path from the top of the repository. Parts in capitals are placeholders.
	namedPath = regexp.MustCompile(`(?:^|[\s(\x60"])((?:cmd|docs|e2e|examples|files|inventory|provision|remote|tools)/[A-Za-z0-9_*/.-]*[A-Za-z0-9_*])`)
	// placeholder is a part of a path that stands for any name.
	placeholder = regexp.MustCompile(`[A-Z]{2,}|genN`)
)

// TestPlaces checks that the files, functions and types exist that the pages for contributors name.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for page, least := range map[string]int{"CONTRIBUTING.md": 15, "docs/project-layout.md": 40} {
		text, files, functions := readText(t, repository+"/"+page), 0, 0
		for _, m := range namedPath.FindAllStringSubmatch(text, -1) {
			if placeholder.MatchString(m[1]) {
				continue
			}
			files++
			if found, err := filepath.Glob(filepath.Join(repository, m[1])); err != nil || found == nil {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
		for _, m := range located.FindAllStringSubmatch(text, -1) {
			functions++
			name := regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type )` + m[1] + `[ (\[]`)
			if source := readText(t, filepath.Join(repository, m[2])); !name.MatchString(source) {
				t.Errorf("%s says that %s is in %s, which does not declare it", page, m[1], m[2])
			}
		}
		if files < least || strings.Contains(page, "layout") && functions < 30 {
			t.Errorf("%s: only %d paths and %d functions were recognized", page, files, functions)
		}
	}
}
