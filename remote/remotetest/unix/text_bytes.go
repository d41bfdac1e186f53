package unix

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"strings"
)

func sumMain(p *Proc) int {
	o := p.Anywhere("cbz", "", map[string]string{"check": "c", "status": "S", "quiet": "q", "strict": "T", "binary": "b", "zero": "z"})
	sum := func(r io.Reader) (string, error) {
		h := sha256.New()
		_, err := io.Copy(h, r)
		return hex.EncodeToString(h.Sum(nil)), err
	}
	if o.Has("c") {
		return p.checkSums(o, sum)
	}
	return p.inputs(o.Args, func(name string, r io.Reader) error {
		s, err := sum(r)
		if err == nil {
			end := "\n"
			if o.Has("z") {
				end = "\x00"
			} else if strings.ContainsAny(name, "\\\n\r") {
				s, name = `\`+s, strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
			}
			mark := " "
			if o.Has("b") {
				mark = "*"
			}
			p.Printf("%s %s%s%s", s, mark, name, end)
		}
		return err
	})
}

func (p *Proc) checkSums(o Parsed, sum func(io.Reader) (string, error)) int {
	bad := 0
	code := p.inputs(o.Args, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		for l := range strings.Lines(string(b)) {
			want, name, ok := strings.Cut(strings.TrimRight(l, "\n"), " ")
			if !ok {
				continue
			}
			name = strings.TrimPrefix(strings.TrimPrefix(name, " "), "*")
			var in io.Reader = p.Stdin()
			if name != "-" {
				h, err := p.Open(name, os.O_RDONLY)
				if err != nil {
					p.Errorf("%s: %s: %s\n", p.Argv[0], name, Strerror(err))
					bad++
					continue
				}
				in = h
			}
			got, err := sum(in)
			switch {
			case err != nil || got != want:
				bad++
				if !o.Has("S") {
					p.Printf("%s: FAILED\n", name)
				}
			case !o.Has("S", "q"):
				p.Printf("%s: OK\n", name)
			}
		}
		return err
	})
	if bad > 0 {
		if !o.Has("S") {
			p.Errorf("%s: WARNING: %d computed checksum did NOT match\n", p.Argv[0], bad)
		}
		return 1
	}
	return code
}

func cmpMain(p *Proc) int {
	o := p.Anywhere("s", "", map[string]string{"silent": "s", "quiet": "s"})
	p.operands(o, 2)
	var data [2][]byte
	for i := range 2 {
		b, err := p.ReadAll(o.Args[i])
		if err != nil {
			if !o.Has("s") {
				p.Errorf("cmp: %s: %s\n", o.Args[i], Strerror(err))
			}
			return 2
		}
		data[i] = b
	}
	a, b := data[0], data[1]
	if bytes.Equal(a, b) {
		return 0
	}
	if o.Has("s") {
		return 1
	}
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n == len(a) || n == len(b) {
		short := o.Args[0]
		if n == len(b) {
			short = o.Args[1]
		}
		if n == 0 {
			p.Errorf("cmp: EOF on %s which is empty\n", short)
		} else {
			p.Errorf("cmp: EOF on %s after byte %d, in line %d\n", short, n, bytes.Count(a[:n], []byte("\n"))+1)
		}
		return 1
	}
	p.Printf("%s %s differ: char %d, line %d\n", o.Args[0], o.Args[1], n+1, bytes.Count(a[:n], []byte("\n"))+1)
	return 1
}

func base64Main(p *Proc) int {
	o := p.Anywhere("di", "w:", map[string]string{"decode": "d", "wrap": "w:"})
	return p.inputs(o.Args, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if o.Has("d") {
			out, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(string(b)))
			p.Printf("%s", out)
			if err != nil {
				p.Fatalf(1, "invalid input")
			}
			return nil
		}
		wrap := int64(76)
		if v, ok := o.Value["w"]; ok {
			wrap, _ = p.Count(v, "columns")
		}
		text := base64.StdEncoding.EncodeToString(b)
		for wrap > 0 && len(text) > 0 {
			n := min(int(wrap), len(text))
			p.Printf("%s\n", text[:n])
			text = text[n:]
		}
		p.Printf("%s", text)
		return nil
	})
}
