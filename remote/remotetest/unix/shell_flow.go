package unix

import (
	"os"

	"mvdan.cc/sh/v3/syntax"
)

func (s *shell) background(st *syntax.Stmt) {
	fg := *st
	fg.Background = false
	c := s.subshell()
	if null, err := c.p.Open("/dev/null", os.O_RDONLY); err == nil {
		c.p.SetFD(0, FileDesc(null))
	}
	s.bang = c.p.PID
	s.jobs[c.p.PID] = s.p.Launch(c.p, func() int { return c.process(func() { c.final(&fg) }) })
	s.last = 0
}

// process runs f as the whole life of a subshell.
func (s *shell) process(f func()) int {
	return s.p.Program(func(*Proc) int { f(); return s.leave() })
}

// fork runs f in a subshell and waits for it.
func (s *shell) fork(f func(*shell)) int {
	c := s.subshell()
	return s.p.Wait(c.p, s.p.Launch(c.p, func() int { return c.process(func() { f(c) }) }))
}

// final carries out the only statement of a subshell. Its redirections need no undoing, so nothing is
// kept open that the statement has turned away from.
func (s *shell) final(st *syntax.Stmt) {
	for _, rd := range st.Redirs {
		if !s.redirect(rd) {
			if s.flow == onward {
				s.last = 2
			}
			if st.Negated {
				s.last = BoolToInt(s.last == 0)
			}
			return
		}
	}
	rest := *st
	rest.Redirs = nil
	_, s.tail = st.Cmd.(*syntax.CallExpr)
	s.stmt(&rest)
}

// redirected carries out a statement under its redirections.
func (s *shell) redirected(st *syntax.Stmt) {
	if len(st.Redirs) == 0 {
		s.command(st.Cmd)
		return
	}
	before := s.p.FDs
	s.p.FDs = make(map[int]*Desc, len(before))
	for n, d := range before {
		s.p.FDs[n] = d.Dup()
	}
	keep := false
	defer func() {
		drop := before
		if !keep {
			drop, s.p.FDs = s.p.FDs, before
		}
		for _, d := range drop {
			d.Close()
		}
	}()
	for _, rd := range st.Redirs {
		if !s.redirect(rd) {
			if s.flow == onward {
				s.last = 2
				if call, ok := st.Cmd.(*syntax.CallExpr); ok && len(call.Args) > 0 && specialBuiltin(call.Args[0].Lit()) {
					s.flow = exiting
				}
			}
			return
		}
	}
	if call, ok := st.Cmd.(*syntax.CallExpr); ok && len(call.Args) == 1 && call.Args[0].Lit() == "exec" {
		keep = true // the shell's own descriptors from here on
		s.last = 0
		return
	}
	s.command(st.Cmd)
}

func (s *shell) command(cmd syntax.Command) {
	switch c := cmd.(type) {
	case nil:
		s.last = 0
	case *syntax.CallExpr:
		s.call(c)
	case *syntax.Block:
		s.stmts(c.Stmts)
	case *syntax.Subshell:
		s.last = s.fork(func(c2 *shell) { c2.stmts(c.Stmts) })
	case *syntax.BinaryCmd:
		s.binary(c)
	case *syntax.IfClause:
		s.ifClause(c)
	case *syntax.WhileClause:
		s.while(c)
	case *syntax.ForClause:
		s.forClause(c)
	case *syntax.CaseClause:
		s.caseClause(c)
	case *syntax.FuncDecl:
		s.funcs[c.Name.Value] = c.Body
		s.last = 0
	default:
		s.p.sys.Unknown("shell syntax that POSIX does not have")
		s.fail(2, "not simulated: %T", c)
	}
}

func (s *shell) condition(list []*syntax.Stmt) bool {
	s.tested++
	defer func() { s.tested-- }()
	s.stmts(list)
	return s.last == 0
}

func (s *shell) binary(c *syntax.BinaryCmd) {
	switch c.Op {
	case syntax.AndStmt, syntax.OrStmt:
		ok := s.condition([]*syntax.Stmt{c.X})
		if s.flow == onward && ok == (c.Op == syntax.AndStmt) {
			s.stmt(c.Y)
		}
	case syntax.Pipe:
		s.pipeline(c)
	}
}

func (s *shell) pipeline(c *syntax.BinaryCmd) {
	var parts []*syntax.Stmt
	var flat func(st *syntax.Stmt)
	flat = func(st *syntax.Stmt) {
		if b, ok := st.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.Pipe && len(st.Redirs) == 0 {
			flat(b.X)
			flat(b.Y)
			return
		}
		parts = append(parts, st)
	}
	flat(c.X)
	flat(c.Y)
	type started struct {
		p      *Proc
		result <-chan int
	}
	var running []started
	var in *Desc
	for i, part := range parts {
		child := s.subshell()
		if in != nil {
			child.p.SetFD(0, in)
			in = nil
		}
		if i < len(parts)-1 {
			r, w := NewPipe()
			child.p.SetFD(1, w)
			in = r
		}
		running = append(running, started{child.p, s.p.Launch(child.p, func() int {
			return child.process(func() { child.final(part) })
		})})
	}
	for _, r := range running {
		s.last = s.p.Wait(r.p, r.result)
	}
}

func (s *shell) ifClause(c *syntax.IfClause) {
	for c != nil {
		if len(c.Cond) == 0 || s.condition(c.Cond) {
			if s.flow == onward {
				s.stmts(c.Then)
			}
			return
		}
		if s.flow != onward {
			return
		}
		c = c.Else
	}
	s.last = 0
}

// looped runs one body and tells whether the loop goes on.
func (s *shell) looped(body []*syntax.Stmt) bool {
	s.loops++
	defer func() { s.loops-- }()
	s.stmts(body)
	switch s.flow {
	case breaking, continuing:
		goesOn := s.flow == continuing && s.levels == 1
		if s.levels--; s.levels == 0 {
			s.flow = onward
		}
		return goesOn
	default:
		return s.flow == onward
	}
}

func (s *shell) while(c *syntax.WhileClause) {
	result := 0
	for {
		// break and continue in the condition belong to this loop, too.
		s.loops++
		ok := s.condition(c.Cond)
		s.loops--
		if s.flow != onward {
			return
		}
		if ok == c.Until || !s.looped(c.Do) {
			break
		}
		result = s.last
	}
	if s.flow == onward {
		s.last = result
	}
}

func (s *shell) forClause(c *syntax.ForClause) {
	loop, ok := c.Loop.(*syntax.WordIter)
	if !ok || c.Select {
		s.p.sys.Unknown("shell syntax that POSIX does not have")
		s.fail(2, "Syntax error: Bad for loop variable")
		return
	}
	items := s.params
	if loop.InPos.IsValid() {
		if items, ok = s.fields(loop.Items); !ok {
			return
		}
	}
	s.last = 0
	for _, item := range items {
		s.put(loop.Name.Value, item)
		if !s.looped(c.Do) {
			return
		}
	}
}

func (s *shell) caseClause(c *syntax.CaseClause) {
	word, ok := s.literal(c.Word)
	if !ok {
		return
	}
	s.last = 0
	for _, item := range c.Items {
		for _, p := range item.Patterns {
			pat, ok := s.pattern(p)
			if !ok {
				return
			}
			if matches(pat, word) {
				s.stmts(item.Stmts)
				return
			}
		}
	}
}
