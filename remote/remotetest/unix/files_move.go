package unix

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

func rmMain(p *Proc) int {
	o := p.Anywhere("rf", "", map[string]string{"recursive": "r", "force": "f"})
	if len(o.Args) == 0 && o.Has("f") {
		return 0
	}
	p.operands(o, 1)
	deep := o.Has("r")
	code := 0
	fail := func(name string, err error) {
		p.Errorf("rm: cannot remove '%s': %s\n", name, Strerror(err))
		code = 1
	}
	var remove func(string)
	remove = func(name string) {
		i, err := p.lstat(name)
		switch {
		case err != nil && o.Has("f") && (errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR)):
			return
		case err != nil:
			fail(name, err)
			return
		case i.IsDir() && !deep:
			p.Errorf("rm: cannot remove '%s': Is a directory\n", name)
			code = 1
			return
		case i.IsDir():
			infos, err := p.sys.Tree.ReadDir(p.Cred, p.Abs(name))
			if err != nil {
				fail(name, err)
				return
			}
			for _, c := range infos {
				remove(strings.TrimRight(name, "/") + "/" + c.Path)
			}
		}
		if err := p.sys.Tree.Remove(p.Cred, p.Abs(name), true, true); err != nil {
			fail(name, err)
		}
	}
	for _, a := range o.Args {
		if b := path.Base(a); b == "." || b == ".." || b == "/" {
			p.Errorf("rm: refusing to remove '.' or '..' directory: skipping '%s'\n", a)
			code = 1
			continue
		}
		remove(a)
	}
	return code
}

func rmdirMain(p *Proc) int {
	o := p.Anywhere("", "", nil)
	p.operands(o, 1)
	return p.each(o.Args, "failed to remove '%s'", func(name string) error {
		return p.sys.Tree.Remove(p.Cred, p.Abs(name), true, false)
	})
}

// target works out where each source of mv, cp and ln goes.
func (p *Proc) target(o Parsed) (sources []string, to func(string) string) {
	p.operands(o, 1)
	if len(o.Args) < 2 {
		p.Errorf("%s: missing destination file operand after '%s'\n", p.Argv[0], o.Args[0])
		panic(Exited(1))
	}
	last := o.Args[len(o.Args)-1]
	sources = o.Args[:len(o.Args)-1]
	if i, err := p.Stat(last); err == nil && i.IsDir() {
		return sources, func(src string) string { return strings.TrimRight(last, "/") + "/" + path.Base(src) }
	}
	if len(sources) > 1 {
		p.Fatalf(1, "target '%s' is not a directory", last)
	}
	return sources, func(string) string { return last }
}

func mvMain(p *Proc) int {
	o := p.Anywhere("f", "", map[string]string{"force": "f"})
	sources, to := p.target(o)
	code := 0
	for _, src := range sources {
		dst := to(src)
		i, err := p.lstat(src)
		if err != nil {
			p.Errorf("mv: cannot stat '%s': %s\n", src, Strerror(err))
			code = 1
			continue
		}
		if d, err := p.lstat(dst); err == nil {
			if d.IsDir() && !i.IsDir() {
				p.Errorf("mv: cannot overwrite directory '%s' with non-directory '%s'\n", dst, src)
				code = 1
				continue
			}
			if d.Inode == i.Inode {
				p.Errorf("mv: '%s' and '%s' are the same file\n", src, dst)
				code = 1
				continue
			}
		}
		if err := p.sys.Tree.Rename(p.Cred, p.Abs(src), p.Abs(dst), false); err != nil {
			p.Errorf("mv: cannot move '%s' to '%s': %s\n", src, dst, Strerror(err))
			code = 1
		}
	}
	return code
}

