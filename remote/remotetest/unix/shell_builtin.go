package unix

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// specialBuiltin tells which builtins end the shell on an error and keep assignments before them.
func specialBuiltin(name string) bool {
	switch name {
	case ":", ".", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "times", "trap", "unset":
		return true
	}
	return false
}

func builtin(name string) func(*shell, []string) int {
	switch name {
	case ":", "true":
		return func(*shell, []string) int { return 0 }
	case "false":
		return func(*shell, []string) int { return 1 }
	case ".":
		return (*shell).dot
	case "break", "continue":
		return (*shell).jump
	case "cd":
		return (*shell).cd
	case "command":
		return (*shell).commandBuiltin
	case "echo":
		return (*shell).echo
	case "eval":
		return func(s *shell, a []string) int { s.eval(strings.Join(a[1:], " ")); return s.last }
	case "exec":
		return (*shell).execBuiltin
	case "exit", "return":
		return (*shell).exit
	case "export", "readonly":
		return (*shell).mark
	case "hash":
		return func(*shell, []string) int { return 0 }
	case "kill":
		return (*shell).kill
	case "local":
		return (*shell).local
	case "printf":
		return (*shell).printf
	case "pwd":
		return func(s *shell, _ []string) int { s.p.Printf("%s\n", s.p.Dir); return 0 }
	case "read":
		return (*shell).readLine
	case "set":
		return func(s *shell, a []string) int { return s.set(a[1:]) }
	case "shift":
		return (*shell).shift
	case "test", "[":
		return (*shell).test
	case "trap":
		return (*shell).trap
	case "type":
		return func(s *shell, a []string) int { return s.locate(a[1:], "%[1]s is %[2]s\n") }
	case "ulimit":
		return (*shell).ulimit
	case "umask":
		return (*shell).umask
	case "unset":
		return (*shell).unset
	case "wait":
		return (*shell).waitBuiltin
	}
	return nil
}

// usage is for what this shell does not simulate.
func (s *shell) usage(args []string) int {
	s.p.sys.Unknown("sh builtin: " + strings.Join(args, " "))
	s.complain("%s: not simulated", strings.Join(args, " "))
	return 2
}

func (s *shell) dot(a []string) int {
	if len(a) < 2 {
		return s.usage(a)
	}
	text, err := s.p.ReadAll(a[1])
	if err != nil {
		s.fail(2, ".: cannot open %s: No such file", a[1])
		return 2
	}
	s.eval(string(text))
	if s.flow == returning {
		s.flow = onward
	}
	return s.last
}

func (s *shell) jump(a []string) int {
	n := 1
	if len(a) > 1 {
		n, _ = strconv.Atoi(a[1])
	}
	if s.loops == 0 || n < 1 {
		return 0
	}
	s.levels, s.flow = min(n, s.loops), breaking
	if a[0] == "continue" {
		s.flow = continuing
	}
	return 0
}

func (s *shell) cd(a []string) int {
	a = slices.DeleteFunc(slices.Clone(a[1:]), func(x string) bool { return x == "--" || x == "-L" || x == "-P" })
	dir := s.vars["HOME"].Str
	if len(a) > 0 {
		dir = a[0]
	}
	show := dir == "-"
	if show {
		dir = s.vars["OLDPWD"].Str
	}
	i, err := s.p.Stat(dir)
	if err == nil && i.IsDir() {
		err = s.p.sys.Tree.Access(s.p.Cred, s.p.Abs(dir), 1)
	}
	if err != nil || !i.IsDir() {
		s.complain("cd: can't cd to %s", dir)
		return 2
	}
	s.put("OLDPWD", s.p.Dir)
	if !strings.HasPrefix(dir, "/") {
		dir = s.p.Dir + "/" + dir
	}
	s.p.Dir = path.Clean(dir)
	s.put("PWD", s.p.Dir)
	if show {
		s.p.Printf("%s\n", s.p.Dir)
	}
	return 0
}

func (s *shell) commandBuiltin(a []string) int {
	a = a[1:]
	for len(a) > 0 && strings.HasPrefix(a[0], "-") {
		switch a[0] {
		case "-p", "--":
			a = a[1:]
		case "-v":
			return s.locate(a[1:], "%[2]s\n")
		default:
			return s.usage(append([]string{"command"}, a...))
		}
	}
	if len(a) == 0 {
		return 0
	}
	if f := builtin(a[0]); f != nil {
		return f(s, a)
	}
	return s.p.Run(a, func(c *Proc) { c.Env, c.byShell = s.exported(), true })
}

func (s *shell) locate(names []string, format string) int {
	code := 0
	for _, n := range names {
		where := n
		if s.funcs[n] == nil && builtin(n) == nil && !syntax.IsKeyword(n) {
			probe := *s.p
			probe.Env = map[string]string{"PATH": s.vars["PATH"].Str}
			found, errno := probe.LookPath(n)
			if errno != 0 {
				code = 127
				if !strings.HasPrefix(format, "%[2]") {
					s.complain("%s: not found", n)
				}
				continue
			}
			where = found
		}
		s.p.Printf(format, n, where)
	}
	return code
}

func (s *shell) echo(a []string) int {
	a = a[1:]
	newline := "\n"
	if len(a) > 0 && a[0] == "-n" {
		a, newline = a[1:], ""
	}
	text := strings.Join(a, " ")
	if strings.Contains(text, `\`) {
		if out, _, err := expand.Format(s.cfg, "%b", []string{text}); err == nil {
			text = out
		}
	}
	s.p.Printf("%s%s", text, newline)
	return 0
}

func (s *shell) printf(a []string) int {
	if len(a) < 2 {
		return s.usage(a)
	}
	format, rest := a[1], a[2:]
	if format == "--" && len(rest) > 0 {
		format, rest = rest[0], rest[1:]
	}
	var out strings.Builder
	for {
		text, n, err := expand.Format(s.cfg, format, rest)
		if err != nil {
			return s.usage(a)
		}
		out.WriteString(text)
		if rest = rest[n:]; n == 0 || len(rest) == 0 {
			break
		}
	}
	s.p.Printf("%s", out.String())
	return 0
}

func (s *shell) execBuiltin(a []string) int {
	if len(a) == 1 {
		return 0
	}
	code := s.become(a[1:])
	s.flow = exiting
	return code
}

func (s *shell) exit(a []string) int {
	code := s.last
	if len(a) > 1 {
		n, err := strconv.Atoi(a[1])
		if err != nil || n < 0 {
			s.fail(2, "%s: Illegal number: %s", a[0], a[1])
			return 2
		}
		code = n & 255
	}
	s.flow = exiting
	if a[0] == "return" {
		s.flow = returning
	}
	return code
}
