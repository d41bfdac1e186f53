package unix

import (
	"strings"
	"sync"
)

// Sh runs a script as a user, without input, and returns when its shell has ended.
func (s *System) Sh(user, script string) (stdout, stderr string, code int) {
	c, home := s.Account(user)
	p := s.NewProc(c, map[string]string{"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "LC_ALL": "C"}, home)
	var out, errs shared
	in, feed := NewPipe()
	feed.Close()
	p.FDs = map[int]*Desc{0: in, 1: WriterDesc(&out), 2: WriterDesc(&errs)}
	p.SetArgv([]string{"sh", "-c", script})
	code = p.Program(func(p *Proc) int { return RunShell(p, "sh", script) })
	p.End()
	return out.String(), errs.String(), code
}

// shared is a text to which what the script left behind may still write.
type shared struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
