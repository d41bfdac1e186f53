package remote

import (
	"maps"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// precedent is an answer of ssh -G that holds for other names as well. 200 hosts
// that no block of ssh_config tells apart are one question, not 200.
//
// It is certain because of what the files that ssh has read consist of: lines
// whose conditions are patterns of names, or programs that are told nothing of the
// host and so run once instead of once per host, and values without anything of
// the name in them. Two names that every pattern treats alike go through the same
// lines. Files are read coarsely: each word of a Host line counts as a pattern,
// and anything unusual makes no precedent.
type precedent struct {
	alias    string
	answer   options
	patterns []string
	blocks   blocks
	own      bool    // the machine's name is the alias: no HostName applied
	defaults options // without any configuration
}

var (
	plainName   = regexp.MustCompile(`^(?:[a-z0-9][a-z0-9_-]*\.)*[a-z][a-z0-9_-]*$`)
	plainLine   = regexp.MustCompile(`^[ \t]*([A-Za-z]+)(?:[ \t]*=[ \t]*|[ \t]+)(.*)$`)
	criteria    = regexp.MustCompile(`^(?i)!?(?:(all|final)|(localuser|host|originalhost)[ \t]+([^ \t"'\\=#%]+)|(exec)[ \t]+(?:"[^"\\%]*"|[^ \t"'\\=#%]+))(?:[ \t]+|$)`)
	readingLine = "debug1: Reading configuration data "
)

// plainAlias says that ssh takes a name as it is: no capitals, and an address in
// its canonical form.
func plainAlias(alias string) bool {
	if addr, err := netip.ParseAddr(alias); err == nil {
		return addr.String() == alias && addr.Zone() == ""
	}
	return plainName.MatchString(alias)
}

// newPrecedent returns nil if the answer is good for its name alone.
func newPrecedent(alias string, answer options, said []string, h *habits) *precedent {
	if !plainAlias(alias) {
		return nil
	}
	p := &precedent{alias: alias, answer: answer, own: answer.one("hostname") == alias, defaults: h.defaults}
	files := 0
	for _, line := range said {
		file, ok := strings.CutPrefix(line, readingLine)
		if !ok {
			continue
		}
		files++
		content, err := os.ReadFile(file)
		if err != nil || !p.read(string(content), h) {
			return nil
		}
	}
	if files == 0 {
		return nil // this ssh does not say what it reads
	}
	return p
}

func (p *precedent) read(content string, h *habits) bool {
	p.blocks.file()
	for line := range strings.Lines(content) {
		line = strings.TrimRight(line, " \t\r\n")
		if start := strings.TrimLeft(line, " \t"); start == "" || start[0] == '#' {
			continue
		}
		m := plainLine.FindStringSubmatch(line)
		if m == nil || strings.ContainsAny(line, "\x00\f\v") {
			return false
		}
		keyword, value := strings.ToLower(m[1]), m[2]
		switch {
		case keyword == "host":
			if strings.Contains(value, `\`) {
				return false
			}
			p.blocks.host(value)
			p.patterns = append(p.patterns, strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t\"',!=", r) })...)
		case keyword == "match":
			if !p.readMatch(value) {
				return false
			}
		case strings.HasPrefix(keyword, "canonical"):
			return false
		case keyword == "hostname" && p.own && strings.Contains(strings.ToLower(value), p.alias):
			return false // it may be by chance that the name did not change
		case strings.Contains(value, "%") && !tokensStay(keyword, value, h):
			return false
		default:
			p.blocks.set(keyword, value)
		}
	}
	return true
}

// readMatch takes the conditions that treat names alike which its patterns do: a
// program that is told nothing of the host answers once for all of them.
func (p *precedent) readMatch(value string) bool {
	var c condition
	for value = strings.TrimSpace(value); value != ""; {
		m := criteria.FindStringSubmatch(value)
		if m == nil {
			return false
		}
		value = value[len(m[0]):]
		not := strings.HasPrefix(m[0], "!")
		switch criterion := strings.ToLower(m[1] + m[2] + m[4]); criterion {
		case "all":
			c.tied = c.tied || not
		case "localuser", "exec":
			c.tied = true
		case "final":
			// In the last pass patterns are held against the name that the first found.
			if !p.own {
				return false
			}
			p.blocks.doubt = true
		case "host", "originalhost":
			p.blocks.doubt = p.blocks.doubt || not || c.patterns != nil
			c.patterns, c.machine = strings.Split(m[3], ","), criterion == "host"
			for _, pattern := range c.patterns {
				p.patterns = append(p.patterns, strings.TrimPrefix(pattern, "!"))
			}
		default:
			return false
		}
	}
	p.blocks.begin(c)
	return true
}

// tokensStay says that ssh -G prints the value as it stands, or does not at all.
func tokensStay(keyword, value string, h *habits) bool {
	switch keyword {
	case "proxycommand", "controlpath", "localcommand", "remotecommand":
		return true
	case "identityfile", "certificatefile":
		return !h.expands[keyword] && !strings.Contains(value, "%C")
	}
	return false
}

// likeness says which of the patterns a name matches.
func (p *precedent) likeness(alias string) string {
	matches := make([]byte, len(p.patterns))
	for n, pattern := range p.patterns {
		matches[n] = '-'
		if wildcard(pattern, alias) {
			matches[n] = '+'
		}
	}
	return string(matches)
}

// holdsFor returns the answer to another question of the kind, if it is certain.
func (p *precedent) holdsFor(q question) (options, bool) {
	alias := q.alias
	if !plainAlias(alias) {
		return nil, false
	}
	var changes map[string]string
	if p.likeness(alias) != p.likeness(p.alias) {
		var ok bool
		if changes, ok = p.blocks.differences(p.alias, alias); !ok {
			return nil, false
		}
	}
	o := maps.Clone(p.answer)
	o["host"] = []string{alias}
	if p.own {
		o["hostname"] = []string{alias}
	}
	for keyword, value := range changes {
		o[keyword] = []string{value}
		switch {
		case value != "":
		case keyword == "hostname":
			o[keyword] = []string{alias}
		default:
			o[keyword] = slices.Clone(p.defaults[keyword])
		}
	}
	if q.user != "" { // no condition looks at it
		o["user"] = []string{q.user}
	}
	if q.port != 0 {
		o["port"] = []string{strconv.Itoa(q.port)}
	}
	delete(o, "controlpath")
	return o, true
}
