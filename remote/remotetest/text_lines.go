package remotetest

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
)

// trSet expands the argument of tr.
func (p *proc) trSet(text string) []byte {
	var out []byte
	unescape := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\\`, `\`, `\0`, "\x00", `\000`, "\x00")
	for class, chars := range map[string]string{"[:space:]": " \t\n\v\f\r", "[:digit:]": "0-9", "[:upper:]": "A-Z", "[:lower:]": "a-z", "[:alnum:]": "0-9A-Za-z", "[:xdigit:]": "0-9A-Fa-f", "[:blank:]": " \t"} {
		text = strings.ReplaceAll(text, class, chars)
	}
	if strings.Contains(text, "[:") {
		p.unsupported("tr class " + text)
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

func trMain(p *proc) int {
	o := p.options("dscC", "", nil)
	p.operands(o, 1)
	from := p.trSet(o.args[0])
	if o.has("c", "C") {
		var rest []byte
		for c := range 256 {
			if !bytes.Contains(from, []byte{byte(c)}) {
				rest = append(rest, byte(c))
			}
		}
		from = rest
	}
	var to []byte
	if len(o.args) > 1 {
		to = p.trSet(o.args[1])
	}
	if !o.has("d") && len(to) == 0 && !o.has("s") {
		p.fatalf(1, "missing operand after ‘%s’", o.args[0])
	}
	in, err := io.ReadAll(p.stdin())
	if err != nil {
		p.fatalf(1, "read error: %s", strerror(err))
	}
	squeeze := from
	if len(to) > 0 {
		squeeze = to
	}
	var out []byte
	for _, c := range in {
		if i := bytes.IndexByte(from, c); i >= 0 {
			if o.has("d") {
				continue
			}
			if len(to) > 0 {
				c = to[min(i, len(to)-1)]
			}
		}
		if o.has("s") && len(out) > 0 && out[len(out)-1] == c && bytes.IndexByte(squeeze, c) >= 0 {
			continue
		}
		out = append(out, c)
	}
	p.printf("%s", out)
	return 0
}

// cutMain is cut -d C -f LIST, cut -c LIST and cut -b LIST.
func cutMain(p *proc) int {
	o := p.anywhere("s", "d:f:c:b:", map[string]string{"delimiter": "d:", "fields": "f:"})
	delim := "\t"
	if v, ok := o.value["d"]; ok {
		delim = v
	}
	list, fields := o.value["f"], true
	if list == "" {
		list, fields = o.value["c"]+o.value["b"], false
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
	return p.inputs(o.args, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		for l := range strings.Lines(string(b)) {
			l = strings.TrimSuffix(l, "\n")
			if fields && !strings.Contains(l, delim) {
				if !o.has("s") {
					p.printf("%s\n", l)
				}
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
			p.printf("%s\n", strings.Join(out, sep))
		}
		return err
	})
}

func sortMain(p *proc) int {
	o := p.anywhere("zurnc", "t:k:o:", nil)
	if o.value["t"] != "" || o.value["k"] != "" || o.value["o"] != "" || o.has("c") {
		p.unsupported("sort by keys")
	}
	end := "\n"
	if o.has("z") {
		end = "\x00"
	}
	var lines []string
	code := p.inputs(o.args, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if text := strings.TrimSuffix(string(b), end); len(b) > 0 {
			lines = append(lines, strings.Split(text, end)...)
		}
		return err
	})
	number := func(s string) float64 {
		s = strings.TrimLeft(s, " ")
		n := 0
		for n < len(s) && strings.IndexByte("-0123456789.", s[n]) >= 0 {
			n++
		}
		v, _ := strconv.ParseFloat(s[:n], 64)
		return v
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		c := 0
		if o.has("n") {
			switch x, y := number(a), number(b); {
			case x < y:
				c = -1
			case x > y:
				c = 1
			}
		}
		if c == 0 {
			c = strings.Compare(a, b)
		}
		if o.has("r") {
			c = -c
		}
		return c
	})
	if o.has("u") {
		lines = slices.Compact(lines)
	}
	for _, l := range lines {
		p.printf("%s%s", l, end)
	}
	return code
}
