package unix

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// signals are those that scripts name.
func signals() map[string]syscall.Signal {
	return map[string]syscall.Signal{
		"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "KILL": syscall.SIGKILL,
		"PIPE": syscall.SIGPIPE, "TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1, "CONT": syscall.SIGCONT,
	}
}

func signalName(sig syscall.Signal) string {
	for k, v := range signals() {
		if v == sig {
			return k
		}
	}
	return ""
}

// ParseSignal reads a signal's name or number.
func ParseSignal(name string) (syscall.Signal, bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return syscall.Signal(n), true
	}
	sig, ok := signals()[strings.TrimPrefix(name, "SIG")]
	return sig, ok
}

func (s *shell) kill(a []string) int { return killMain(s.p, a) }

// killMain is kill [-SIGNAL | -s SIGNAL] PID...; a negative PID is a process group.
func killMain(p *Proc, a []string) int {
	sig, args := syscall.SIGTERM, a[1:]
	if len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "--" {
		name := args[0][1:]
		args = args[1:]
		if name == "s" && len(args) > 0 {
			name, args = args[0], args[1:]
		}
		v, ok := ParseSignal(name)
		if !ok {
			p.sys.Unknown(strings.Join(a, " "))
			return 2
		}
		sig = v
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	code := 0
	for _, arg := range args {
		n, err := strconv.Atoi(arg)
		if err != nil {
			p.Errorf("sh: 1: kill: Illegal number: %s\n", arg)
			return 2
		}
		targets, denied := p.sys.Targets(p, n)
		switch {
		case denied:
			p.Errorf("sh: 1: kill: Operation not permitted\n\n")
			code = 1
		case len(targets) == 0:
			p.Errorf("sh: 1: kill: No such process\n\n")
			code = 1
		}
		for _, t := range targets {
			t.Signal(sig)
		}
	}
	if p.ctx.Err() != nil {
		panic(p.cause())
	}
	return code
}

func (s *shell) trap(a []string) int {
	args := a[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	s.p.sys.mu.Lock()
	defer s.p.sys.mu.Unlock()
	if len(args) == 0 {
		return 0
	}
	action := "-"
	if len(args) > 1 {
		action, args = args[0], args[1:]
	}
	for _, name := range args {
		name = strings.TrimPrefix(name, "SIG")
		if name == "0" {
			name = "EXIT"
		}
		sig, ok := ParseSignal(name)
		if ok {
			name = signalName(sig)
		} else if name != "EXIT" {
			return 1
		}
		delete(s.traps, name)
		delete(s.p.ignore, sig)
		switch action {
		case "-":
		case "":
			if ok {
				s.p.ignore[sig] = true
			}
		default:
			s.traps[name] = action
		}
	}
	return 0
}

func (s *shell) waitBuiltin(a []string) int {
	take := func(pid int) int {
		result := s.jobs[pid]
		delete(s.jobs, pid)
		select {
		case code := <-result:
			return code
		case <-s.p.ctx.Done():
			panic(s.p.cause())
		}
	}
	if len(a) == 1 {
		for _, pid := range slices.Sorted(maps.Keys(s.jobs)) {
			take(pid)
		}
		return 0
	}
	code := 0
	for _, arg := range a[1:] {
		pid, err := strconv.Atoi(arg)
		if err != nil || s.jobs[pid] == nil {
			code = 127
			continue
		}
		code = take(pid)
	}
	return code
}
