package unix

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// each runs f on every operand and reports its errors the way coreutils do.
func (p *Proc) each(args []string, what string, f func(name string) error) int {
	code := 0
	for _, a := range args {
		if err := f(a); err != nil {
			p.Errorf("%s: %s: %s\n", p.Argv[0], fmt.Sprintf(what, a), Strerror(err))
			code = 1
		}
	}
	return code
}

func (p *Proc) operands(o Parsed, n int) {
	if len(o.Args) < n {
		p.Errorf("%s: missing operand\nTry '%s --help' for more information.\n", p.Argv[0], p.Argv[0])
		panic(Exited(1))
	}
}

func mkdirMain(p *Proc) int {
	o := p.Anywhere("p", "m:", map[string]string{"parents": "p", "mode": "m:"})
	p.operands(o, 1)
	perm := 0o777 &^ p.Umask
	if m, ok := o.Value["m"]; ok {
		perm = p.mode(m, fs.ModeDir|0o777)
	}
	return p.each(o.Args, "cannot create directory ‘%s’", func(name string) error {
		if !o.Has("p") {
			return p.mkdir(name, perm)
		}
		return p.mkdirParents(name, perm)
	})
}

func (p *Proc) mkdir(name string, perm fs.FileMode) error {
	if err := p.sys.Tree.Mkdir(p.Cred, p.Abs(name), perm.Perm()); err != nil {
		return err
	}
	return p.sys.Tree.Chmod(p.Cred, p.Abs(name), perm)
}

func (p *Proc) mkdirParents(name string, perm fs.FileMode) error {
	if i, err := p.Stat(name); err == nil {
		if i.IsDir() {
			return nil
		}
		return syscall.EEXIST
	}
	if parent := path.Dir(strings.TrimRight(name, "/")); parent != name && parent != "." && parent != "/" {
		// Parents are made with u+wx, whatever -m says.
		if err := p.mkdirParents(parent, 0o777&^p.Umask|0o300); err != nil {
			return err
		}
	}
	err := p.mkdir(name, perm)
	if errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return err
}

func mktempMain(p *Proc) int {
	o := p.Anywhere("d", "", map[string]string{"directory": "d"})
	template := "tmp.XXXXXXXXXX"
	dir := cmp.Or(p.Env["TMPDIR"], "/tmp")
	if len(o.Args) > 0 {
		template, dir = o.Args[0], ""
	}
	full := template
	if dir != "" {
		full = strings.TrimRight(dir, "/") + "/" + template
	}
	end := strings.LastIndexByte(template, 'X') + 1
	n := end - len(strings.TrimRight(template[:end], "X"))
	if n < 3 {
		p.Fatalf(1, "too few X's in template ‘%s’", template)
	}
	for range 100 {
		at := len(full) - len(template) + end
		name := full[:at-n] + randomName(n) + full[at:]
		var err error
		if o.Has("d") {
			err = p.sys.Tree.Mkdir(p.Cred, p.Abs(name), 0o700&^p.Umask)
		} else {
			_, err = p.sys.Tree.Open(p.Cred, p.Abs(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600&^p.Umask)
		}
		switch {
		case err == nil:
			p.Printf("%s\n", name)
			return 0
		case !errors.Is(err, syscall.EEXIST):
			kind := "file"
			if o.Has("d") {
				kind = "directory"
			}
			p.Fatalf(1, "failed to create %s via template ‘%s’: %s", kind, full, Strerror(err))
		}
	}
	return 1
}

func randomName(n int) string { return (rand.Text() + rand.Text())[:min(n, 52)] }

func touchMain(p *Proc) int {
	o := p.Anywhere("c", "", nil)
	p.operands(o, 1)
	return p.each(o.Args, "cannot touch '%s'", func(name string) error {
		if _, err := p.Stat(name); errors.Is(err, syscall.ENOENT) {
			if o.Has("c") {
				return nil
			}
			if _, err := p.Open(name, os.O_WRONLY|os.O_CREATE); err != nil {
				return err
			}
		}
		return p.sys.Tree.touch(p.Cred, p.Abs(name), p.sys.Now())
	})
}
