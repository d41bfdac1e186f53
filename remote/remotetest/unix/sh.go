package unix

// Sh runs a script as a user, without input, and returns when its shell has ended.
func (s *System) Sh(user, script string) (stdout, stderr string, code int) {
	c, home := s.Account(user)
	p := s.NewProc(c, map[string]string{"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "LC_ALL": "C"}, home)
	out, stdoutText := TextDesc()
	errs, stderrText := TextDesc()
	in, feed := NewPipe()
	feed.Close()
	p.FDs = map[int]*Desc{0: in, 1: out, 2: errs}
	p.SetArgv([]string{"sh", "-c", script})
	code = p.Program(func(p *Proc) int { return RunShell(p, "sh", script) })
	p.End()
	return stdoutText(), stderrText(), code
}
