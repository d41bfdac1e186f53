package unix

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"
)

var _ expand.WriteEnviron = shellEnv{}

// shellEnv shows the shell's variables and special parameters to the expansion.
type shellEnv struct{ s *shell }

func str(v string) expand.Variable { return expand.Variable{Set: true, Kind: expand.String, Str: v} }

func (e shellEnv) Get(name string) expand.Variable {
	s := e.s
	switch name {
	case "#":
		return str(strconv.Itoa(len(s.params)))
	case "@", "*":
		list := s.params
		if list == nil {
			list = []string{}
		}
		return expand.Variable{Set: true, Kind: expand.Indexed, List: list}
	case "?":
		return str(strconv.Itoa(s.last))
	case "$":
		return str(strconv.Itoa(s.pid))
	case "PPID":
		return str(strconv.Itoa(s.p.PPID))
	case "!":
		if s.bang == 0 {
			return expand.Variable{}
		}
		return str(strconv.Itoa(s.bang))
	case "-":
		return str(s.flags())
	case "0":
		return str(s.name)
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n >= 1 && n <= len(s.params) {
			return str(s.params[n-1])
		}
		return expand.Variable{}
	}
	return s.vars[name]
}

func (e shellEnv) Set(name string, v expand.Variable) error {
	old := e.s.vars[name]
	if old.ReadOnly {
		return errReadonly
	}
	v.Exported = v.Exported || old.Exported
	e.s.vars[name] = v
	return nil
}

func (e shellEnv) Each(f func(string, expand.Variable) bool) {
	for k, v := range e.s.vars {
		if !f(k, v) {
			return
		}
	}
}

// put sets a variable and keeps its attributes.
func (s *shell) put(name, value string) {
	v := s.vars[name]
	if v.ReadOnly {
		s.fail(2, "%s: %v", name, errReadonly)
		return
	}
	v.Set, v.Kind, v.Str = true, expand.String, value
	s.vars[name] = v
}

func (s *shell) configure() {
	s.cfg = &expand.Config{Env: shellEnv{s}, CmdSubst: s.commandSubst}
	s.setOptions()
}

func (s *shell) setOptions() {
	s.cfg.NoUnset = s.nounset
	s.cfg.ReadDir2 = nil
	if !s.noglob {
		s.cfg.ReadDir2 = func(dir string) ([]fs.DirEntry, error) {
			infos, err := s.p.sys.Tree.ReadDir(s.p.Cred, s.p.Abs(dir))
			entries := make([]fs.DirEntry, len(infos))
			for i, info := range infos {
				entries[i] = fs.FileInfoToDirEntry(info)
			}
			return entries, err
		}
	}
}

// commandSubst is over when nobody holds the pipe any more, as with the real one.
func (s *shell) commandSubst(w io.Writer, cs *syntax.CmdSubst) error {
	var mu sync.Mutex
	closed := make(chan struct{})
	out := newDesc(&Desc{write: func(_ context.Context, b []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return w.Write(b) }})
	out.OnClose(func() { close(closed) })
	tested := s.tested
	s.tested = 0 // a substitution's own failures count, wherever it stands
	c := s.subshell()
	s.tested = tested
	c.p.SetFD(1, out)
	s.subst = s.p.Wait(c.p, s.p.Launch(c.p, func() int { return c.process(func() { c.stmts(cs.Stmts) }) }))
	select {
	case <-closed:
	case <-s.p.ctx.Done():
		panic(s.p.cause())
	}
	return nil
}

// bad reports a failed expansion, which ends the shell.
func (s *shell) bad(err error) bool {
	if err == nil {
		return s.flow == onward || s.flow == returning
	}
	var unset expand.UnsetParameterError
	if errors.As(err, &unset) && unset.Message == "unbound variable" {
		s.fail(2, "%s: parameter not set", unset.Node.Param.Value)
	} else {
		s.fail(2, "%v", err)
	}
	return false
}

func (s *shell) fields(words []*syntax.Word) ([]string, bool) {
	out, err := expand.Fields(s.cfg, words...)
	return out, s.bad(err)
}

func (s *shell) literal(w *syntax.Word) (string, bool) {
	if w == nil {
		return "", true
	}
	out, err := expand.Literal(s.cfg, w)
	return out, s.bad(err)
}

func (s *shell) pattern(w *syntax.Word) (string, bool) {
	out, err := expand.Pattern(s.cfg, w)
	return out, s.bad(err)
}

func matches(pat, word string) bool {
	match, err := Matcher(pat)
	return err == nil && match(word)
}

func (s *shell) assign(list []*syntax.Assign, export bool) bool {
	for _, a := range list {
		if a.Append || a.Array != nil || a.Index != nil {
			s.p.sys.Unknown("shell syntax that POSIX does not have")
			s.fail(2, "not simulated: assignment to %s", a.Name.Value)
			return false
		}
		value, ok := s.literal(a.Value)
		if !ok {
			return false
		}
		s.put(a.Name.Value, value)
		if s.flow != onward {
			return false
		}
		if export {
			v := s.vars[a.Name.Value]
			v.Exported = true
			s.vars[a.Name.Value] = v
		}
	}
	return true
}

