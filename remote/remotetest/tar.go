package remotetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// tarMain is tar -x, -t and -c with -f, -C, -z, --no-same-owner and the like.
func tarMain(p *proc) int {
	args := p.argv[1:]
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		args[0] = "-" + args[0]
	}
	o := p.parse(args, "xctzpvm", "f:C:", map[string]string{
		"extract": "x", "create": "c", "list": "t", "file": "f:", "directory": "C:", "gzip": "z",
		"no-same-owner": "O", "same-owner": "s", "no-same-permissions": "N", "preserve-permissions": "p", "numeric-owner": "U", "overwrite": "W", "exclude": "E:",
	}, true)
	dir := "."
	if v, ok := o.value["C"]; ok {
		dir = v
		if i, err := p.stat(dir); err != nil || !i.IsDir() {
			p.errorf("tar: %s: Cannot open: No such file or directory\ntar: Error is not recoverable: exiting now\n", dir)
			return 2
		}
	}
	switch {
	case o.has("x"), o.has("t"):
		b, err := p.readAll(o.value["f"])
		if err != nil {
			p.errorf("tar: %s: Cannot open: %s\ntar: Error is not recoverable: exiting now\n", o.value["f"], strerror(err))
			return 2
		}
		if err := p.untar(b, dir, o); err != nil {
			p.errorf("tar: %v\ntar: Error is not recoverable: exiting now\n", err)
			return 2
		}
		return 0
	case o.has("c"):
		return p.tarCreate(dir, o)
	}
	p.unsupported("tar without -x, -t or -c")
	return 2
}

func (p *proc) untar(b []byte, dir string, o parsed) error {
	entries, err := readTar(b)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := dir + "/" + e.Name
		switch {
		case o.has("t"):
			p.printf("%s\n", e.Name)
			continue
		case e.Typeflag == tar.TypeDir:
			err = p.mkdirParents(name, fs.FileMode(e.Mode).Perm())
		case e.Typeflag == tar.TypeSymlink:
			_ = p.host.tree.remove(p.cred, p.abs(name), false, true)
			err = p.host.tree.symlink(p.cred, e.Linkname, p.abs(name))
		case e.Typeflag == tar.TypeReg:
			if err = p.mkdirParents(path.Dir(name), 0o755); err != nil {
				return err
			}
			_ = p.host.tree.remove(p.cred, p.abs(name), false, true)
			perm := fs.FileMode(e.Mode).Perm()
			if p.cred.uid != 0 && !o.has("p") {
				perm &^= p.umask
			}
			var h *handle
			if h, err = p.host.tree.open(p.cred, p.abs(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm); err == nil {
				_, err = h.Write(e.data)
			}
		default:
			err = errors.New("unsupported entry " + e.Name)
		}
		if err == nil && p.cred.uid == 0 && !o.has("O") {
			err = p.host.tree.chown(p.cred, p.abs(name), e.Uid, e.Gid, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type tarEntry struct {
	*tar.Header
	data []byte
}

// readTar reads an archive, gzipped or not.
func readTar(b []byte) ([]tarEntry, error) {
	var r io.Reader = bytes.NewReader(b)
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = z
	}
	var out []tarEntry
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, errors.New("This does not look like a tar archive")
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return nil, errors.New("Unexpected EOF in archive")
		}
		if strings.HasPrefix(h.Name, "/") || strings.Contains("/"+h.Name+"/", "/../") {
			return nil, errors.New(h.Name + ": Member name contains '..', or is absolute")
		}
		out = append(out, tarEntry{h, data})
	}
}

func (p *proc) tarCreate(dir string, o parsed) int {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	var add func(name string) error
	add = func(name string) error {
		i, err := p.lstat(dir + "/" + name)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: name, Mode: int64(octal(i.FileMode)), Uid: i.UID, Gid: i.GID, ModTime: i.Time, Typeflag: tar.TypeReg}
		switch {
		case i.IsDir():
			h.Typeflag, h.Name = tar.TypeDir, strings.TrimSuffix(name, "/")+"/"
		case i.FileMode&fs.ModeSymlink != 0:
			h.Typeflag, h.Linkname = tar.TypeSymlink, i.Target
		case !i.FileMode.IsRegular():
			return nil
		}
		var data []byte
		if h.Typeflag == tar.TypeReg {
			if data, err = p.readAll(dir + "/" + name); err != nil {
				return err
			}
			h.Size = int64(len(data))
		}
		if err := w.WriteHeader(h); err != nil {
			return syscall.EIO
		}
		_, _ = w.Write(data)
		if i.IsDir() {
			infos, err := p.host.tree.readDir(p.cred, p.abs(dir+"/"+name))
			if err != nil {
				return err
			}
			for _, c := range infos {
				if err := add(strings.TrimSuffix(name, "/") + "/" + c.Path); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if o.value["E"] != "" {
		p.unsupported("tar -c --exclude")
	}
	for _, a := range o.args {
		if err := add(a); err != nil {
			p.errorf("tar: %s: Cannot stat: %s\ntar: Exiting with failure status due to previous errors\n", a, strerror(err))
			return 2
		}
	}
	_ = w.Close()
	out := b.Bytes()
	if o.has("z") {
		var z bytes.Buffer
		g := gzip.NewWriter(&z)
		_, _ = g.Write(out)
		_ = g.Close()
		out = z.Bytes()
	}
	if f := o.value["f"]; f != "" && f != "-" {
		h, err := p.open(f, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		if err != nil {
			p.errorf("tar: %s: Cannot open: %s\n", f, strerror(err))
			return 2
		}
		_, _ = h.Write(out)
		return 0
	}
	_, _ = p.stdout().Write(out)
	return 0
}

// gzipMain is gzip [-c] and gzip -d between standard input and output.
func gzipMain(p *proc) int {
	o := p.anywhere("cdn", "", nil)
	if len(o.args) > 0 {
		p.unsupported("gzip of files")
	}
	b, err := io.ReadAll(p.stdin())
	if err != nil {
		p.fatalf(1, "%s", strerror(err))
	}
	if o.has("d") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err == nil {
			b, err = io.ReadAll(z)
		}
		if err != nil {
			p.fatalf(1, "stdin: not in gzip format")
		}
		_, _ = p.stdout().Write(b)
		return 0
	}
	g := gzip.NewWriter(p.stdout())
	_, _ = g.Write(b)
	_ = g.Close()
	return 0
}
