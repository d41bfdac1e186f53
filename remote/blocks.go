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

// blocks are the files that ssh has read, as the blocks that they consist of.
type blocks struct {
	files [][]block
	doubt bool // something in them is not as plain as it has to be
}

// block is the lines under one Host or Match, or before the first of them.
type block struct {
	condition
	settings []setting
}

type setting struct {
	keyword, value string
	tied           bool // as its block's condition
}

type condition struct {
	patterns []string // nil = any name
	machine  bool     // the patterns are held against what HostName has set by then, not against the alias
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

func (b *blocks) file() { b.files = append(b.files, []block{{}}) }

func (b *blocks) current() *block {
	last := b.files[len(b.files)-1]
	return &last[len(last)-1]
}

func (b *blocks) host(value string) {
	b.begin(condition{patterns: strings.Fields(value)})
}

// begin is called with what the lines that follow stand under.
func (b *blocks) begin(c condition) {
	last := &b.files[len(b.files)-1]
	*last = append(*last, block{condition: c})
	b.doubt = b.doubt || slices.ContainsFunc(c.patterns, func(p string) bool { return !plainPattern.MatchString(p) })
}

func (b *blocks) set(keyword, value string) {
	switch keyword {
	case "include":
		// What is read depends on the name then, and the order of files on the place.
		b.doubt = b.doubt || b.current().tied || b.current().patterns != nil
		return
	case "ignoreunknown":
		b.doubt = true
	case "proxyjump", "proxycommand": // the first of both wins
		keyword, value = "proxy", keyword+" "+value
	}
	current := b.current()
	current.settings = append(current.settings, setting{keyword, value, current.tied})
}

func (c condition) holds(name string) bool {
	found := c.patterns == nil
	for _, p := range c.patterns {
		p, negated := strings.CutPrefix(p, "!")
		if wildcard(p, name) {
			if negated {
				return false
			}
			found = true
		}
	}
	return found
}

// of returns what applies to a name: per keyword and file, in order. It returns
// false if that is not certain.
func (b *blocks) of(alias string) (map[string][][]setting, bool) {
	all := make(map[string][][]setting)
	looks, unsure := false, false // whether conditions look at the machine's name, and whether that is known
	machines := 0                 // files that set it or look at it: which of them ssh reads first is not known here
	for n, file := range b.files {
		machine, set, counts := alias, false, false
		for _, block := range file {
			name := alias
			if block.machine {
				name, looks, counts = machine, true, true
			}
			holds := block.holds(name)
			for _, s := range block.settings {
				per := all[s.keyword]
				if per == nil {
					per = make([][]setting, len(b.files))
					all[s.keyword] = per
				}
				if holds {
					per[n] = append(per[n], s)
				}
				if s.keyword != "hostname" {
					continue
				}
				if counts = true; holds && !set {
					machine, set = s.value, true
					unsure = unsure || s.tied || !plainSettings["hostname"].MatchString(s.value)
				}
			}
		}
		if counts {
			machines++
		}
	}
	return all, !looks || machines == 1 && !unsure
}

// differences are the settings that another name has instead of those of the
// precedent, "" = the default. It returns false if ssh has to be asked.
func (b *blocks) differences(precedent, alias string) (map[string]string, bool) {
	if b.doubt {
		return nil, false
	}
	all, certain := b.of(precedent)
	ours, too := b.of(alias)
	if !certain || !too {
		return nil, false
	}
	changes := make(map[string]string)
	for keyword, theirs := range all {
		if slices.EqualFunc(theirs, ours[keyword], sameSettings) {
			continue
		}
		plain := plainSettings[keyword]
		if plain == nil {
			return nil, false
		}
		var only []setting
		for n, file := range b.files {
			if !slices.ContainsFunc(file, func(b block) bool {
				return slices.ContainsFunc(b.settings, func(s setting) bool { return s.keyword == keyword })
			}) {
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
