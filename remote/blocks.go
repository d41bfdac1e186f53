package remote

import (
	"regexp"
	"slices"
	"strings"
)

// A block per host is how large inventories are written. Names whose blocks differ
// in plain settings alone share one question: what ssh answered for one name is the
// answer for the other but for those settings, and these are read here. Whatever is
// open to doubt is asked.

// blocks are the files that ssh has read, as lists of settings.
type blocks struct {
	files   [][]setting
	current condition // of the lines that follow in the last file
	doubt   bool      // something in them is not as plain as it has to be
}

// setting is a line and when it applies.
type setting struct {
	keyword, value string
	condition
}

type condition struct {
	patterns []string // of Host; nil = any name
	tied     bool     // to something that is the same for all names, but not known here
}

var (
	plainPattern = regexp.MustCompile(`^!?[a-z0-9._:*?-]+$`)
	// plainSettings are those that are read here: one value, the first wins.
	plainSettings = map[string]*regexp.Regexp{
		"hostname": regexp.MustCompile(`^[a-z0-9.:-]+$`), // and a plain alias, below
		"port":     regexp.MustCompile(`^([1-9][0-9]{0,3}|[1-5][0-9]{4})$`),
		"user":     regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`),
	}
)

func (b *blocks) file() { b.files, b.current = append(b.files, nil), condition{} }

func (b *blocks) host(value string) {
	b.current = condition{patterns: strings.Fields(value)}
	b.doubt = b.doubt || slices.ContainsFunc(b.current.patterns, func(p string) bool { return !plainPattern.MatchString(p) })
}

// match says whether the conditions look at names.
func (b *blocks) match(names bool) {
	b.current = condition{tied: true}
	b.doubt = b.doubt || names
}

func (b *blocks) set(keyword, value string) {
	switch keyword {
	case "include":
		// What is read depends on the name then, and the order of files on the place.
		b.doubt = b.doubt || b.current.tied || b.current.patterns != nil
		return
	case "ignoreunknown":
		b.doubt = true
	case "proxyjump", "proxycommand": // the first of both wins
		keyword, value = "proxy", keyword+" "+value
	}
	last := &b.files[len(b.files)-1]
	*last = append(*last, setting{keyword, value, b.current})
}

func (c condition) holds(alias string) bool {
	found := c.patterns == nil
	for _, p := range c.patterns {
		p, negated := strings.CutPrefix(p, "!")
		if wildcard(p, alias) {
			if negated {
				return false
			}
			found = true
		}
	}
	return found
}

// of returns what applies to a name: per keyword and file, in order.
func (b *blocks) of(alias string) map[string][][]setting {
	all := make(map[string][][]setting)
	for n, file := range b.files {
		for _, s := range file {
			per := all[s.keyword]
			if per == nil {
				per = make([][]setting, len(b.files))
				all[s.keyword] = per
			}
			if s.holds(alias) {
				per[n] = append(per[n], s)
			}
		}
	}
	return all
}

// differences are the settings that another name has in place of those of the
// precedent, "" = the default. It returns false if ssh has to be asked.
func (b *blocks) differences(precedent, alias string) (map[string]string, bool) {
	if b.doubt {
		return nil, false
	}
	ours := b.of(alias)
	changes := make(map[string]string)
	for keyword, theirs := range b.of(precedent) {
		if slices.EqualFunc(theirs, ours[keyword], sameSettings) {
			continue
		}
		plain := plainSettings[keyword]
		if plain == nil {
			return nil, false
		}
		var only []setting
		for n, file := range b.files {
			if !slices.ContainsFunc(file, func(s setting) bool { return s.keyword == keyword }) {
				continue
			}
			if only != nil {
				return nil, false // which file comes first is not known here
			}
			only = append([]setting{}, ours[keyword][n]...)
		}
		value := ""
		if len(only) > 0 {
			if value = only[0].value; only[0].tied || !plain.MatchString(value) || keyword == "hostname" && !plainAlias(value) {
				return nil, false
			}
		}
		changes[keyword] = value
	}
	return changes, true
}

func sameSettings(a, b []setting) bool {
	return slices.EqualFunc(a, b, func(a, b setting) bool { return a.value == b.value && a.tied == b.tied })
}
