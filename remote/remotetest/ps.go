package remotetest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// psMain is ps -p PID -o FIELD=... and ps -e -o FIELD=...
func psMain(p *proc) int {
	o := p.anywhere("eA", "p:o:", map[string]string{"no-headers": "H", "pid": "p:", "ppid": "P:"})
	fields := o.list["o"]
	if len(fields) == 0 {
		p.unsupported("ps without -o")
	}
	var cols []string
	for _, f := range fields {
		cols = append(cols, strings.Split(f, ",")...)
	}
	wanted := func(n int) bool { return o.has("e", "A") }
	if v, ok := o.value["p"]; ok {
		wanted = func(n int) bool { return slices.Contains(strings.Split(v, ","), strconv.Itoa(n)) }
	}
	found := false
	for _, pr := range p.host.snapshot() {
		if !wanted(pr.pid) {
			continue
		}
		found = true
		var out []string
		for _, c := range cols {
			switch strings.TrimSuffix(c, "=") {
			case "pid":
				out = append(out, fmt.Sprintf("%7d", pr.pid))
			case "ppid":
				out = append(out, fmt.Sprintf("%7d", pr.ppid))
			case "pgid", "sid":
				out = append(out, fmt.Sprintf("%7d", pr.pgid))
			case "uid":
				out = append(out, fmt.Sprintf("%5d", pr.uid))
			case "comm":
				out = append(out, path.Base(pr.argv[0]))
			case "args", "cmd":
				out = append(out, strings.Join(pr.argv, " "))
			case "etimes":
				out = append(out, fmt.Sprintf("%7d", int(p.host.now().Sub(pr.start).Seconds())))
			case "lstart":
				out = append(out, pr.start.UTC().Format("Mon Jan _2 15:04:05 2006"))
			default:
				p.unsupported("ps -o " + c)
			}
		}
		p.printf("%s\n", strings.Join(out, " "))
	}
	return b2i(!found)
}

type process struct {
	pid, ppid, pgid, uid int
	argv                 []string
	start                time.Time
}

// snapshot is the process table in order.
func (h *Host) snapshot() []process {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []process{{1, 0, 1, 0, []string{"/sbin/init"}, time.Time{}}}
	for _, pid := range slices.Sorted(maps.Keys(h.procs)) {
		p := h.procs[pid]
		argv := p.argv
		if len(argv) == 0 {
			argv = []string{"sh"}
		}
		out = append(out, process{p.pid, p.ppid, p.pgid, p.cred.uid, argv, p.start})
	}
	return out
}

func pgrepMain(p *proc) int {
	o := p.anywhere("xf", "P:", nil)
	found := false
	for _, pr := range p.host.snapshot() {
		switch {
		case pr.pid == p.pid:
		case o.value["P"] != "" && strconv.Itoa(pr.ppid) == o.value["P"] && len(o.args) == 0,
			len(o.args) == 1 && o.has("x") && path.Base(pr.argv[0]) == o.args[0]:
			found = true
			p.printf("%d\n", pr.pid)
		case len(o.args) == 1 && !o.has("x"):
			p.unsupported("pgrep without -x")
		}
	}
	return b2i(!found)
}
