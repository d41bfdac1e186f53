package unix

import (
	"errors"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// call is a simple command: assignments, then a function, a builtin or a program.
func (s *shell) call(c *syntax.CallExpr) {
	s.subst = -1
	args, ok := s.fields(c.Args)
	if !ok {
		return
	}
	if len(args) == 0 {
		if s.assign(c.Assigns, false) {
			s.last = max(s.subst, 0)
		}
		return
	}
	name := args[0]
	if s.trace {
		s.p.Errorf("+ %s\n", strings.Join(args, " "))
	}
	if len(c.Assigns) == 0 {
		s.invoke(name, args)
		return
	}
	if specialBuiltin(name) {
		if s.assign(c.Assigns, name == "exec") {
			s.invoke(name, args)
		}
		return
	}
	before := map[string]expand.Variable{}
	for _, a := range c.Assigns {
		before[a.Name.Value] = s.vars[a.Name.Value]
	}
	if s.assign(c.Assigns, true) {
		s.invoke(name, args)
	}
	for k, v := range before {
		s.restore(k, v)
	}
}

func (s *shell) restore(k string, v expand.Variable) {
	if !v.Declared() {
		delete(s.vars, k)
		return
	}
	s.vars[k] = v
}

func (s *shell) invoke(name string, args []string) {
	tail := s.tail
	s.tail = false
	if !specialBuiltin(name) {
		if body := s.funcs[name]; body != nil {
			s.function(body, args)
			return
		}
	}
	if f := builtin(name); f != nil {
		s.last = f(s, args)
		return
	}
	if tail && len(s.traps) == 0 {
		s.last = s.become(args)
		return
	}
	s.last = s.p.Run(args, func(c *Proc) { c.Env, c.byShell = s.exported(), true })
}

// become runs a program in the shell's own process.
func (s *shell) become(args []string) int {
	s.p.Env, s.p.byShell = s.exported(), true
	s.p.sys.mu.Lock()
	s.traps = map[string]string{}
	s.p.sys.mu.Unlock()
	s.p.setTrap(nil)
	return s.p.Exec(args)
}

func (s *shell) function(body *syntax.Stmt, args []string) {
	params, loops := s.params, s.loops
	s.params, s.loops = args[1:], 0
	s.saved = append(s.saved, map[string]expand.Variable{})
	s.stmt(body)
	for k, v := range s.saved[len(s.saved)-1] {
		s.restore(k, v)
	}
	s.saved = s.saved[:len(s.saved)-1]
	s.params, s.loops = params, loops
	if s.flow == returning {
		s.flow = onward
	}
}

func (s *shell) exported() map[string]string {
	env := map[string]string{}
	for k, v := range s.vars {
		if v.Exported && v.IsSet() {
			env[k] = v.Str
		}
	}
	return env
}

var errReadonly = errors.New("is read only")
