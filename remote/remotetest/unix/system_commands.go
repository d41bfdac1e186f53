package unix

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func dateMain(p *Proc) int {
	o := p.Anywhere("u", "", nil)
	now := p.sys.Now().UTC()
	format := "%a %b %e %H:%M:%S UTC %Y"
	if len(o.Args) > 0 {
		format = strings.TrimPrefix(o.Args[0], "+")
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
			p.Unsupported("date %" + format[i:i+1])
		}
	}
	p.Printf("%s\n", b.String())
	return 0
}

func idMain(p *Proc) int {
	o := p.Anywhere("un", "", nil)
	uid, gid := p.Cred.UID, p.Cred.GID
	if len(o.Args) > 0 {
		n, ok := p.sys.idOf("/etc/passwd", o.Args[0])
		if !ok {
			p.Errorf("id: ‘%s’: no such user\n", o.Args[0])
			return 1
		}
		uid, gid = n, p.sys.Login(o.Args[0]).GID
	}
	user, group := p.sys.NameOf("/etc/passwd", uid), p.sys.NameOf("/etc/group", gid)
	switch {
	case o.Has("u") && o.Has("n"):
		p.Printf("%s\n", user)
	case o.Has("u"):
		p.Printf("%d\n", uid)
	default:
		p.Printf("uid=%d(%s) gid=%d(%s) groups=%d(%s)\n", uid, user, gid, group, gid, group)
	}
	return 0
}

func unameMain(p *Proc) int {
	switch o := p.Anywhere("mns", "", nil); {
	case o.Has("m"):
		p.Printf("%s\n", p.sys.Arch)
	case o.Has("n"):
		p.Printf("%s\n", p.sys.Name)
	default:
		p.Printf("Linux\n")
	}
	return 0
}

func dfMain(p *Proc) int {
	o := p.Anywhere("Pk", "", nil)
	args := o.Args
	if len(args) == 0 {
		args = []string{"/"}
	}
	total, free := p.sys.Blocks()
	blocks, use := "1K-blocks", "Use%"
	if o.Has("P") {
		blocks, use = "1024-blocks", "Capacity"
	}
	code, shown := 0, false
	for _, a := range args {
		if _, err := p.Stat(a); err != nil {
			p.Errorf("df: %s: %s\n", a, Strerror(err))
			code = 1
			continue
		}
		if !shown {
			p.Printf("Filesystem %s Used Available %s Mounted on\n", blocks, use)
			shown = true
		}
		p.Printf("/dev/vda1 %d %d %d %d%% /\n", total>>10, (total-free)>>10, free>>10, (total-free)*100/max(total, 1))
	}
	return code
}

// ssMain is ss -Hltn[p] [sport = :PORT].
func ssMain(p *Proc) int {
	o := p.Options("Hltnp", "", nil)
	if !o.Has("l") || !o.Has("n") || !o.Has("t") {
		p.Unsupported("ss other than -ltn")
	}
	want := -1
	if expr := strings.ReplaceAll(strings.Join(o.Args, " "), "sport = :", ""); len(o.Args) > 0 {
		n, err := strconv.Atoi(strings.TrimSpace(expr))
		if err != nil {
			p.Unsupported("ss filter " + strings.Join(o.Args, " "))
		}
		want = n
	}
	if !o.Has("H") {
		p.Printf("State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n")
	}
	for i, port := range p.sys.listening() {
		if want >= 0 && port.Number != want {
			continue
		}
		owner := ""
		if o.Has("p") && p.Cred.UID == 0 && port.Process != "" {
			owner = fmt.Sprintf(" users:((\"%s\",pid=%d,fd=%d))", port.Process, firstOwner+i, 3+i)
		}
		p.Printf("LISTEN 0      128          0.0.0.0:%-5d      0.0.0.0:*   %s\n", port.Number, owner)
	}
	return 0
}

func getentMain(p *Proc) int {
	o := p.Options("", "", nil)
	if len(o.Args) < 2 {
		p.Unsupported("getent without a key")
	}
	switch o.Args[0] {
	case "passwd", "group":
		rc := 0
		for _, key := range o.Args[1:] {
			found := false
			for _, f := range p.sys.database("/etc/" + o.Args[0]) {
				if len(f) > 2 && (f[0] == key || f[2] == key) {
					p.Printf("%s\n", strings.Join(f, ":"))
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
			if w := strings.Fields(f); len(w) > 1 && slices.Contains(w[1:], o.Args[1]) {
				p.Printf("%s %s\n", w[0], o.Args[1])
				return 0
			}
		}
		return 2
	}
	p.Unsupported("getent " + o.Args[0])
	return 1
}

func (p *Proc) hostsFile() []string {
	b, _ := p.sys.Tree.ReadFile("/etc/hosts") // without it there are no names
	return strings.Split(string(b), "\n")
}
