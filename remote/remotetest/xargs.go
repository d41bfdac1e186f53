package remotetest

import (
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

func dirnameMain(p *proc) int {
	o := p.options("", "", nil)
	p.operands(o, 1)
	for _, a := range o.args {
		p.printf("%s\n", path.Dir(strings.TrimRight(a, "/")+strings.Repeat("/", b2i(strings.Trim(a, "/") == ""))))
	}
	return 0
}

func seqMain(p *proc) int {
	a, b := 1, 0
	var err error
	switch len(p.argv) {
	case 2:
		b, err = strconv.Atoi(p.argv[1])
	case 3:
		if a, err = strconv.Atoi(p.argv[1]); err == nil {
			b, err = strconv.Atoi(p.argv[2])
		}
	default:
		p.unsupported("seq")
	}
	if err != nil {
		p.fatalf(1, "invalid floating point argument")
	}
	for ; a <= b; a++ {
		p.printf("%d\n", a)
	}
	return 0
}

func xargsMain(p *proc) int {
	o := p.options("0rt", "n:I:", map[string]string{"null": "0", "no-run-if-empty": "r", "max-args": "n:"})
	b, err := io.ReadAll(p.stdin())
	if err != nil {
		p.fatalf(1, "%s", strerror(err))
	}
	var items []string
	switch {
	case o.has("0"):
		if text := strings.TrimSuffix(string(b), "\x00"); len(b) > 0 {
			items = strings.Split(text, "\x00")
		}
	case o.value["I"] != "":
		for l := range strings.Lines(string(b)) {
			items = append(items, strings.TrimSpace(l))
		}
	default:
		if strings.ContainsAny(string(b), `'"\`) {
			p.unsupported("xargs with quotes in its input")
		}
		items = strings.Fields(string(b))
	}
	command := o.args
	if len(command) == 0 {
		command = []string{"echo"}
	}
	if len(items) == 0 && o.has("r") {
		return 0
	}
	per := max(len(items), 1)
	if v, ok := o.value["n"]; ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			p.fatalf(1, "invalid number \"%s\" for -n option", v)
		}
		per = n
	}
	code := 0
	run := func(argv []string) bool {
		null, _ := p.open("/dev/null", os.O_RDONLY)
		switch c := p.run(argv, func(c *proc) { c.setFd(0, fileDesc(null)) }); {
		case c == 126 || c == 127:
			code = c
			return false
		case c == 255:
			p.errorf("xargs: %s: exited with status 255; aborting\n", command[0])
			code = 124
			return false
		case c != 0:
			code = 123
		}
		return true
	}
	if mark := o.value["I"]; mark != "" {
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
