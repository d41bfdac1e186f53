package unix

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// psMain is ps -p PID -o FIELD=... and ps -e -o FIELD=...
func psMain(p *Proc) int {
	o := p.Anywhere("eA", "p:o:", map[string]string{"no-headers": "H", "pid": "p:", "ppid": "P:"})
	fields := o.List["o"]
	if len(fields) == 0 {
		p.Unsupported("ps without -o")
	}
	var cols []string
	for _, f := range fields {
		cols = append(cols, strings.Split(f, ",")...)
	}
	wanted := func(n int) bool { return o.Has("e", "A") }
	if v, ok := o.Value["p"]; ok {
		wanted = func(n int) bool { return slices.Contains(strings.Split(v, ","), strconv.Itoa(n)) }
	}
	found := false
	for _, pr := range p.sys.snapshot() {
		if !wanted(pr.PID) {
			continue
		}
		found = true
		var out []string
		for _, c := range cols {
			switch strings.TrimSuffix(c, "=") {
			case "pid":
				out = append(out, fmt.Sprintf("%7d", pr.PID))
			case "ppid":
				out = append(out, fmt.Sprintf("%7d", pr.PPID))
			case "pgid", "sid":
				out = append(out, fmt.Sprintf("%7d", pr.pgid))
			case "uid":
				out = append(out, fmt.Sprintf("%5d", pr.UID))
			case "comm":
				out = append(out, path.Base(pr.Argv[0]))
			case "args", "cmd":
				out = append(out, strings.Join(pr.Argv, " "))
			case "etimes":
				out = append(out, fmt.Sprintf("%7d", int(p.sys.Now().Sub(pr.start).Seconds())))
			case "lstart":
				out = append(out, pr.start.UTC().Format("Mon Jan _2 15:04:05 2006"))
			default:
				p.Unsupported("ps -o " + c)
			}
		}
		p.Printf("%s\n", strings.Join(out, " "))
	}
	return BoolToInt(!found)
}

// snapshot is the process table with init.
func (s *System) snapshot() []Process {
	out := []Process{{PID: 1, pgid: 1, Argv: []string{"/sbin/init"}}}
	for _, p := range s.Processes() {
		if len(p.Argv) == 0 {
			p.Argv = []string{"sh"}
		}
		out = append(out, p)
	}
	return out
}

func pgrepMain(p *Proc) int {
	o := p.Anywhere("xf", "P:", nil)
	found := false
	for _, pr := range p.sys.snapshot() {
		switch {
		case pr.PID == p.PID:
		case o.Value["P"] != "" && strconv.Itoa(pr.PPID) == o.Value["P"] && len(o.Args) == 0,
			len(o.Args) == 1 && o.Has("x") && path.Base(pr.Argv[0]) == o.Args[0]:
			found = true
			p.Printf("%d\n", pr.PID)
		case len(o.Args) == 1 && !o.Has("x"):
			p.Unsupported("pgrep without -x")
		}
	}
	return BoolToInt(!found)
}