// Matcher tells which texts a pattern of the shell matches.
func Matcher(pat string) (func(string) bool, error) {
	expr, err := pattern.Regexp(pat, pattern.EntireString)
	if err != nil {
		return nil, err
	}
	re, err := compile(expr)
	if err != nil {
		return nil, err
	}
	return re.MatchString, nil
}

// redirect applies one redirection to the shell's own descriptors.
func (s *shell) redirect(rd *syntax.Redirect) bool {
	n := 1
	switch rd.Op {
	case syntax.RdrIn, syntax.RdrInOut, syntax.DplIn, syntax.Hdoc, syntax.DashHdoc:
		n = 0
	}
	if rd.N != nil {
		v, err := strconv.Atoi(rd.N.Value)
		if err != nil {
			s.fail(2, "not simulated: redirection of %s", rd.N.Value)
			return false
		}
		n = v
	}
	if rd.Op == syntax.Hdoc || rd.Op == syntax.DashHdoc {
		text, ok := s.hereDoc(rd)
		if !ok {
			return false
		}
		var mu sync.Mutex
		rest := strings.NewReader(text)
		s.p.SetFD(n, newDesc(&Desc{read: func(_ context.Context, b []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return rest.Read(b) }}))
		return true
	}
	word, ok := s.literal(rd.Word)
	if !ok {
		return false
	}
	if rd.Op == syntax.DplIn || rd.Op == syntax.DplOut {
		return s.duplicate(n, word)
	}
	var flag int
	verb := "create"
	switch rd.Op {
	case syntax.RdrIn:
		flag, verb = os.O_RDONLY, "open"
	case syntax.RdrInOut:
		flag, verb = os.O_RDWR|os.O_CREATE, "open"
	case syntax.RdrOut:
		flag = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		if i, err := s.p.Stat(word); !s.clobber && (err != nil || i.FileMode.IsRegular()) {
			flag = os.O_WRONLY | os.O_CREATE | os.O_EXCL
		}
	case syntax.RdrClob:
		flag = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	case syntax.AppOut:
		flag = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	default:
		s.p.sys.Unknown("shell syntax that POSIX does not have")
		s.fail(2, "not simulated: redirection %v", rd.Op)
		return false
	}
	d, err := s.openDesc(word, flag)
	if err != nil {
		text := Strerror(err)
		if errors.Is(err, syscall.ENOENT) {
			text = "No such file"
			if verb == "create" {
				text = "Directory nonexistent"
			}
		}
		s.complain("cannot %s %s: %s", verb, word, text)
		return false
	}
	s.p.SetFD(n, d)
	return true
}

// openDesc knows the names that stand for descriptors of the process itself.
func (s *shell) openDesc(name string, flag int) (*Desc, error) {
	n := -1
	switch name {
	case "/dev/stdin":
		n = 0
	case "/dev/stdout":
		n = 1
	case "/dev/stderr":
		n = 2
	default:
		if rest, ok := strings.CutPrefix(name, "/dev/fd/"); ok {
			if v, err := strconv.Atoi(rest); err == nil {
				n = v
			}
		}
	}
	if n >= 0 {
		if d := s.p.FDs[n]; d != nil {
			return d.Dup(), nil
		}
		return nil, syscall.ENOENT
	}
	h, err := s.p.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return FileDesc(h), nil
}

func (s *shell) duplicate(n int, word string) bool {
	if word == "-" {
		s.p.SetFD(n, nil)
		return true
	}
	from, err := strconv.Atoi(word)
	if err != nil || s.p.FDs[from] == nil {
		s.complain("%s: Bad file descriptor", word)
		return false
	}
	if from != n {
		s.p.SetFD(n, s.p.FDs[from].Dup())
	}
	return true
}

func (s *shell) hereDoc(rd *syntax.Redirect) (string, bool) {
	if rd.Hdoc == nil {
		return "", true
	}
	word := rd.Hdoc
	if rd.Op == syntax.DashHdoc {
		word = untabbed(word)
	}
	for _, part := range rd.Word.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok || strings.Contains(lit.Value, `\`) {
			return word.Lit(), true // a quoted end mark: the text is literal
		}
	}
	out, err := expand.Document(s.cfg, word)
	return out, s.bad(err)
}

// untabbed takes the leading tabs off every line of a here-document.
func untabbed(w *syntax.Word) *syntax.Word {
	out := &syntax.Word{}
	fresh := true
	for _, part := range w.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok {
			out.Parts, fresh = append(out.Parts, part), false
			continue
		}
		lines := strings.SplitAfter(lit.Value, "\n")
		for i, l := range lines {
			if i > 0 || fresh {
				lines[i] = strings.TrimLeft(l, "\t")
			}
		}
		fresh = strings.HasSuffix(lit.Value, "\n")
		out.Parts = append(out.Parts, &syntax.Lit{Value: strings.Join(lines, "")})
	}
	return out
}
