package unix

import (
	"bufio"
	"io"
	"maps"
	"os"
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// shell is /bin/sh: dash's language, on mvdan.cc/sh's parser and expansion. The statements are
// walked here and not by that module's interpreter, because scripts that take locks and survive
// their connection depend on what it has no notion of: processes and signals, descriptors that
// outlive a command, umask, $$, and errexit as POSIX has it.
type shell struct {
	p       *Proc
	cfg     *expand.Config
	vars    map[string]expand.Variable
	funcs   map[string]*syntax.Stmt
	params  []string
	name    string // $0
	pid     int    // $$, which subshells keep
	errexit bool
	nounset bool
	noglob  bool
	clobber bool // set -C when false
	trace   bool
	traps   map[string]string
	pending chan syscall.Signal
	last    int // $?
	subst   int // status of the last command substitution, -1 for none
	bang    int // $!
	jobs    map[int]<-chan int
	tested  int // >0 where a failure is looked at, so errexit is off
	loops   int
	tail    bool                         // the next command is this subshell's last: a program takes its place
	saved   []map[string]expand.Variable // locals of the running functions
	flow    flow
	levels  int // of break and continue
}

// flow is what the statements that follow have to obey.
type flow int

const (
	onward flow = iota
	breaking
	continuing
	returning
	exiting
)

func newShell(p *Proc, name string, params []string) *shell {
	s := &shell{
		p: p, vars: map[string]expand.Variable{}, funcs: map[string]*syntax.Stmt{}, params: params, name: name,
		pid: p.PID, clobber: true, traps: map[string]string{}, jobs: map[int]<-chan int{}, pending: make(chan syscall.Signal, 16),
	}
	for k, v := range p.Env {
		s.vars[k] = expand.Variable{Set: true, Exported: true, Kind: expand.String, Str: v}
	}
	s.put("IFS", " \t\n")
	s.put("PWD", p.Dir)
	s.put("OPTIND", "1")
	s.configure()
	p.setTrap(s.take)
	return s
}

// subshell copies everything into a forked process. Traps are not inherited.
func (s *shell) subshell() *shell {
	c := *s
	c.p = s.p.Fork()
	c.vars, c.funcs = maps.Clone(s.vars), maps.Clone(s.funcs)
	c.traps, c.jobs, c.pending = map[string]string{}, map[int]<-chan int{}, make(chan syscall.Signal, 16)
	c.p.setTrap(c.take)
	c.flow, c.loops, c.saved, c.tail = onward, 0, nil, false
	c.configure()
	return &c
}

// shellMain is the program sh: sh [-eu] [-c TEXT [NAME [ARG...]] | -s [ARG...] | FILE [ARG...]].
func shellMain(p *Proc) int {
	args := p.Argv[1:]
	var flags []string
	text, stdin := false, false
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		a := args[0]
		args = args[1:]
		if a == "--" {
			break
		}
		for _, c := range a[1:] {
			switch c {
			case 'c':
				text = true
			case 's':
				stdin = true
			case 'e', 'u', 'x', 'f':
				flags = append(flags, "-"+string(c))
			case 'l':
			default:
				p.Unsupported("sh option -" + string(c))
			}
		}
	}
	name := p.Argv[0]
	var source io.Reader
	switch {
	case text:
		if len(args) == 0 {
			p.Fatalf(2, "0: -c requires an argument")
		}
		source = strings.NewReader(args[0])
		if args = args[1:]; len(args) > 0 {
			name, args = args[0], args[1:]
		}
	case stdin || len(args) == 0:
		// Like dash, the shell reads ahead: what it has read is lost to the commands it runs.
		source = bufio.NewReaderSize(p.Stdin(), 8192)
	default:
		h, err := p.Open(args[0], os.O_RDONLY)
		if err != nil {
			p.Fatalf(2, "0: cannot open %s: No such file", args[0])
		}
		source, name, args = h, args[0], args[1:]
	}
	s := newShell(p, name, args)
	for _, f := range flags {
		s.set([]string{f})
	}
	return s.main(source)
}

// RunShell runs text in a shell that is this process.
func RunShell(p *Proc, name, text string) int {
	return newShell(p, name, nil).main(strings.NewReader(text))
}

