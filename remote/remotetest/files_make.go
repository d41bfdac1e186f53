package remotetest

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// each runs f on every operand and reports its errors the way coreutils do.
func (p *proc) each(args []string, what string, f func(name string) error) int {
	code := 0
	for _, a := range args {
		if err := f(a); err != nil {
			p.errorf("%s: %s: %s\n", p.argv[0], fmt.Sprintf(what, a), strerror(err))
			code = 1
		}
	}
	return code
}

func (p *proc) operands(o parsed, n int) {
	if len(o.args) < n {
		p.errorf("%s: missing operand\nTry '%s --help' for more information.\n", p.argv[0], p.argv[0])
		panic(exited(1))
	}
}

func mkdirMain(p *proc) int {
	o := p.anywhere("pv", "m:", map[string]string{"parents": "p", "mode": "m:"})
	p.operands(o, 1)
	perm := 0o777 &^ p.umask
	if m, ok := o.value["m"]; ok {
		perm = p.mode(m, fs.ModeDir|0o777)
	}
	return p.each(o.args, "cannot create directory ‘%s’", func(name string) error {
		if !o.has("p") {
			return p.mkdir(name, perm)
		}
		return p.mkdirParents(name, perm)
	})
}

func (p *proc) mkdir(name string, perm fs.FileMode) error {
	if err := p.host.tree.mkdir(p.cred, p.abs(name), perm.Perm()); err != nil {
		return err
	}
	return p.host.tree.chmod(p.cred, p.abs(name), perm)
}

func (p *proc) mkdirParents(name string, perm fs.FileMode) error {
	if i, err := p.stat(name); err == nil {
		if i.IsDir() {
			return nil
		}
		return syscall.EEXIST
	}
	if parent := path.Dir(strings.TrimRight(name, "/")); parent != name && parent != "." && parent != "/" {
		// Parents are made with u+wx, whatever -m says.
		if err := p.mkdirParents(parent, 0o777&^p.umask|0o300); err != nil {
			return err
		}
	}
	err := p.mkdir(name, perm)
	if errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return err
}

// installMain is install -d and install of files, with -m, -o and -g.
func installMain(p *proc) int {
	o := p.anywhere("dDT", "m:o:g:", nil)
	perm := fs.FileMode(0o755)
	if m, ok := o.value["m"]; ok {
		perm = p.mode(m, 0)
	}
	uid, gid := p.owner(cmp.Or(o.value["o"], "") + ":" + o.value["g"])
	finish := func(name string) error {
		if err := p.host.tree.chmod(p.cred, p.abs(name), perm); err != nil {
			return err
		}
		if uid != -1 || gid != -1 {
			return p.host.tree.chown(p.cred, p.abs(name), uid, gid, true)
		}
		return nil
	}
	if o.has("d") {
		return p.each(o.args, "cannot create directory '%s'", func(name string) error {
			if err := p.mkdirParents(name, 0o755); err != nil {
				return err
			}
			return finish(name)
		})
	}
	sources, to := p.target(o)
	return p.each(sources, "cannot install '%s'", func(src string) error {
		b, err := p.readAll(src)
		if err != nil {
			return err
		}
		dst := to(src)
		if o.has("D") {
			if err := p.mkdirParents(path.Dir(dst), 0o755); err != nil {
				return err
			}
		}
		_ = p.host.tree.remove(p.cred, p.abs(dst), false, true)
		out, err := p.host.tree.open(p.cred, p.abs(dst), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err == nil {
			_, err = out.Write(b)
		}
		if err != nil {
			return err
		}
		return finish(dst)
	})
}

func mktempMain(p *proc) int {
	o := p.anywhere("dqt", "p:", map[string]string{"directory": "d", "tmpdir": "p:"})
	template := "tmp.XXXXXXXXXX"
	dir := cmp.Or(p.env["TMPDIR"], "/tmp")
	if v, ok := o.value["p"]; ok {
		dir = v
	}
	if len(o.args) > 0 {
		template = o.args[0]
		if _, ok := o.value["p"]; !ok && !o.has("t") {
			dir = ""
		}
	}
	full := template
	if dir != "" {
		full = strings.TrimRight(dir, "/") + "/" + template
	}
	end := strings.LastIndexByte(template, 'X') + 1
	n := end - len(strings.TrimRight(template[:end], "X"))
	if n < 3 {
		p.fatalf(1, "too few X's in template ‘%s’", template)
	}
	for range 100 {
		at := len(full) - len(template) + end
		name := full[:at-n] + randomName(n) + full[at:]
		var err error
		if o.has("d") {
			err = p.host.tree.mkdir(p.cred, p.abs(name), 0o700&^p.umask)
		} else {
			_, err = p.host.tree.open(p.cred, p.abs(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600&^p.umask)
		}
		switch {
		case err == nil:
			p.printf("%s\n", name)
			return 0
		case !errors.Is(err, syscall.EEXIST):
			kind := "file"
			if o.has("d") {
				kind = "directory"
			}
			p.fatalf(1, "failed to create %s via template ‘%s’: %s", kind, full, strerror(err))
		}
	}
	return 1
}

func randomName(n int) string { return (rand.Text() + rand.Text())[:min(n, 52)] }

func touchMain(p *proc) int {
	o := p.anywhere("cam", "d:r:t:", nil)
	p.operands(o, 1)
	when := p.host.now()
	if v, ok := o.value["d"]; ok {
		if secs, ok := strings.CutPrefix(v, "@"); ok {
			n, err := strconv.ParseInt(secs, 10, 64)
			if err != nil {
				p.unsupported("date " + v)
			}
			when = time.Unix(n, 0)
		} else {
			p.unsupported("date " + v)
		}
	}
	if v, ok := o.value["r"]; ok {
		i, err := p.stat(v)
		if err != nil {
			p.fatalf(1, "failed to get attributes of '%s': %s", v, strerror(err))
		}
		when = i.Time
	}
	return p.each(o.args, "cannot touch '%s'", func(name string) error {
		if _, err := p.stat(name); errors.Is(err, syscall.ENOENT) {
			if o.has("c") {
				return nil
			}
			if _, err := p.open(name, os.O_WRONLY|os.O_CREATE); err != nil {
				return err
			}
		}
		return p.host.tree.touch(p.cred, p.abs(name), when)
	})
}
