package unix

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
)

func statMain(p *Proc) int {
	o := p.Anywhere("", "c:", map[string]string{"format": "c:"})
	format, ok := o.Value["c"]
	if !ok {
		p.Unsupported("stat without -c")
	}
	return p.each(o.Args, "cannot statx '%s'", func(name string) error {
		i, err := p.lstat(name)
		if err != nil {
			return err
		}
		p.Printf("%s\n", p.statFormat(format, name, i))
		return nil
	})
}

func octal(m fs.FileMode) uint64 {
	n := uint64(m.Perm())
	for _, b := range []struct {
		bit  uint64
		mode fs.FileMode
	}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}} {
		if m&b.mode != 0 {
			n |= b.bit
		}
	}
	return n
}

func fileType(i Info) string {
	switch {
	case i.IsDir():
		return "directory"
	case i.FileMode&fs.ModeSymlink != 0:
		return "symbolic link"
	case i.FileMode&fs.ModeCharDevice != 0:
		return "character special file"
	case i.FileMode&fs.ModeSocket != 0:
		return "socket"
	case i.Bytes == 0:
		return "regular empty file"
	}
	return "regular file"
}

func (p *Proc) statFormat(format, name string, i Info) string {
	var b strings.Builder
	for k := 0; k < len(format); k++ {
		if format[k] != '%' || k+1 == len(format) {
			b.WriteByte(format[k])
			continue
		}
		k++
		switch format[k] {
		case 'a':
			fmt.Fprintf(&b, "%o", octal(i.FileMode))
		case 'f':
			kind := map[string]uint64{"directory": 0o040000, "symbolic link": 0o120000, "character special file": 0o020000, "socket": 0o140000}[fileType(i)]
			fmt.Fprintf(&b, "%x", cmp.Or(kind, 0o100000)|octal(i.FileMode))
		case 'u':
			fmt.Fprint(&b, i.UID)
		case 'g':
			fmt.Fprint(&b, i.GID)
		case 'U':
			b.WriteString(p.sys.NameOf("/etc/passwd", i.UID))
		case 'G':
			b.WriteString(p.sys.NameOf("/etc/group", i.GID))
		case 's':
			fmt.Fprint(&b, i.Bytes)
		case 'Y', 'Z', 'X', 'W':
			fmt.Fprint(&b, i.Time.Unix())
		case 'i':
			fmt.Fprint(&b, i.Inode)
		case 'h':
			fmt.Fprint(&b, i.Links)
		case 'd':
			b.WriteString("2049")
		case 'n':
			b.WriteString(name)
		case 'F':
			b.WriteString(fileType(i))
		case 'N':
			b.WriteString("'" + name + "'")
			if i.Target != "" {
				b.WriteString(" -> '" + i.Target + "'")
			}
		case '%':
			b.WriteByte('%')
		default:
			p.Unsupported("stat format %" + format[k:k+1])
		}
	}
	return b.String()
}

func readlinkMain(p *Proc) int {
	o := p.Anywhere("f", "", nil)
	p.operands(o, 1)
	code := 0
	for _, name := range o.Args {
		if o.Has("f") {
			full, err := p.realPath(name)
			if err != nil {
				code = 1
				continue
			}
			p.Printf("%s\n", full)
			continue
		}
		i, err := p.lstat(name)
		if err != nil || i.FileMode&fs.ModeSymlink == 0 {
			code = 1
			continue
		}
		p.Printf("%s\n", i.Target)
	}
	return code
}

// realPath resolves all links; the last component may be missing.
func (p *Proc) realPath(name string) (string, error) {
	cur, rest, links := "/", strings.Split(p.Abs(name), "/"), 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			cur = path.Dir(cur)
			continue
		}
		next := path.Join(cur, part)
		i, err := p.sys.Tree.Stat(p.Cred, next, false)
		switch {
		case err != nil && len(slices.DeleteFunc(slices.Clone(rest), func(s string) bool { return s == "" })) > 0:
			return "", err
		case err == nil && i.FileMode&fs.ModeSymlink != 0:
			if links++; links > maxLinks {
				return "", syscall.ELOOP
			}
			rest = append(strings.Split(i.Target, "/"), rest...)
			if strings.HasPrefix(i.Target, "/") {
				cur = "/"
			}
		default:
			cur = next
		}
	}
	return cur, nil
}

func lsMain(p *Proc) int {
	o := p.Anywhere("dl", "", nil)
	args := o.Args
	if len(args) == 0 {
		args = []string{"."}
	}
	show := func(name string, i Info) {
		if !o.Has("l") {
			p.Printf("%s\n", name)
			return
		}
		user, group := p.sys.NameOf("/etc/passwd", i.UID), p.sys.NameOf("/etc/group", i.GID)
		if i.Target != "" {
			name += " -> " + i.Target
		}
		p.Printf("%s %d %s %s %d %s %s\n", modeText(i.FileMode), i.Links, user, group, i.Bytes, i.Time.UTC().Format("Jan _2 15:04"), name)
	}
	code := 0
	// Files come before directories.
	args = slices.Clone(args)
	slices.SortStableFunc(args, func(a, b string) int {
		isDir := func(n string) int { i, err := p.Stat(n); return BoolToInt(err == nil && i.IsDir()) }
		return isDir(a) - isDir(b)
	})
	for k, name := range args {
		stat := p.Stat
		if o.Has("l", "d") {
			stat = p.lstat
		}
		i, err := stat(name)
		if err != nil {
			p.Errorf("ls: cannot access '%s': %s\n", name, Strerror(err))
			code = 2
			continue
		}
		if !i.IsDir() || o.Has("d") {
			show(name, i)
			continue
		}
		if o.Has("l") {
			p.Unsupported("ls -l of a directory's content")
		}
		infos, err := p.sys.Tree.ReadDir(p.Cred, p.Abs(name))
		if err != nil {
			p.Errorf("ls: cannot open directory '%s': %s\n", name, Strerror(err))
			code = 2
			continue
		}
		if len(args) > 1 {
			if k > 0 {
				p.Printf("\n")
			}
			p.Printf("%s:\n", name)
		}
		for _, c := range infos {
			if !strings.HasPrefix(c.Path, ".") {
				show(c.Path, c)
			}
		}
	}
	return code
}

func syncMain(p *Proc) int {
	o := p.Anywhere("", "", nil)
	return p.each(o.Args, "error opening '%s'", func(name string) error { _, err := p.Stat(name); return err })
}

// modeText is the first column of ls -l.
func modeText(m fs.FileMode) string {
	kind := "-"
	switch {
	case m.IsDir():
		kind = "d"
	case m&fs.ModeSymlink != 0:
		kind = "l"
	case m&fs.ModeCharDevice != 0:
		kind = "c"
	case m&fs.ModeSocket != 0:
		kind = "s"
	}
	text := []byte(kind + m.Perm().String()[1:])
	for _, s := range []struct {
		mode     fs.FileMode
		at       int
		set, not byte
	}{{fs.ModeSetuid, 3, 's', 'S'}, {fs.ModeSetgid, 6, 's', 'S'}, {fs.ModeSticky, 9, 't', 'T'}} {
		if m&s.mode == 0 {
			continue
		}
		if text[s.at] == 'x' {
			text[s.at] = s.set
		} else {
			text[s.at] = s.not
		}
	}
	return string(text)
}
