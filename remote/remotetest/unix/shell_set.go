package unix

import (
	"io/fs"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func (s *shell) mark(a []string) int {
	for _, arg := range a[1:] {
		name, value, given := strings.Cut(arg, "=")
		if !syntax.ValidName(name) {
			return s.usage(a)
		}
		if given {
			s.put(name, value)
		}
		v := s.vars[name]
		if a[0] == "export" {
			v.Exported = true
		} else {
			v.ReadOnly = true
		}
		s.vars[name] = v
	}
	return 0
}

func (s *shell) local(a []string) int {
	if len(s.saved) == 0 {
		s.fail(2, "local: not in a function")
		return 2
	}
	frame := s.saved[len(s.saved)-1]
	for _, arg := range a[1:] {
		name, value, given := strings.Cut(arg, "=")
		if !syntax.ValidName(name) {
			return s.usage(a)
		}
		if _, ok := frame[name]; !ok {
			frame[name] = s.vars[name]
		}
		if given {
			s.put(name, value)
		}
	}
	return 0
}

func (s *shell) flags() string {
	out := ""
	for _, f := range []struct {
		on   bool
		name string
	}{{s.nounset, "u"}, {!s.clobber, "C"}, {s.trace, "x"}, {s.noglob, "f"}, {s.errexit, "e"}} {
		if f.on {
			out += f.name
		}
	}
	return out
}

func (s *shell) set(args []string) int {
	for i, a := range args {
		if a == "--" {
			s.params = args[i+1:]
			break
		}
		if len(a) < 2 || a[0] != '-' && a[0] != '+' {
			s.params = args[i:]
			break
		}
		for _, c := range a[1:] {
			on := a[0] == '-'
			switch c {
			case 'e':
				s.errexit = on
			case 'u':
				s.nounset = on
			case 'f':
				s.noglob = on
			case 'x':
				s.trace = on
			case 'C':
				s.clobber = !on
			default:
				return s.usage(append([]string{"set"}, args...))
			}
		}
	}
	if len(args) == 0 {
		return s.usage([]string{"set"})
	}
	s.setOptions()
	return 0
}

func (s *shell) shift(a []string) int {
	n := 1
	if len(a) > 1 {
		n, _ = strconv.Atoi(a[1])
	}
	if n < 0 || n > len(s.params) {
		s.fail(2, "shift: can't shift that many")
		return 2
	}
	s.params = s.params[n:]
	return 0
}

func (s *shell) ulimit(a []string) int {
	switch {
	case len(a) == 3 && len(a[1]) == 2 && strings.ContainsAny(a[1][1:], "cnuv"):
		return 0
	case len(a) == 2 && a[1] == "-n":
		s.p.Printf("1024\n")
		return 0
	}
	return s.usage(a)
}

func (s *shell) umask(a []string) int {
	if len(a) == 1 {
		s.p.Printf("%04o\n", s.p.Umask)
		return 0
	}
	n, err := strconv.ParseUint(a[1], 8, 9)
	if err != nil {
		return s.usage(a)
	}
	s.p.Umask = fs.FileMode(n)
	return 0
}

func (s *shell) unset(a []string) int {
	args := a[1:]
	fn := len(args) > 0 && args[0] == "-f"
	if len(args) > 0 && (fn || args[0] == "-v") {
		args = args[1:]
	}
	for _, n := range args {
		switch {
		case fn:
			delete(s.funcs, n)
		case s.vars[n].ReadOnly:
			s.fail(2, "unset: %s: %v", n, errReadonly)
			return 2
		default:
			delete(s.vars, n)
		}
	}
	return 0
}
