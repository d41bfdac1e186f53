package unix

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"time"
)

// lock is a flock(2) lock: it belongs to an open file description and is freed with its last
// descriptor, whoever inherited it.
type lock struct {
	pid  int
	comm string
}

// TryLock takes the lock of a file for a description, or tells that another has it.
func (s *System) TryLock(d *Desc, p *Proc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := d.file.n
	if s.locks[n] != nil {
		return false
	}
	s.locks[n] = &lock{p.PID, path.Base(p.Argv[0])}
	d.OnClose(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.locks, n)
	})
	return true
}

// Holder is the process that has the lock of a file, 0 for none.
func (s *System) Holder(d *Desc) (pid int, comm string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.locks[d.file.n]; l != nil {
		return l.pid, l.comm
	}
	return 0, ""
}

// HoldLock takes the lock of a file for a process that is not one of ours, until release is
// called. The process shows in /proc with that name.
func (s *System) HoldLock(file, process string) (release func(), err error) {
	hd, err := s.Tree.Open(Cred{}, file, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	p := s.NewProc(Cred{}, nil, "/")
	p.SetArgv([]string{process})
	d := FileDesc(hd)
	p.FDs[3] = d
	if !s.TryLock(d, p) {
		p.End()
		return nil, fmt.Errorf("%s is locked already", file)
	}
	return p.End, nil
}

// lockTable is /proc/locks. The tree's lock is held.
func (s *System) lockTable() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for n, l := range s.locks {
		lines = append(lines, fmt.Sprintf("FLOCK  ADVISORY  WRITE %d 08:01:%d 0 EOF", l.pid, n.ino))
	}
	slices.Sort(lines)
	out := ""
	for i, l := range lines {
		out += fmt.Sprintf("%d: %s\n", i+1, l)
	}
	return out
}

// flockMain is flock [-n] [-E CODE] FILE|DESCRIPTOR [COMMAND...].
func flockMain(p *Proc) int {
	o := p.Options("n", "E:", map[string]string{"nonblock": "n", "conflict-exit-code": "E"})
	if len(o.Args) == 0 {
		p.Fatalf(64, "requires file descriptor, file or directory")
	}
	conflict := 1
	if v, ok := o.Value["E"]; ok {
		n, err := strconv.Atoi(v)
		if err != nil {
			p.Fatalf(64, "invalid exit code: '%s'", v)
		}
		conflict = n
	}
	var d *Desc
	if n, err := strconv.Atoi(o.Args[0]); err == nil && len(o.Args) == 1 {
		if d = p.FDs[n]; d == nil || d.file == nil {
			p.Fatalf(66, "%d: Bad file descriptor", n)
		}
	} else {
		h, err := p.Open(o.Args[0], os.O_RDONLY|os.O_CREATE)
		if err != nil {
			p.Fatalf(66, "cannot open lock file %s: %s", o.Args[0], Strerror(err))
		}
		d = FileDesc(h)
		fd := 3
		for p.FDs[fd] != nil {
			fd++
		}
		p.SetFD(fd, d)
	}
	for !p.sys.TryLock(d, p) {
		if o.Has("n") {
			return conflict
		}
		p.Sleep(time.Duration(float64(2*time.Millisecond) * p.sys.Speed))
	}
	if len(o.Args) == 1 {
		return 0
	}
	return p.Run(o.Args[1:], nil)
}
