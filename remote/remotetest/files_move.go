package remotetest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

func rmMain(p *proc) int {
	o := p.anywhere("rRfdv", "", map[string]string{"recursive": "r", "force": "f"})
	if len(o.args) == 0 && o.has("f") {
		return 0
	}
	p.operands(o, 1)
	deep := o.has("r", "R")
	code := 0
	fail := func(name string, err error) {
		p.errorf("rm: cannot remove '%s': %s\n", name, strerror(err))
		code = 1
	}
	var remove func(string)
	remove = func(name string) {
		i, err := p.lstat(name)
		switch {
		case err != nil && o.has("f") && (errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR)):
			return
		case err != nil:
			fail(name, err)
			return
		case i.IsDir() && !deep && !o.has("d"):
			p.errorf("rm: cannot remove '%s': Is a directory\n", name)
			code = 1
			return
		case i.IsDir() && deep:
			infos, err := p.host.tree.readDir(p.cred, p.abs(name))
			if err != nil {
				fail(name, err)
				return
			}
			for _, c := range infos {
				remove(strings.TrimRight(name, "/") + "/" + c.Path)
			}
		}
		if err := p.host.tree.remove(p.cred, p.abs(name), true, true); err != nil {
			fail(name, err)
		}
	}
	for _, a := range o.args {
		if b := path.Base(a); b == "." || b == ".." || b == "/" {
			p.errorf("rm: refusing to remove '.' or '..' directory: skipping '%s'\n", a)
			code = 1
			continue
		}
		remove(a)
	}
	return code
}

func rmdirMain(p *proc) int {
	o := p.anywhere("p", "", map[string]string{"ignore-fail-on-non-empty": "i"})
	p.operands(o, 1)
	return p.each(o.args, "failed to remove '%s'", func(name string) error {
		err := p.host.tree.remove(p.cred, p.abs(name), true, false)
		if o.has("i") && errors.Is(err, syscall.ENOTEMPTY) {
			return nil
		}
		return err
	})
}

// target works out where each source of mv, cp and ln goes.
func (p *proc) target(o parsed) (sources []string, to func(string) string) {
	p.operands(o, 1)
	if len(o.args) < 2 {
		p.errorf("%s: missing destination file operand after '%s'\n", p.argv[0], o.args[0])
		panic(exited(1))
	}
	last := o.args[len(o.args)-1]
	sources = o.args[:len(o.args)-1]
	if i, err := p.stat(last); err == nil && i.IsDir() && !o.has("T") {
		return sources, func(src string) string { return strings.TrimRight(last, "/") + "/" + path.Base(src) }
	}
	if len(sources) > 1 {
		p.fatalf(1, "target '%s' is not a directory", last)
	}
	return sources, func(string) string { return last }
}

func mvMain(p *proc) int {
	o := p.anywhere("fTnv", "", map[string]string{"force": "f", "no-target-directory": "T", "no-clobber": "n"})
	sources, to := p.target(o)
	code := 0
	for _, src := range sources {
		dst := to(src)
		i, err := p.lstat(src)
		if err != nil {
			p.errorf("mv: cannot stat '%s': %s\n", src, strerror(err))
			code = 1
			continue
		}
		if d, err := p.lstat(dst); err == nil {
			if o.has("n") {
				continue
			}
			if d.IsDir() && !i.IsDir() {
				p.errorf("mv: cannot overwrite directory '%s' with non-directory '%s'\n", dst, src)
				code = 1
				continue
			}
			if d.Inode == i.Inode {
				p.errorf("mv: '%s' and '%s' are the same file\n", src, dst)
				code = 1
				continue
			}
		}
		if err := p.host.tree.rename(p.cred, p.abs(src), p.abs(dst), false); err != nil {
			p.errorf("mv: cannot move '%s' to '%s': %s\n", src, dst, strerror(err))
			code = 1
		}
	}
	return code
}

