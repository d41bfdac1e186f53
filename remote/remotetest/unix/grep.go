package unix

import (
	"io"
	"regexp"
	"strings"
)

// grepMain is grep [-qvciFExhlnow] [-m N] PATTERN [FILE...]. Basic expressions are taken only where
// they mean the same as extended ones.
func grepMain(p *Proc) int {
	o := p.Anywhere("qvcFExhosr", "e:", nil)
	patterns := o.List["e"]
	files := o.Args
	if len(patterns) == 0 {
		if len(files) == 0 {
			p.Errorf("Usage: grep [OPTION]... PATTERNS [FILE]...\n")
			return 2
		}
		patterns, files = strings.Split(files[0], "\n"), files[1:]
	}
	var match []*regexp.Regexp
	for _, pat := range patterns {
		switch {
		case o.Has("F"):
			pat = regexp.QuoteMeta(pat)
		case !o.Has("E"):
			pat = p.basic(pat)
		}
		if o.Has("x") {
			pat = `^(?:` + pat + `)$`
		}
		re, err := regexp.Compile(pat)
		if err != nil {
			p.Unsupported("pattern " + pat)
		}
		match = append(match, re)
	}
	if o.Has("r") {
		files = p.below(files)
	}
	found := false
	names := (len(files) > 1 || o.Has("r")) && !o.Has("h")
	grep := func(name string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		prefix := ""
		if names {
			prefix = name + ":"
		}
		n := 0
		for l := range strings.Lines(string(b)) {
			l = strings.TrimSuffix(l, "\n")
			var hit []string
			for _, re := range match {
				if o.Has("o") {
					hit = append(hit, re.FindAllString(l, -1)...)
				} else if re.MatchString(l) {
					hit = []string{l}
					break
				}
			}
			if o.Has("v") {
				if len(hit) > 0 {
					continue
				}
				hit = []string{l}
			}
			if len(hit) == 0 {
				continue
			}
			found = true
			n++
			if !o.Has("q", "c") {
				for _, x := range hit {
					p.Printf("%s%s\n", prefix, x)
				}
			}
			if o.Has("q") {
				break
			}
		}
		if o.Has("c") && !o.Has("q") {
			p.Printf("%s%d\n", prefix, n)
		}
		return nil
	}
	code := 0
	if o.Has("s") {
		kept := files[:0:0]
		for _, f := range files {
			if _, err := p.Stat(f); err == nil {
				kept = append(kept, f)
			} else {
				code = 2
			}
		}
		if len(files) > 0 && len(kept) == 0 {
			return 2
		}
		files = kept
	}
	code = max(code, p.inputs(files, grep)*2)
	switch {
	case found && (code == 0 || o.Has("q")):
		return 0
	case code != 0:
		return code
	}
	return 1
}

// basic turns a basic regular expression into an extended one.
func (p *Proc) basic(pat string) string {
	var b strings.Builder
	for i := 0; i < len(pat); i++ {
		switch c := pat[i]; {
		case c == '\\' && i+1 < len(pat):
			i++
			switch pat[i] {
			case '(', ')', '{', '}', '|', '+', '?':
				b.WriteByte(pat[i])
			default:
				b.WriteString(`\` + pat[i:i+1])
			}
		case strings.IndexByte("(){}|+?", c) >= 0:
			b.WriteString(`\` + string(c))
		case c == '*' && (i == 0 || i == 1 && pat[0] == '^'):
			b.WriteString(`\*`)
		case c == '[':
			end := strings.IndexByte(pat[min(i+2, len(pat)):], ']')
			if end < 0 {
				p.Unsupported("pattern " + pat)
			}
			stop := i + 2 + end
			b.WriteString(strings.ReplaceAll(pat[i:stop+1], `\`, `\\`))
			i = stop
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// below lists the regular files in the directories.
func (p *Proc) below(roots []string) (out []string) {
	for _, r := range roots {
		i, err := p.Stat(r)
		if err != nil || !i.IsDir() {
			out = append(out, r)
			continue
		}
		infos, _ := p.sys.Tree.ReadDir(p.Cred, p.Abs(r))
		for _, f := range infos {
			switch name := strings.TrimSuffix(r, "/") + "/" + f.Path; {
			case f.IsDir():
				out = append(out, p.below([]string{name})...)
			case f.FileMode.IsRegular():
				out = append(out, name)
			}
		}
	}
	return out
}
