package unix

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strings"
)

func sumMain(p *Proc) int {
	return p.inputs(p.Anywhere("", "", nil).Args, func(name string, r io.Reader) error {
		h := sha256.New()
		_, err := io.Copy(h, r)
		if err == nil {
			mark := ""
			if strings.ContainsAny(name, "\\\n\r") {
				mark, name = `\`, strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
			}
			p.Printf("%s%x  %s\n", mark, h.Sum(nil), name)
		}
		return err
	})
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
	o := p.Anywhere("", "w:", map[string]string{"wrap": "w:"})
	return p.inputs(o.Args, func(_ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
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