func lnMain(p *proc) int {
	o := p.anywhere("sfTn", "", map[string]string{"symbolic": "s", "force": "f"})
	sources, to := p.target(o)
	code := 0
	for _, src := range sources {
		dst := to(src)
		if o.has("f") {
			_ = p.host.tree.remove(p.cred, p.abs(dst), false, true)
		}
		what, err := "symbolic", error(nil)
		if o.has("s") {
			err = p.host.tree.symlink(p.cred, src, p.abs(dst))
		} else {
			what = "hard"
			if i, statErr := p.lstat(src); statErr != nil {
				p.errorf("ln: failed to access '%s': %s\n", src, strerror(statErr))
				code = 1
				continue
			} else if i.IsDir() {
				p.errorf("ln: %s: hard link not allowed for directory\n", src)
				code = 1
				continue
			}
			err = p.host.tree.link(p.cred, p.abs(src), p.abs(dst))
		}
		switch {
		case err != nil && (what == "symbolic" || errors.Is(err, syscall.EEXIST)):
			p.errorf("ln: failed to create %s link '%s': %s\n", what, dst, strerror(err))
			code = 1
		case err != nil:
			p.errorf("ln: failed to create hard link '%s' => '%s': %s\n", dst, src, strerror(err))
			code = 1
		}
	}
	return code
}

func cpMain(p *proc) int {
	o := p.anywhere("afpPrRTdL", "", map[string]string{"archive": "a", "force": "f", "recursive": "r", "no-target-directory": "T"})
	sources, to := p.target(o)
	deep := o.has("a", "r", "R")
	keep := o.has("a", "p")
	code := 0
	fail := func(format string, args ...any) {
		p.errorf("cp: "+format+"\n", args...)
		code = 1
	}
	var copyOne func(src, dst string)
	copyOne = func(src, dst string) {
		stat := p.stat
		if deep && !o.has("L") || o.has("P", "d") {
			stat = p.lstat
		}
		i, err := stat(src)
		if err != nil {
			fail("cannot stat '%s': %s", src, strerror(err))
			return
		}
		switch {
		case i.IsDir() && !deep:
			fail("-r not specified; omitting directory '%s'", src)
			return
		case i.IsDir():
			if err := p.mkdir(dst, i.FileMode.Perm()&^p.umask|0o700); err != nil && !errors.Is(err, syscall.EEXIST) {
				fail("cannot create directory '%s': %s", dst, strerror(err))
				return
			}
			infos, _ := p.host.tree.readDir(p.cred, p.abs(src))
			for _, c := range infos {
				copyOne(src+"/"+c.Path, dst+"/"+c.Path)
			}
			_ = p.host.tree.chmod(p.cred, p.abs(dst), i.FileMode)
		case i.FileMode&fs.ModeSymlink != 0:
			if err := p.host.tree.symlink(p.cred, i.Target, p.abs(dst)); err != nil {
				fail("cannot create symbolic link '%s': %s", dst, strerror(err))
				return
			}
		default:
			if d, err := p.stat(dst); err == nil && d.Inode == i.Inode {
				fail("'%s' and '%s' are the same file", src, dst)
				return
			}
			in, err := p.open(src, os.O_RDONLY)
			if err != nil {
				fail("cannot open '%s' for reading: %s", src, strerror(err))
				return
			}
			out, err := p.host.tree.open(p.cred, p.abs(dst), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, i.FileMode.Perm()&^p.umask)
			if err != nil {
				fail("cannot create regular file '%s': %s", dst, strerror(err))
				return
			}
			if _, err := io.Copy(out, in); err != nil {
				fail("error writing '%s': %s", dst, strerror(err))
				return
			}
		}
		if keep && i.FileMode&fs.ModeSymlink == 0 {
			_ = p.host.tree.chmod(p.cred, p.abs(dst), i.FileMode)
			_ = p.host.tree.chown(p.cred, p.abs(dst), i.UID, i.GID, false)
			_ = p.host.tree.touch(p.cred, p.abs(dst), i.Time)
		}
	}
	for _, src := range sources {
		copyOne(src, to(src))
	}
	return code
}
