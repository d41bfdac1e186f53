package unix

import (
	"slices"
	"strings"
)

func (s *shell) readLine(a []string) int {
	raw := false
	names := a[1:]
	for len(names) > 0 && strings.HasPrefix(names[0], "-") {
		if names[0] != "-r" {
			return s.usage(a)
		}
		raw, names = true, names[1:]
	}
	if len(names) == 0 {
		return s.usage(a)
	}
	var line []rune // escaped characters are marked by being shifted out of Unicode's range
	const escaped = 1 << 24
	in := s.p.Stdin()
	var raws []byte
	code := 0
	b := make([]byte, 1)
	for esc := false; ; {
		n, err := in.Read(b)
		if n == 0 || err != nil && n == 0 {
			code = 1
			break
		}
		if !raw && esc {
			if esc = false; b[0] != '\n' {
				raws = append(raws, 0, b[0])
			}
			continue
		}
		if !raw && b[0] == '\\' {
			esc = true
			continue
		}
		if b[0] == '\n' {
			break
		}
		if b[0] != 0 {
			raws = append(raws, b[0])
		}
	}
	for i := 0; i < len(raws); i++ {
		if raws[i] == 0 && i+1 < len(raws) {
			i++
			line = append(line, rune(raws[i])+escaped)
			continue
		}
		line = append(line, rune(raws[i]))
	}
	values := splitFields(line, s.ifs(), len(names), escaped)
	for i, n := range names {
		v := ""
		if i < len(values) {
			v = values[i]
		}
		s.put(n, v)
	}
	return code
}

func (s *shell) ifs() string {
	if v := s.vars["IFS"]; v.IsSet() {
		return v.Str
	}
	return " \t\n"
}

// splitFields splits what read has read; the last of n fields takes the rest of the line.
func splitFields(line []rune, ifs string, n int, escaped rune) []string {
	sep := func(r rune) bool { return r < escaped && strings.ContainsRune(ifs, r) }
	white := func(r rune) bool { return sep(r) && strings.ContainsRune(" \t\n", r) }
	text := func(rs []rune) string {
		var b []byte
		for _, r := range rs {
			b = append(b, byte(r&0xff))
		}
		return string(b)
	}
	for len(line) > 0 && white(line[0]) {
		line = line[1:]
	}
	for len(line) > 0 && white(line[len(line)-1]) {
		line = line[:len(line)-1]
	}
	var out []string
	for len(line) > 0 && len(out) < n-1 {
		i := slices.IndexFunc(line, sep)
		if i < 0 {
			return append(out, text(line))
		}
		out = append(out, text(line[:i]))
		line = line[i:]
		for len(line) > 0 && white(line[0]) {
			line = line[1:]
		}
		if len(line) > 0 && sep(line[0]) && !white(line[0]) {
			line = line[1:]
			for len(line) > 0 && white(line[0]) {
				line = line[1:]
			}
		}
	}
	if len(line) == 0 {
		return out
	}
	// A single separator that ends the last field is not part of it.
	if i := slices.IndexFunc(line, sep); i == len(line)-1 {
		line = line[:i]
	}
	return append(out, text(line))
}