// Session is a shell that runs one text after the other, and returns the status of the last command of each.
func Session(p *Proc) func(text string) int {
	s := newShell(p, "sh", nil)
	return func(text string) int {
		s.eval(text)
		return s.last
	}
}

// RunScript runs a file as a script in this process.
func RunScript(p *Proc, file string, argv []string) int {
	h, err := p.Open(file, os.O_RDONLY)
	if err != nil {
		p.Errorf("%s: %s\n", argv[0], Strerror(err))
		return 126
	}
	text, err := io.ReadAll(h)
	if err != nil || strings.HasPrefix(string(text), binaryMark) {
		p.sys.Unknown("program " + file + " has no simulation")
		p.Errorf("%s: not simulated\n", argv[0])
		return 126
	}
	return newShell(p, file, argv[1:]).main(strings.NewReader(string(text)))
}

// main executes each complete command as soon as it was read, then the EXIT trap.
func (s *shell) main(source io.Reader) int {
	s.read(source)
	return s.leave()
}

func (s *shell) read(source io.Reader) {
	err := parser().Stmts(source, func(st *syntax.Stmt) bool {
		s.prepare(st)
		s.stmt(st)
		return s.flow != exiting
	})
	if err != nil && s.flow != exiting {
		s.fail(2, "%v", err)
	}
}

func (s *shell) leave() int {
	if action, ok := s.traps["EXIT"]; ok {
		s.p.sys.mu.Lock()
		delete(s.traps, "EXIT")
		s.p.sys.mu.Unlock()
		code := s.last
		s.flow = onward
		s.eval(action)
		if s.flow != exiting {
			s.last = code
		}
	}
	return s.last
}

func (s *shell) eval(text string) {
	var stmts []*syntax.Stmt
	if err := parser().Stmts(strings.NewReader(text), func(st *syntax.Stmt) bool { stmts = append(stmts, st); return true }); err != nil {
		s.fail(2, "%v", err)
		return
	}
	if len(stmts) == 0 {
		s.last = 0
	}
	for _, st := range stmts {
		s.prepare(st)
	}
	s.stmts(stmts)
}

// fail is a shell error: a message, and the end of this shell.
func (s *shell) fail(code int, format string, args ...any) {
	s.complain(format, args...)
	s.last, s.flow = code, exiting
}

func (s *shell) complain(format string, args ...any) {
	if d := s.p.FDs[2]; d != nil {
		s.p.Errorf("sh: 1: "+format+"\n", args...)
	}
}

// take queues a signal for which the script has a trap. The table's lock is held.
func (s *shell) take(sig syscall.Signal) bool {
	if _, ok := s.traps[signalName(sig)]; !ok {
		return false
	}
	select {
	case s.pending <- sig:
	default:
	}
	return true
}

func (s *shell) runTraps() {
	select {
	case sig := <-s.pending:
		s.p.sys.mu.Lock()
		action := s.traps[signalName(sig)]
		s.p.sys.mu.Unlock()
		if last := s.last; action != "" {
			s.eval(action)
			if s.flow != exiting {
				s.last = last
			}
		}
	default:
	}
}

func (s *shell) stmts(list []*syntax.Stmt) {
	for _, st := range list {
		if s.flow != onward {
			return
		}
		s.stmt(st)
	}
}

func (s *shell) stmt(st *syntax.Stmt) {
	if s.p.ctx.Err() != nil {
		panic(s.p.cause())
	}
	s.runTraps()
	if s.flow != onward {
		return
	}
	if st.Background {
		s.background(st)
		return
	}
	if st.Negated {
		s.tested++
	}
	s.redirected(st)
	if st.Negated {
		s.tested--
		if s.flow == onward {
			s.last = BoolToInt(s.last == 0)
		}
		return
	}
	switch c := st.Cmd.(type) {
	case *syntax.CallExpr, *syntax.Subshell, nil:
		s.checkError()
	case *syntax.BinaryCmd:
		if c.Op == syntax.Pipe {
			s.checkError()
		}
	}
}

func (s *shell) checkError() {
	if s.errexit && s.tested == 0 && s.last != 0 && s.flow == onward {
		s.flow = exiting
	}
}

// BoolToInt is 1 for true.
func BoolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
