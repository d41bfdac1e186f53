package unix

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

func (s *shell) test(a []string) int {
	args := a[1:]
	if a[0] == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			s.complain("[: missing ]")
			return 2
		}
		args = args[:len(args)-1]
	}
	ok, err := condition{s.p}.eval(args)
	if err != nil {
		s.complain("%s: %v", a[0], err)
		return 2
	}
	return BoolToInt(!ok)
}

// condition evaluates the arguments of test.
type condition struct{ p *Proc }

func (c condition) eval(a []string) (bool, error) {
	switch len(a) {
	case 0:
		return false, nil
	case 1:
		return a[0] != "", nil
	case 2:
		if a[0] == "!" {
			return a[1] == "", nil
		}
		return c.unary(a[0], a[1])
	case 3:
		if ok, known, err := c.binary(a[0], a[1], a[2]); known {
			return ok, err
		}
	}
	if i := slices.Index(a, "-o"); i > 0 {
		return c.join(a[:i], a[i+1:], func(x, y bool) bool { return x || y })
	}
	if i := slices.Index(a, "-a"); i > 0 {
		return c.join(a[:i], a[i+1:], func(x, y bool) bool { return x && y })
	}
	if a[0] == "!" {
		ok, err := c.eval(a[1:])
		return !ok, err
	}
	if a[0] == "(" && a[len(a)-1] == ")" {
		return c.eval(a[1 : len(a)-1])
	}
	return false, fmt.Errorf("%s: unexpected operator", a[min(1, len(a)-1)])
}

func (c condition) join(x, y []string, op func(bool, bool) bool) (bool, error) {
	a, err := c.eval(x)
	if err != nil {
		return false, err
	}
	b, err := c.eval(y)
	return op(a, b), err
}

func (c condition) unary(op, x string) (bool, error) {
	is := func(test func(Info) bool) (bool, error) {
		i, err := c.p.Stat(x)
		return err == nil && test(i), nil
	}
	access := func(want fs.FileMode) (bool, error) {
		return c.p.sys.Tree.Access(c.p.Cred, c.p.Abs(x), want) == nil, nil
	}
	switch op {
	case "-n":
		return x != "", nil
	case "-z":
		return x == "", nil
	case "-e":
		return is(func(Info) bool { return true })
	case "-f":
		return is(func(i Info) bool { return i.FileMode.IsRegular() })
	case "-d":
		return is(func(i Info) bool { return i.IsDir() })
	case "-s":
		return is(func(i Info) bool { return i.Bytes > 0 })
	case "-S":
		return is(func(i Info) bool { return i.FileMode&fs.ModeSocket != 0 })
	case "-c":
		return is(func(i Info) bool { return i.FileMode&fs.ModeCharDevice != 0 })
	case "-b":
		return is(func(i Info) bool { return i.FileMode&fs.ModeDevice != 0 && i.FileMode&fs.ModeCharDevice == 0 })
	case "-p":
		return is(func(i Info) bool { return i.FileMode&fs.ModeNamedPipe != 0 })
	case "-L", "-h":
		i, err := c.p.lstat(x)
		return err == nil && i.FileMode&fs.ModeSymlink != 0, nil
	case "-r":
		return access(4)
	case "-w":
		return access(2)
	case "-x":
		return access(1)
	case "-t":
		n, err := strconv.Atoi(x)
		d := c.p.FDs[n]
		return err == nil && d != nil && d.tty != nil, nil
	}
	return false, fmt.Errorf("%s: unexpected operator", op)
}

func (c condition) binary(x, op, y string) (ok, known bool, err error) {
	switch op {
	case "=":
		return x == y, true, nil
	case "!=":
		return x != y, true, nil
	case "-nt", "-ot":
		a, aerr := c.p.Stat(x)
		b, berr := c.p.Stat(y)
		if op == "-ot" {
			a, b, aerr, berr = b, a, berr, aerr
		}
		return aerr == nil && berr == nil && a.Time.After(b.Time), true, nil
	case "-ef":
		a, aerr := c.p.Stat(x)
		b, berr := c.p.Stat(y)
		return aerr == nil && berr == nil && a.Inode == b.Inode, true, nil
	case "-eq", "-ne", "-lt", "-le", "-gt", "-ge":
		m, err := strconv.ParseInt(strings.TrimSpace(x), 10, 64)
		if err != nil {
			return false, true, fmt.Errorf("Illegal number: %s", x)
		}
		n, err := strconv.ParseInt(strings.TrimSpace(y), 10, 64)
		if err != nil {
			return false, true, fmt.Errorf("Illegal number: %s", y)
		}
		return map[string]bool{"-eq": m == n, "-ne": m != n, "-lt": m < n, "-le": m <= n, "-gt": m > n, "-ge": m >= n}[op], true, nil
	}
	return false, false, nil
}