func lnMain(p *Proc) int {
	o := p.Anywhere("sf", "", map[string]string{"symbolic": "s", "force": "f"})
	sources, to := p.target(o)
	code := 0
	for _, src := range sources {
		dst := to(src)
		if o.Has("f") {
			_ = p.sys.Tree.Remove(p.Cred, p.Abs(dst), false, true)
		}
		what, err := "symbolic", error(nil)
		if o.Has("s") {
			err = p.sys.Tree.Symlink(p.Cred, src, p.Abs(dst))
		} else {
			what = "hard"
			if i, statErr := p.lstat(src); statErr != nil {
				p.Errorf("ln: failed to access '%s': %s\n", src, Strerror(statErr))
				code = 1
				continue
			} else if i.IsDir() {
				p.Errorf("ln: %s: hard link not allowed for directory\n", src)
				code = 1
				continue
			}
			err = p.sys.Tree.Link(p.Cred, p.Abs(src), p.Abs(dst))
		}
		switch {
		case err != nil && (what == "symbolic" || errors.Is(err, syscall.EEXIST)):
			p.Errorf("ln: failed to create %s link '%s': %s\n", what, dst, Strerror(err))
			code = 1
		case err != nil:
			p.Errorf("ln: failed to create hard link '%s' => '%s': %s\n", dst, src, Strerror(err))
			code = 1
		}
	}
	return code
}

func cpMain(p *Proc) int {
	o := p.Anywhere("pr", "", map[string]string{"recursive": "r"})
	sources, to := p.target(o)
	deep, keep := o.Has("r"), o.Has("p")
	code := 0
	fail := func(format string, args ...any) {
		p.Errorf("cp: "+format+"\n", args...)
		code = 1
	}
	var copyOne func(src, dst string)
	copyOne = func(src, dst string) {
		stat := p.Stat
		if deep {
			stat = p.lstat
		}
		i, err := stat(src)
		if err != nil {
			fail("cannot stat '%s': %s", src, Strerror(err))
			return
		}
		switch {
		case i.IsDir() && !deep:
			fail("-r not specified; omitting directory '%s'", src)
			return
		case i.IsDir():
			if err := p.mkdir(dst, i.FileMode.Perm()&^p.Umask|0o700); err != nil && !errors.Is(err, syscall.EEXIST) {
				fail("cannot create directory '%s': %s", dst, Strerror(err))
				return
			}
			infos, _ := p.sys.Tree.ReadDir(p.Cred, p.Abs(src))
			for _, c := range infos {
				copyOne(src+"/"+c.Path, dst+"/"+c.Path)
			}
			_ = p.sys.Tree.Chmod(p.Cred, p.Abs(dst), i.FileMode)
		case i.FileMode&fs.ModeSymlink != 0:
			if err := p.sys.Tree.Symlink(p.Cred, i.Target, p.Abs(dst)); err != nil {
				fail("cannot create symbolic link '%s': %s", dst, Strerror(err))
				return
			}
		default:
			if d, err := p.Stat(dst); err == nil && d.Inode == i.Inode {
				fail("'%s' and '%s' are the same file", src, dst)
				return
			}
			in, err := p.Open(src, os.O_RDONLY)
			if err != nil {
				fail("cannot open '%s' for reading: %s", src, Strerror(err))
				return
			}
			out, err := p.sys.Tree.Open(p.Cred, p.Abs(dst), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, i.FileMode.Perm()&^p.Umask)
			if err != nil {
				fail("cannot create regular file '%s': %s", dst, Strerror(err))
				return
			}
			if _, err := io.Copy(out, in); err != nil {
				fail("error writing '%s': %s", dst, Strerror(err))
				return
			}
		}
		if keep && i.FileMode&fs.ModeSymlink == 0 {
			_ = p.sys.Tree.Chmod(p.Cred, p.Abs(dst), i.FileMode)
			_ = p.sys.Tree.Chown(p.Cred, p.Abs(dst), i.UID, i.GID, false)
			_ = p.sys.Tree.touch(p.Cred, p.Abs(dst), i.Time)
		}
	}
	for _, src := range sources {
		copyOne(src, to(src))
	}
	return code
}
