package unix

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// mode reads an octal or symbolic mode; old is what symbols start from.
func (p *Proc) mode(text string, old fs.FileMode) fs.FileMode {
	if n, err := strconv.ParseUint(text, 8, 13); err == nil {
		m := fs.FileMode(n & 0o777)
		for _, b := range []struct {
			bit  uint64
			mode fs.FileMode
		}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}} {
			if n&b.bit != 0 {
				m |= b.mode
			}
		}
		return m
	}
	m := old &^ fs.ModeType
	for clause := range strings.SplitSeq(text, ",") {
		i := strings.IndexAny(clause, "+-=")
		if i < 0 {
			p.Fatalf(1, "invalid mode: ‘%s’", text)
		}
		var who, perm fs.FileMode
		for _, c := range clause[:i] {
			who |= map[rune]fs.FileMode{'u': 0o700, 'g': 0o070, 'o': 0o007, 'a': 0o777}[c]
		}
		if i == 0 {
			who = 0o777 &^ p.Umask
		}
		for _, c := range clause[i+1:] {
			switch {
			case strings.ContainsRune("rwx", c):
				perm |= map[rune]fs.FileMode{'r': 0o444, 'w': 0o222, 'x': 0o111}[c]
			default:
				p.Unsupported("mode " + text)
			}
		}
		switch clause[i] {
		case '+':
			m |= perm & who
		case '-':
			m &^= perm & who
		case '=':
			if m = m&^who | perm&who; who == 0o777 {
				m &= fs.ModePerm
			}
		}
	}
	return m
}

func chmodMain(p *Proc) int {
	o := p.Anywhere("", "", nil)
	p.operands(o, 2)
	return p.recurse(o.Args[1:], false, "changing permissions of '%s'", "cannot access '%s'", func(name string) error {
		i, err := p.Stat(name)
		if err != nil {
			return err
		}
		return p.sys.Tree.Chmod(p.Cred, p.Abs(name), p.mode(o.Args[0], i.FileMode))
	})
}

// recurse runs f on operands and, if wanted, on all below them; links are not followed there.
func (p *Proc) recurse(args []string, deep bool, what, missing string, f func(string) error) int {
	code := 0
	var visit func(name string)
	visit = func(name string) {
		i, err := p.lstat(name)
		w := what
		if err != nil {
			w = missing
		} else {
			err = f(name)
		}
		if err != nil {
			p.Errorf("%s: %s: %s\n", p.Argv[0], fmt.Sprintf(w, name), Strerror(err))
			code = 1
			return
		}
		if deep && i.IsDir() {
			infos, _ := p.sys.Tree.ReadDir(p.Cred, p.Abs(name))
			for _, c := range infos {
				if c.FileMode&fs.ModeSymlink == 0 {
					visit(strings.TrimRight(name, "/") + "/" + c.Path)
				}
			}
		}
	}
	for _, a := range args {
		visit(a)
	}
	return code
}

// owner reads USER[:[GROUP]] or :GROUP.
func (p *Proc) owner(text string) (uid, gid int) {
	user, group, both := strings.Cut(text, ":")
	uid, gid = -1, -1
	var ok bool
	if user != "" {
		if uid, ok = p.sys.idOf("/etc/passwd", user); !ok {
			p.Fatalf(1, "invalid user: ‘%s’", text)
		}
	}
	if group != "" {
		if gid, ok = p.sys.idOf("/etc/group", group); !ok {
			p.Fatalf(1, "invalid group: ‘%s’", text)
		}
	} else if both && user != "" {
		gid = p.sys.Login(user).GID
	}
	return uid, gid
}

func chownMain(p *Proc) int {
	o := p.Anywhere("Rh", "", map[string]string{"no-dereference": "h", "recursive": "R"})
	p.operands(o, 2)
	uid, gid := p.owner(o.Args[0])
	return p.recurse(o.Args[1:], o.Has("R"), "changing ownership of '%s'", "cannot access '%s'", func(name string) error {
		return p.sys.Tree.Chown(p.Cred, p.Abs(name), uid, gid, !o.Has("h"))
	})
}
