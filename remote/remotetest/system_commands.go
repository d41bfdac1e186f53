package remotetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func dateMain(p *proc) int {
	o := p.anywhere("u", "d:", map[string]string{"utc": "u", "date": "d:"})
	now := p.host.now().UTC()
	if v, ok := o.value["d"]; ok {
		secs, err := strconv.ParseInt(strings.TrimPrefix(v, "@"), 10, 64)
		if err != nil || v[0] != '@' {
			p.unsupported("date -d " + v)
		}
		now = time.Unix(secs, 0).UTC()
	}
	format := "%a %b %e %H:%M:%S UTC %Y"
	if len(o.args) > 0 {
		format = strings.TrimPrefix(o.args[0], "+")
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		layout, ok := map[byte]string{
			'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'F': "2006-01-02", 'T': "15:04:05",
			'a': "Mon", 'b': "Jan", 'e': "_2", 'Z': "UTC", 'z': "-0700",
		}[format[i]]
		switch {
		case ok:
			b.WriteString(now.Format(layout))
		case format[i] == 's':
			fmt.Fprint(&b, now.Unix())
		case format[i] == 'N':
			fmt.Fprintf(&b, "%09d", now.Nanosecond())
		case format[i] == '%':
			b.WriteByte('%')
		default:
			p.unsupported("date %" + format[i:i+1])
		}
	}
	p.printf("%s\n", b.String())
	return 0
}

func idMain(p *proc) int {
	o := p.anywhere("ugnGr", "", nil)
	uid, gid := p.cred.uid, p.cred.gid
	if len(o.args) > 0 {
		n, ok := p.host.idOf("/etc/passwd", o.args[0])
		if !ok {
			p.errorf("id: ‘%s’: no such user\n", o.args[0])
			return 1
		}
		uid, gid = n, p.host.login(o.args[0]).gid
	}
	user, group := p.host.nameOf("/etc/passwd", uid), p.host.nameOf("/etc/group", gid)
	switch {
	case o.has("u") && o.has("n"):
		p.printf("%s\n", user)
	case o.has("u"):
		p.printf("%d\n", uid)
	case (o.has("g") || o.has("G")) && o.has("n"):
		p.printf("%s\n", group)
	case o.has("g"), o.has("G"):
		p.printf("%d\n", gid)
	default:
		p.printf("uid=%d(%s) gid=%d(%s) groups=%d(%s)\n", uid, user, gid, group, gid, group)
	}
	return 0
}

func unameMain(p *proc) int {
	o := p.anywhere("amnrsvpio", "", nil)
	if p.argv[0] == "arch" || o.has("m") && len(o.flags) == 1 {
		p.printf("%s\n", p.host.options.Arch)
		return 0
	}
	var out []string
	for _, x := range []struct{ flag, text string }{{"s", "Linux"}, {"n", p.host.name}, {"r", "6.12.48+deb13-amd64"}, {"v", "#1 SMP"}, {"m", p.host.options.Arch}, {"o", "GNU/Linux"}} {
		if o.has(x.flag, "a") {
			out = append(out, x.text)
		}
	}
	if len(out) == 0 {
		out = []string{"Linux"}
	}
	p.printf("%s\n", strings.Join(out, " "))
	return 0
}

func hostnameMain(p *proc) int {
	o := p.anywhere("sfI", "", nil)
	if len(o.args) > 0 || o.has("I") {
		p.unsupported("hostname other than to show it")
	}
	p.printf("%s\n", p.host.name)
	return 0
}

func freeMain(p *proc) int {
	o := p.anywhere("mkb", "", nil)
	unit := p.host.options.MemoryMiB
	if !o.has("m") {
		unit *= 1024
	}
	p.printf("               total        used        free      shared  buff/cache   available\nMem:     %11d %11d %11d           0           0 %11d\nSwap:              0           0           0\n", unit, unit/5, unit*7/10, unit*8/10)
	return 0
}

func dfMain(p *proc) int {
	o := p.anywhere("Pkm", "", map[string]string{"portability": "P"})
	args := o.args
	if len(args) == 0 {
		args = []string{"/"}
	}
	total, free := p.host.blocks()
	unit, blocks, use := int64(1024), "1K-blocks", "Use%"
	if o.has("P") {
		blocks, use = "1024-blocks", "Capacity"
	}
	if o.has("m") {
		unit, blocks = 1<<20, "1M-blocks"
	}
	code, shown := 0, false
	for _, a := range args {
		if _, err := p.stat(a); err != nil {
			p.errorf("df: %s: %s\n", a, strerror(err))
			code = 1
			continue
		}
		if !shown {
			p.printf("Filesystem %s Used Available %s Mounted on\n", blocks, use)
			shown = true
		}
		p.printf("/dev/vda1 %d %d %d %d%% /\n", total/unit, (total-free)/unit, free/unit, (total-free)*100/max(total, 1))
	}
	return code
}

// ssMain is ss -Hltn[p] [sport = :PORT].
func ssMain(p *proc) int {
	o := p.options("Hltnpu46a", "", nil)
	if !o.has("l") || !o.has("n") || !o.has("t") {
		p.unsupported("ss other than -ltn")
	}
	want := -1
	if expr := strings.ReplaceAll(strings.Join(o.args, " "), "sport = :", ""); len(o.args) > 0 {
		n, err := strconv.Atoi(strings.TrimSpace(expr))
		if err != nil {
			p.unsupported("ss filter " + strings.Join(o.args, " "))
		}
		want = n
	}
	if !o.has("H") {
		p.printf("State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n")
	}
	for i, port := range p.host.listening() {
		if want >= 0 && port.Number != want {
			continue
		}
		owner := ""
		if o.has("p") && p.cred.uid == 0 && port.Process != "" {
			owner = fmt.Sprintf(" users:((\"%s\",pid=%d,fd=%d))", port.Process, 399+i, 3+i)
		}
		p.printf("LISTEN 0      128          0.0.0.0:%-5d      0.0.0.0:*   %s\n", port.Number, owner)
	}
	return 0
}

func getentMain(p *proc) int {
	o := p.options("", "", nil)
	if len(o.args) < 2 {
		p.unsupported("getent without a key")
	}
	switch o.args[0] {
	case "passwd", "group":
		rc := 0
		for _, key := range o.args[1:] {
			found := false
			for _, f := range p.host.database("/etc/" + o.args[0]) {
				if len(f) > 2 && (f[0] == key || f[2] == key) {
					p.printf("%s\n", strings.Join(f, ":"))
					found = true
					break
				}
			}
			if !found {
				rc = 2
			}
		}
		return rc
	case "hosts", "ahosts", "ahostsv4":
		for _, f := range p.hostsFile() {
			if w := strings.Fields(f); len(w) > 1 && slices.Contains(w[1:], o.args[1]) {
				p.printf("%s %s\n", w[0], o.args[1])
				return 0
			}
		}
		return 2
	}
	p.unsupported("getent " + o.args[0])
	return 1
}

func (p *proc) hostsFile() []string {
	b, _ := p.host.tree.readFile("/etc/hosts") // without it there are no names
	return strings.Split(string(b), "\n")
}
