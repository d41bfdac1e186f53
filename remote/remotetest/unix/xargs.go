package unix

import (
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

func dirnameMain(p *Proc) int {
	o := p.Options("", "", nil)
	p.operands(o, 1)
	for _, a := range o.Args {
		p.Printf("%s\n", path.Dir(strings.TrimRight(a, "/")+strings.Repeat("/", BoolToInt(strings.Trim(a, "/") == ""))))
	}
	return 0
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

func xargsMain(p *Proc) int {
	o := p.Options("0rt", "n:I:", map[string]string{"null": "0", "no-run-if-empty": "r", "max-args": "n:"})
	b, err := io.ReadAll(p.Stdin())
	if err != nil {
		p.Fatalf(1, "%s", Strerror(err))
	}
	var items []string
	switch {
	case o.Has("0"):
		if text := strings.TrimSuffix(string(b), "\x00"); len(b) > 0 {
			items = strings.Split(text, "\x00")
		}
	case o.Value["I"] != "":
		for l := range strings.Lines(string(b)) {
			items = append(items, strings.TrimSpace(l))
		}
	default:
		if strings.ContainsAny(string(b), `'"\`) {
			p.Unsupported("xargs with quotes in its input")
		}
		items = strings.Fields(string(b))
	}
	command := o.Args
	if len(command) == 0 {
		command = []string{"echo"}
	}
	if len(items) == 0 && o.Has("r") {
		return 0
	}
	per := max(len(items), 1)
	if v, ok := o.Value["n"]; ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			p.Fatalf(1, "invalid number \"%s\" for -n option", v)
		}
		per = n
	}
	code := 0
	run := func(argv []string) bool {
		null, _ := p.Open("/dev/null", os.O_RDONLY)
		switch c := p.Run(argv, func(c *Proc) { c.SetFD(0, FileDesc(null)) }); {
		case c == 126 || c == 127:
			code = c
			return false
		case c == 255:
			p.Errorf("xargs: %s: exited with status 255; aborting\n", command[0])
			code = 124
			return false
		case c != 0:
			code = 123
		}
		return true
	}
	if mark := o.Value["I"]; mark != "" {
		for _, item := range items {
			argv := make([]string, len(command))
			for i, w := range command {
				argv[i] = strings.ReplaceAll(w, mark, item)
			}
			if !run(argv) {
				break
			}
		}
		return code
	}
	for first := true; first || len(items) > 0; first = false {
		n := min(per, len(items))
		if !run(slices.Concat(command, items[:n])) {
			break
		}
		items = items[n:]
	}
	return code
}
