package unix

import (
	"path"
	"strings"
	"syscall"
)

// LookPath finds a program the way execvp(3) does.
func (p *Proc) LookPath(name string) (string, syscall.Errno) {
	try := func(f string) syscall.Errno {
		i, err := p.sys.Tree.Stat(p.Cred, f, true)
		if err != nil {
			return errnoOf(err)
		}
		if i.IsDir() || p.sys.Tree.Access(p.Cred, f, 1) != nil {
			return syscall.EACCES
		}
		return 0
	}
	if strings.Contains(name, "/") {
		return p.Abs(name), try(p.Abs(name))
	}
	result := syscall.ENOENT
	search, ok := p.Env["PATH"]
	if !ok {
		search = "/bin:/usr/bin"
	}
	for dir := range strings.SplitSeq(search, ":") {
		f := path.Join(dir, name)
		switch e := try(f); e {
		case 0:
			return f, 0
		case syscall.EACCES:
			result = e
		}
	}
	return "", result
}

// Abs makes a path absolute and leaves the rest to the walk: "a/link/.." is not "a".
// In a container it is the place where the host keeps the file.
func (p *Proc) Abs(name string) string {
	if name == "" {
		return name
	}
	if !strings.HasPrefix(name, "/") {
		name = strings.TrimSuffix(p.Dir, "/") + "/" + name
	}
	if p.Place != nil {
		return p.Place.Path(name)
	}
	return name
}

// Open opens a file with the rights, directory and umask of the process.
func (p *Proc) Open(name string, flag int) (*Handle, error) {
	return p.sys.Tree.Open(p.Cred, p.Abs(name), flag, 0o666&^p.Umask)
}

// Stat describes a file that the process names.
func (p *Proc) Stat(name string) (Info, error) { return p.sys.Tree.Stat(p.Cred, p.Abs(name), true) }

func (p *Proc) lstat(name string) (Info, error) {
	return p.sys.Tree.Stat(p.Cred, p.Abs(name), false)
}
