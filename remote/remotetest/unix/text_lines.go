package unix

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
)

// trSet expands the argument of tr.
func (p *Proc) trSet(text string) []byte {
	var out []byte
	unescape := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\\`, `\`, `\0`, "\x00", `\000`, "\x00")
	for class, chars := range map[string]string{"[:space:]": " \t\n\v\f\r", "[:digit:]": "0-9", "[:upper:]": "A-Z", "[:lower:]": "a-z", "[:alnum:]": "0-9A-Za-z", "[:xdigit:]": "0-9A-Fa-f", "[:blank:]": " \t"} {
		text = strings.ReplaceAll(text, class, chars)
	}
	if strings.Contains(text, "[:") {
		p.Unsupported("tr class " + text)
	}
	b := []byte(unescape.Replace(text))
	for i := 0; i < len(b); i++ {
		if i+2 < len(b) && b[i+1] == '-' && b[i] <= b[i+2] {
			for c := int(b[i]); c <= int(b[i+2]); c++ {
				out = append(out, byte(c))
			}
			i += 2
			continue
		}
		out = append(out, b[i])
	}
	return out
}

func trMain(p *Proc) int {
	o := p.Options("ds", "", nil)
	p.operands(o, 1)
	from := p.trSet(o.Args[0])
	var to []byte
	if len(o.Args) > 1 {
		to = p.trSet(o.Args[1])
	}
	if !o.Has("d") && len(to) == 0 && !o.Has("s") {
		p.Fatalf(1, "missing operand after ‘%s’", o.Args[0])
	}
	in, err := io.ReadAll(p.Stdin())
	if err != nil {
		p.Fatalf(1, "read error: %s", Strerror(err))
	}
	squeeze := from
	if len(to) > 0 {
		squeeze = to
	}
	var out []byte
	for _, c := range in {
		if i := bytes.IndexByte(from, c); i >= 0 {
			if o.Has("d") {
				continue
			}
			if len(to) > 0 {
				c = to[min(i, len(to)-1)]
			}
		}
		if o.Has("s") && len(out) > 0 && out[len(out)-1] == c && bytes.IndexByte(squeeze, c) >= 0 {
			continue
		}
		out = append(out, c)
	}
	p.Printf("%s", out)
	return 0
}

// cutMain is cut -d C -f LIST and cut -c LIST.
func cutMain(p *Proc) int {
	o := p.Anywhere("", "d:f:c:", map[string]string{"delimiter": "d:", "fields": "f:"})
	delim := "\t"
	if v, ok := o.Value["d"]; ok {
		delim = v
	}
	list, fields := o.Value["f"], true
	if list == "" {
		list, fields = o.Value["c"], false
	}
	wanted := func(n int) bool {
		for part := range strings.SplitSeq(list, ",") {
			lo, hi, isRange := strings.Cut(part, "-")
			a, _ := strconv.Atoi(lo)
			b, _ := strconv.Atoi(hi)
			switch {
			case !isRange && n == a, isRange && n >= max(a, 1) && (hi == "" || n <= b):
				return true
			}
		}
		return false
	}
	return p.inputs(o.Args, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		for l := range strings.Lines(string(b)) {
			l = strings.TrimSuffix(l, "\n")
			if fields && !strings.Contains(l, delim) {
				p.Printf("%s\n", l)
				continue
			}
			sep, parts := "", strings.Split(l, "")
			if fields {
				sep, parts = delim, strings.Split(l, delim)
			}
			var out []string
			for i, x := range parts {
				if wanted(i + 1) {
					out = append(out, x)
				}
			}
			p.Printf("%s\n", strings.Join(out, sep))
		}
		return err
	})
}

func sortMain(p *Proc) int {
	o := p.Anywhere("u", "", nil)
	var lines []string
	code := p.inputs(o.Args, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if text := strings.TrimSuffix(string(b), "\n"); len(b) > 0 {
			lines = append(lines, strings.Split(text, "\n")...)
		}
		return err
	})
	slices.Sort(lines)
	if o.Has("u") {
		lines = slices.Compact(lines)
	}
	for _, l := range lines {
		p.Printf("%s\n", l)
	}
	return code
}

func seqMain(p *Proc) int {
	a, b := 1, 0
	var err error
	switch len(p.Argv) {
	case 2:
		b, err = strconv.Atoi(p.Argv[1])
	case 3:
		if a, err = strconv.Atoi(p.Argv[1]); err == nil {
			b, err = strconv.Atoi(p.Argv[2])
		}
	default:
		p.Unsupported("seq")
	}
	if err != nil {
		p.Fatalf(1, "invalid floating point argument")
	}
	for ; a <= b; a++ {
		p.Printf("%d\n", a)
	}
	return 0
}
