package unix

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// findMain is find PATH... [TEST|ACTION...]: tests joined by "and", with ! and -o between groups
// left out.
func findMain(p *Proc) int {
	args := p.Argv[1:]
	var roots []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "!" && args[0] != "(" {
		roots, args = append(roots, args[0]), args[1:]
	}
	if len(roots) == 0 {
		roots = []string{"."}
	}
	type entry struct {
		name  string
		info  Info
		depth int
	}
	type test func(entry) bool
	var tests []test
	minDepth, maxDepth, depthFirst, acts := 0, 1<<30, false, false
	code := 0
	next := func() string {
		if len(args) == 0 {
			p.Fatalf(1, "missing argument")
		}
		a := args[0]
		args = args[1:]
		return a
	}
	number := func() int {
		n, err := strconv.Atoi(next())
		if err != nil {
			p.Fatalf(1, "Expected a positive decimal integer argument")
		}
		return n
	}
	negate := false
	add := func(t test) {
		if negate {
			inner := t
			t = func(e entry) bool { return !inner(e) }
			negate = false
		}
		tests = append(tests, t)
	}
	for len(args) > 0 {
		switch a := next(); a {
		case "!", "-not":
			negate = !negate
		case "-a":
		case "-mindepth":
			minDepth = number()
		case "-maxdepth":
			maxDepth = number()
		case "-depth":
			depthFirst = true
		case "-xdev":
		case "-type":
			kind := next()
			add(func(e entry) bool {
				switch kind {
				case "f":
					return e.info.FileMode.IsRegular()
				case "d":
					return e.info.IsDir()
				case "l":
					return e.info.FileMode&fs.ModeSymlink != 0
				}
				return false
			})
		case "-name":
			pat := next()
			m, err := Matcher(pat)
			if err != nil {
				p.Unsupported("pattern " + pat)
			}
			add(func(e entry) bool { return m(path.Base(e.name)) })
		case "-newer":
			i, err := p.Stat(next())
			if err != nil {
				p.Fatalf(1, "%s", Strerror(err))
			}
			add(func(e entry) bool { return e.info.Time.After(i.Time) })
		case "-mmin":
			v := next()
			n, err := strconv.Atoi(strings.TrimLeft(v, "+-"))
			if err != nil {
				p.Unsupported("-mmin " + v)
			}
			add(func(e entry) bool {
				age := int(p.sys.Now().Sub(e.info.Time).Minutes())
				switch v[0] {
				case '+':
					return age > n
				case '-':
					return age < n
				}
				return age == n
			})
		case "-user", "-uid":
			uid, ok := p.sys.idOf("/etc/passwd", next())
			add(func(e entry) bool { return ok && e.info.UID == uid })
		case "-empty":
			add(func(e entry) bool {
				if e.info.IsDir() {
					infos, _ := p.sys.Tree.ReadDir(p.Cred, p.Abs(e.name))
					return len(infos) == 0
				}
				return e.info.FileMode.IsRegular() && e.info.Bytes == 0
			})
		case "-print":
			acts = true
			add(func(e entry) bool { p.Printf("%s\n", e.name); return true })
		case "-print0":
			acts = true
			add(func(e entry) bool { p.Printf("%s\x00", e.name); return true })
		case "-printf":
			acts = true
			format := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\0`, "\x00").Replace(next())
			add(func(e entry) bool { p.Printf("%s", p.findFormat(format, e.name, roots[0], e.info)); return true })
		case "-delete":
			acts, depthFirst = true, true
			add(func(e entry) bool {
				if err := p.sys.Tree.Remove(p.Cred, p.Abs(e.name), true, true); err != nil {
					p.Errorf("find: cannot delete ‘%s’: %s\n", e.name, Strerror(err))
					code = 1
				}
				return true
			})
		case "-exec":
			acts = true
			var words []string
			for {
				w := next()
				if w == ";" {
					break
				}
				if w == "+" {
					p.Unsupported("-exec +")
				}
				words = append(words, w)
			}
			add(func(e entry) bool {
				argv := make([]string, len(words))
				for i, w := range words {
					argv[i] = strings.ReplaceAll(w, "{}", e.name)
				}
				return p.Run(argv, nil) == 0
			})
		default:
			p.Unsupported("find " + a)
		}
	}
	visit := func(e entry) {
		if e.depth < minDepth {
			return
		}
		for _, t := range tests {
			if !t(e) {
				return
			}
		}
		if !acts {
			p.Printf("%s\n", e.name)
		}
	}
	var walk func(e entry)
	walk = func(e entry) {
		if !depthFirst {
			visit(e)
		}
		if e.info.IsDir() && e.depth < maxDepth {
			infos, err := p.sys.Tree.ReadDir(p.Cred, p.Abs(e.name))
			if err != nil {
				p.Errorf("find: ‘%s’: %s\n", e.name, Strerror(err))
				code = 1
			}
			for _, i := range infos {
				walk(entry{strings.TrimSuffix(e.name, "/") + "/" + i.Path, i, e.depth + 1})
			}
		}
		if depthFirst {
			visit(e)
		}
	}
	for _, root := range roots {
		i, err := p.lstat(root)
		if err != nil {
			p.Errorf("find: ‘%s’: %s\n", root, Strerror(err))
			code = 1
			continue
		}
		walk(entry{root, i, 0})
	}
	return code
}

func (p *Proc) findFormat(format, name, root string, i Info) string {
	var b strings.Builder
	for k := 0; k < len(format); k++ {
		if format[k] != '%' || k+1 == len(format) {
			b.WriteByte(format[k])
			continue
		}
		k++
		switch format[k] {
		case 'p':
			b.WriteString(name)
		case 'P':
			b.WriteString(strings.TrimPrefix(strings.TrimPrefix(name, root), "/"))
		case 'f':
			b.WriteString(path.Base(name))
		case 's':
			b.WriteString(strconv.FormatInt(i.Bytes, 10))
		case 'm':
			b.WriteString(strconv.FormatUint(octal(i.FileMode), 8))
		case 'U':
			b.WriteString(strconv.Itoa(i.UID))
		case 'G':
			b.WriteString(strconv.Itoa(i.GID))
		case 'y':
			b.WriteString(map[string]string{"directory": "d", "symbolic link": "l"}[fileType(i)])
			if i.FileMode.IsRegular() {
				b.WriteByte('f')
			}
		case '%':
			b.WriteByte('%')
		default:
			p.Unsupported("find -printf %" + format[k:k+1])
		}
	}
	return b.String()
}
