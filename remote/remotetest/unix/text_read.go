package unix

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
func (p *Proc) inputs(args []string, f func(name string, r io.Reader) error) int {
	if len(args) == 0 {
		args = []string{"-"}
	}
	code := 0
	for _, a := range args {
		var r io.Reader = p.Stdin()
		var err error
		if a != "-" {
			var h *Handle
			if h, err = p.Open(a, os.O_RDONLY); err == nil {
				r = h
			}
		}
		if err == nil {
			err = f(a, r)
		}
		if err != nil {
			p.Errorf("%s: %s: %s\n", p.Argv[0], a, Strerror(err))
			code = 1
		}
	}
	return code
}

func catMain(p *Proc) int {
	return p.inputs(p.Anywhere("", "", nil).Args, func(_ string, r io.Reader) error {
		_, err := io.Copy(p.Stdout(), r)
		return err
	})
}

func teeMain(p *Proc) int {
	outs := []io.Writer{p.Stdout()}
	code := p.each(p.Anywhere("", "", nil).Args, "%s", func(name string) error {
		h, err := p.Open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		if err == nil {
			outs = append(outs, h)
		}
		return err
	})
	if _, err := io.Copy(io.MultiWriter(outs...), p.Stdin()); err != nil {
		p.Fatalf(1, "%s", Strerror(err))
	}
	return code
}

// Count reads the argument of head -c, head -n and tail -n, with its sign.
func (p *Proc) Count(text, what string) (n int64, sign byte) {
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
		p.Fatalf(1, "invalid number of %s: ‘%s’", what, text)
	}
	return n * unit, sign
}

func (p *Proc) headTailOptions() Parsed {
	for i, a := range p.Argv {
		if len(a) > 1 && a[0] == '-' && a[1] >= '0' && a[1] <= '9' && !slices.Contains([]string{"-n", "-c"}, p.Argv[i-1]) {
			p.SetArgv(slices.Concat(p.Argv[:i], []string{"-n", a[1:]}, p.Argv[i+1:]))
			break
		}
	}
	return p.Anywhere("", "c:n:", map[string]string{"bytes": "c:", "lines": "n:"})
}

func headMain(p *Proc) int {
	o := p.headTailOptions()
	return p.inputs(o.Args, func(_ string, r io.Reader) error {
		if v, ok := o.Value["c"]; ok {
			n, sign := p.Count(v, "bytes")
			if sign == '-' {
				p.Unsupported("head -c -N")
			}
			_, err := io.CopyN(p.Stdout(), r, n)
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		}
		n, sign := int64(10), byte(0)
		if v, ok := o.Value["n"]; ok {
			n, sign = p.Count(v, "lines")
		}
		if sign == '-' {
			b, err := io.ReadAll(r)
			lines := slices.Collect(strings.Lines(string(b)))
			p.Printf("%s", strings.Join(lines[:max(0, len(lines)-int(n))], ""))
			return err
		}
		br := bufio.NewReader(r)
		for ; n > 0; n-- {
			l, err := br.ReadString('\n')
			p.Printf("%s", l)
			if err != nil {
				break
			}
		}
		return nil
	})
}

func tailMain(p *Proc) int {
	o := p.headTailOptions()
	return p.inputs(o.Args, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if v, ok := o.Value["c"]; ok {
			n, sign := p.Count(v, "bytes")
			if sign == '+' {
				b = b[min(int64(len(b)), max(n-1, 0)):]
			} else {
				b = b[max(0, int64(len(b))-n):]
			}
			p.Printf("%s", b)
			return nil
		}
		n, sign := int64(10), byte(0)
		if v, ok := o.Value["n"]; ok {
			n, sign = p.Count(v, "lines")
		}
		lines := slices.Collect(strings.Lines(string(b)))
		from := max(0, len(lines)-int(n))
		if sign == '+' {
			from = min(len(lines), max(int(n)-1, 0))
		}
		p.Printf("%s", strings.Join(lines[from:], ""))
		return nil
	})
}

func wcMain(p *Proc) int {
	o := p.Anywhere("cl", "", nil)
	return p.inputs(o.Args, func(name string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		var cols []string
		for _, c := range []struct {
			flag string
			n    int
		}{{"l", bytes.Count(b, []byte("\n"))}, {"c", len(b)}} {
			if o.Has(c.flag) {
				cols = append(cols, strconv.Itoa(c.n))
			}
		}
		if len(cols) != 1 {
			p.Unsupported("wc with other than one of -c and -l")
		}
		if name != "-" {
			cols = append(cols, name)
		}
		p.Printf("%s\n", strings.Join(cols, " "))
		return nil
	})
}
