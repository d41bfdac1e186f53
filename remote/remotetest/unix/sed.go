package unix

import (
	"io"
	"regexp"
	"strconv"
	"strings"
)

// sedMain is sed [-nE] with commands of the forms s/A/B/[gp], /A/d, /A/p, Np, N,Mp, Nq and $d,
// joined by semicolons, newlines or several -e.
func sedMain(p *Proc) int {
	o := p.Anywhere("nE", "e:", nil)
	script := strings.Join(o.List["e"], "\n")
	files := o.Args
	if len(o.List["e"]) == 0 {
		if len(files) == 0 {
			p.Fatalf(1, "no script")
		}
		script, files = files[0], files[1:]
	}
	var cmds []sedCommand
	for rest := script; ; {
		rest = strings.TrimLeft(rest, " \t\n;")
		if rest == "" {
			break
		}
		c, after := p.sedParse(rest, o.Has("E"))
		cmds, rest = append(cmds, c), after
	}
	var lines []string
	code := p.inputs(files, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		lines = append(lines, strings.SplitAfter(string(b), "\n")...)
		if len(lines) > 0 && lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		return err
	})
	for i, l := range lines {
		end := ""
		if strings.HasSuffix(l, "\n") {
			l, end = l[:len(l)-1], "\n"
		}
		keep, quit := true, false
		for k := range cmds {
			c := &cmds[k]
			if !c.selects(l, i+1, len(lines)) {
				continue
			}
			switch c.op {
			case 'd':
				keep = false
			case 'p':
				p.Printf("%s%s", l, end)
			case 'q':
				quit = true
			case 's':
				n := 1
				if c.global {
					n = -1
				}
				hit := false
				l = replaceN(c.re, l, c.to, n, &hit)
				if hit && c.print {
					p.Printf("%s%s", l, end)
				}
			}
			if !keep || quit {
				break
			}
		}
		if keep && !o.Has("n") {
			p.Printf("%s%s", l, end)
		}
		if quit {
			break
		}
	}
	return code
}

type sedCommand struct {
	from, until   int // line numbers, -1 for the last
	re, at, toRe  *regexp.Regexp
	op            byte
	to            string
	global, print bool
	inside        bool
}

func (c *sedCommand) selects(l string, n, last int) bool {
	line := func(k int) bool { return k == n || k == -1 && n == last }
	switch {
	case c.toRe != nil:
		if !c.inside {
			if c.at != nil && c.at.MatchString(l) || c.at == nil && line(c.from) {
				c.inside = true
				return true
			}
			return false
		}
		c.inside = !c.toRe.MatchString(l)
		return true
	case c.at != nil:
		return c.at.MatchString(l)
	case c.from == 0:
		return true
	case c.until != 0:
		return n >= c.from && (c.until == -1 || n <= c.until)
	}
	return line(c.from)
}

func (p *Proc) sedParse(s string, extended bool) (sedCommand, string) {
	var c sedCommand
	expr := func(text string) *regexp.Regexp {
		if !extended {
			text = p.basic(text)
		}
		re, err := regexp.Compile(text)
		if err != nil {
			p.Unsupported("sed expression " + text)
		}
		return re
	}
	address := func() (int, *regexp.Regexp) {
		switch {
		case strings.HasPrefix(s, "$"):
			s = s[1:]
			return -1, nil
		case strings.HasPrefix(s, "/"):
			text, rest := delimited(s[1:], '/')
			s = rest
			return 0, expr(text)
		}
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		v, _ := strconv.Atoi(s[:n])
		s = s[n:]
		return v, nil
	}
	c.from, c.at = address()
	if strings.HasPrefix(s, ",") {
		s = s[1:]
		c.until, c.toRe = address()
		if c.at != nil && c.toRe == nil {
			p.Unsupported("sed address " + s)
		}
	}
	s = strings.TrimLeft(s, " ")
	if s == "" {
		p.Fatalf(1, "-e expression #1: missing command")
	}
	c.op, s = s[0], s[1:]
	switch c.op {
	case 'd', 'p', 'q':
	case 's':
		d := s[0]
		from, rest := delimited(s[1:], d)
		to, rest := delimited(rest, d)
		c.re, c.to, s = expr(from), to, rest
		for s != "" && strings.IndexByte("gp", s[0]) >= 0 {
			c.global, c.print = c.global || s[0] == 'g', c.print || s[0] == 'p'
			s = s[1:]
		}
	default:
		p.Unsupported("sed command " + string(c.op))
	}
	if s != "" && strings.IndexByte(" ;\n", s[0]) < 0 {
		p.Unsupported("sed flags " + s)
	}
	return c, s
}

// delimited cuts at the next unescaped delimiter.
func delimited(s string, d byte) (text, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			if i++; s[i] != d {
				b.WriteByte('\\')
			}
			b.WriteByte(s[i])
		case s[i] == d:
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

func replaceN(re *regexp.Regexp, l, to string, n int, hit *bool) string {
	var b strings.Builder
	at := 0
	for _, m := range re.FindAllStringSubmatchIndex(l, n) {
		*hit = true
		b.WriteString(l[at:m[0]])
		for i := 0; i < len(to); i++ {
			switch {
			case to[i] == '&':
				b.WriteString(l[m[0]:m[1]])
			case to[i] == '\\' && i+1 < len(to):
				i++
				if g := int(to[i] - '0'); g >= 0 && g <= 9 && 2*g+1 < len(m) {
					if m[2*g] >= 0 {
						b.WriteString(l[m[2*g]:m[2*g+1]])
					}
				} else if to[i] == 'n' {
					b.WriteByte('\n')
				} else {
					b.WriteByte(to[i])
				}
			default:
				b.WriteByte(to[i])
			}
		}
		at = m[1]
	}
	return b.String() + l[at:]
}
