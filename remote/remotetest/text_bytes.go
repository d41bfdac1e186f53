package remotetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"strings"
)

func sumMain(p *proc) int {
	o := p.anywhere("cbz", "", map[string]string{"check": "c", "status": "S", "quiet": "q", "strict": "T", "binary": "b", "zero": "z"})
	sum := func(r io.Reader) (string, error) {
		h := sha256.New()
		_, err := io.Copy(h, r)
		return hex.EncodeToString(h.Sum(nil)), err
	}
	if o.has("c") {
		return p.checkSums(o, sum)
	}
	return p.inputs(o.args, func(name string, r io.Reader) error {
		s, err := sum(r)
		if err == nil {
			end := "\n"
			if o.has("z") {
				end = "\x00"
			} else if strings.ContainsAny(name, "\\\n\r") {
				s, name = `\`+s, strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
			}
			mark := " "
			if o.has("b") {
				mark = "*"
			}
			p.printf("%s %s%s%s", s, mark, name, end)
		}
		return err
	})
}

func (p *proc) checkSums(o parsed, sum func(io.Reader) (string, error)) int {
	bad := 0
	code := p.inputs(o.args, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		for l := range strings.Lines(string(b)) {
			want, name, ok := strings.Cut(strings.TrimRight(l, "\n"), " ")
			if !ok {
				continue
			}
			name = strings.TrimPrefix(strings.TrimPrefix(name, " "), "*")
			var in io.Reader = p.stdin()
			if name != "-" {
				h, err := p.open(name, os.O_RDONLY)
				if err != nil {
					p.errorf("%s: %s: %s\n", p.argv[0], name, strerror(err))
					bad++
					continue
				}
				in = h
			}
			got, err := sum(in)
			switch {
			case err != nil || got != want:
				bad++
				if !o.has("S") {
					p.printf("%s: FAILED\n", name)
				}
			case !o.has("S", "q"):
				p.printf("%s: OK\n", name)
			}
		}
		return err
	})
	if bad > 0 {
		if !o.has("S") {
			p.errorf("%s: WARNING: %d computed checksum did NOT match\n", p.argv[0], bad)
		}
		return 1
	}
	return code
}

func cmpMain(p *proc) int {
	o := p.anywhere("s", "", map[string]string{"silent": "s", "quiet": "s"})
	p.operands(o, 2)
	var data [2][]byte
	for i := range 2 {
		b, err := p.readAll(o.args[i])
		if err != nil {
			if !o.has("s") {
				p.errorf("cmp: %s: %s\n", o.args[i], strerror(err))
			}
			return 2
		}
		data[i] = b
	}
	a, b := data[0], data[1]
	if bytes.Equal(a, b) {
		return 0
	}
	if o.has("s") {
		return 1
	}
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n == len(a) || n == len(b) {
		short := o.args[0]
		if n == len(b) {
			short = o.args[1]
		}
		if n == 0 {
			p.errorf("cmp: EOF on %s which is empty\n", short)
		} else {
			p.errorf("cmp: EOF on %s after byte %d, in line %d\n", short, n, bytes.Count(a[:n], []byte("\n"))+1)
		}
		return 1
	}
	p.printf("%s %s differ: char %d, line %d\n", o.args[0], o.args[1], n+1, bytes.Count(a[:n], []byte("\n"))+1)
	return 1
}

func odMain(p *proc) int {
	o := p.anywhere("v", "A:t:N:", nil)
	if o.value["A"] != "n" || o.value["t"] != "x1" {
		p.unsupported("od other than -An -tx1")
	}
	return p.inputs(o.args, func(_ string, r io.Reader) error {
		if v, ok := o.value["N"]; ok {
			n, _ := p.count(v, "bytes")
			r = io.LimitReader(r, n)
		}
		b, err := io.ReadAll(r)
		for i := 0; i < len(b); i += 16 {
			p.printf(" % x\n", b[i:min(i+16, len(b))])
		}
		return err
	})
}

func base64Main(p *proc) int {
	o := p.anywhere("di", "w:", map[string]string{"decode": "d", "wrap": "w:"})
	return p.inputs(o.args, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if o.has("d") {
			out, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(string(b)))
			p.printf("%s", out)
			if err != nil {
				p.fatalf(1, "invalid input")
			}
			return nil
		}
		wrap := int64(76)
		if v, ok := o.value["w"]; ok {
			wrap, _ = p.count(v, "columns")
		}
		text := base64.StdEncoding.EncodeToString(b)
		for wrap > 0 && len(text) > 0 {
			n := min(int(wrap), len(text))
			p.printf("%s\n", text[:n])
			text = text[n:]
		}
		p.printf("%s", text)
		return nil
	})
}
