package remotetest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func compile(expr string) (*regexp.Regexp, error) { return regexp.Compile(expr) }

// inputs opens each operand ("-" or none: standard input) and hands it to f.
func (p *proc) inputs(args []string, f func(name string, r io.Reader) error) int {
	if len(args) == 0 {
		args = []string{"-"}
	}
	code := 0
	for _, a := range args {
		var r io.Reader = p.stdin()
		var err error
		if a != "-" {
			var h *handle
			if h, err = p.open(a, os.O_RDONLY); err == nil {
				r = h
			}
		}
		if err == nil {
			err = f(a, r)
		}
		if err != nil {
			p.errorf("%s: %s: %s\n", p.argv[0], a, strerror(err))
			code = 1
		}
	}
	return code
}

func catMain(p *proc) int {
	o := p.anywhere("u", "", nil)
	return p.inputs(o.args, func(_ string, r io.Reader) error {
		_, err := io.Copy(p.stdout(), r)
		return err
	})
}

func teeMain(p *proc) int {
	o := p.anywhere("a", "", nil)
	flag := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if o.has("a") {
		flag = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	outs := []io.Writer{p.stdout()}
	code := p.each(o.args, "%s", func(name string) error {
		h, err := p.open(name, flag)
		if err == nil {
			outs = append(outs, h)
		}
		return err
	})
	if _, err := io.Copy(io.MultiWriter(outs...), p.stdin()); err != nil {
		p.fatalf(1, "%s", strerror(err))
	}
	return code
}

// count reads the argument of head -c, head -n and tail -n, with its sign.
func (p *proc) count(text, what string) (n int64, sign byte) {
	if text != "" && (text[0] == '+' || text[0] == '-') {
		sign, text = text[0], text[1:]
	}
	unit := int64(1)
	if strings.HasSuffix(text, "K") || strings.HasSuffix(text, "k") {
		unit, text = 1024, text[:len(text)-1]
	} else if strings.HasSuffix(text, "M") {
		unit, text = 1<<20, text[:len(text)-1]
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.fatalf(1, "invalid number of %s: ‘%s’", what, text)
	}
	return n * unit, sign
}

func (p *proc) headTailOptions() parsed {
	for i, a := range p.argv {
		if len(a) > 1 && a[0] == '-' && a[1] >= '0' && a[1] <= '9' && !slices.Contains([]string{"-n", "-c"}, p.argv[i-1]) {
			p.setArgv(slices.Concat(p.argv[:i], []string{"-n", a[1:]}, p.argv[i+1:]))
			break
		}
	}
	return p.anywhere("q", "c:n:", map[string]string{"bytes": "c:", "lines": "n:"})
}

func headMain(p *proc) int {
	o := p.headTailOptions()
	return p.inputs(o.args, func(_ string, r io.Reader) error {
		if v, ok := o.value["c"]; ok {
			n, sign := p.count(v, "bytes")
			if sign == '-' {
				p.unsupported("head -c -N")
			}
			_, err := io.CopyN(p.stdout(), r, n)
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		}
		n, sign := int64(10), byte(0)
		if v, ok := o.value["n"]; ok {
			n, sign = p.count(v, "lines")
		}
		if sign == '-' {
			b, err := io.ReadAll(r)
			lines := slices.Collect(strings.Lines(string(b)))
			p.printf("%s", strings.Join(lines[:max(0, len(lines)-int(n))], ""))
			return err
		}
		br := bufio.NewReader(r)
		for ; n > 0; n-- {
			l, err := br.ReadString('\n')
			p.printf("%s", l)
			if err != nil {
				break
			}
		}
		return nil
	})
}

func tailMain(p *proc) int {
	o := p.headTailOptions()
	return p.inputs(o.args, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if v, ok := o.value["c"]; ok {
			n, sign := p.count(v, "bytes")
			if sign == '+' {
				b = b[min(int64(len(b)), max(n-1, 0)):]
			} else {
				b = b[max(0, int64(len(b))-n):]
			}
			p.printf("%s", b)
			return nil
		}
		n, sign := int64(10), byte(0)
		if v, ok := o.value["n"]; ok {
			n, sign = p.count(v, "lines")
		}
		lines := slices.Collect(strings.Lines(string(b)))
		from := max(0, len(lines)-int(n))
		if sign == '+' {
			from = min(len(lines), max(int(n)-1, 0))
		}
		p.printf("%s", strings.Join(lines[from:], ""))
		return nil
	})
}

func wcMain(p *proc) int {
	o := p.anywhere("clwm", "", nil)
	return p.inputs(o.args, func(name string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		var cols []string
		for _, c := range []struct {
			flag string
			n    int
		}{{"l", bytes.Count(b, []byte("\n"))}, {"w", len(bytes.Fields(b))}, {"m", len([]rune(string(b)))}, {"c", len(b)}} {
			if o.has(c.flag) {
				cols = append(cols, strconv.Itoa(c.n))
			}
		}
		if len(cols) != 1 {
			p.unsupported("wc with other than one of -c -l -w")
		}
		if name != "-" {
			cols = append(cols, name)
		}
		p.printf("%s\n", strings.Join(cols, " "))
		return nil
	})
}
