package unix

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// findMain is find PATH... [-maxdepth N] [[!] -type T | [!] -name PATTERN]...
func findMain(p *Proc) int {
	args := p.Argv[1:]
	var roots []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "!" {
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
	maxDepth, code := 1<<30, 0
	next := func() string {
		if len(args) == 0 {
			p.Fatalf(1, "missing argument")
		}
		a := args[0]
		args = args[1:]
		return a
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
		case "!":
			negate = !negate
		case "-maxdepth":
			n, err := strconv.Atoi(next())
			if err != nil {
				p.Fatalf(1, "Expected a positive decimal integer argument")
			}
			maxDepth = n
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
		default:
			p.Unsupported("find " + a)
		}
	}
	var walk func(e entry)
	walk = func(e entry) {
		if !slices.ContainsFunc(tests, func(t test) bool { return !t(e) }) {
			p.Printf("%s\n", e.name)
		}
		if !e.info.IsDir() || e.depth >= maxDepth {
			return
		}
		infos, err := p.sys.Tree.ReadDir(p.Cred, p.Abs(e.name))
		if err != nil {
			p.Errorf("find: ‘%s’: %s\n", e.name, Strerror(err))
			code = 1
		}
		for _, i := range infos {
			walk(entry{strings.TrimSuffix(e.name, "/") + "/" + i.Path, i, e.depth + 1})
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
