package unix

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
func tarMain(p *Proc) int {
	args := p.Argv[1:]
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		args[0] = "-" + args[0]
	}
	o := p.Parse(args, "xctzpvm", "f:C:", map[string]string{
		"extract": "x", "create": "c", "list": "t", "file": "f:", "directory": "C:", "gzip": "z",
		"no-same-owner": "O", "same-owner": "s", "no-same-permissions": "N", "preserve-permissions": "p", "numeric-owner": "U", "overwrite": "W", "exclude": "E:",
	}, true)
	dir := "."
	if v, ok := o.Value["C"]; ok {
		dir = v
		if i, err := p.Stat(dir); err != nil || !i.IsDir() {
			p.Errorf("tar: %s: Cannot open: No such file or directory\ntar: Error is not recoverable: exiting now\n", dir)
			return 2
		}
	}
	switch {
	case o.Has("x"), o.Has("t"):
		b, err := p.ReadAll(o.Value["f"])
		if err != nil {
			p.Errorf("tar: %s: Cannot open: %s\ntar: Error is not recoverable: exiting now\n", o.Value["f"], Strerror(err))
			return 2
		}
		if err := p.untar(b, dir, o); err != nil {
			p.Errorf("tar: %v\ntar: Error is not recoverable: exiting now\n", err)
			return 2
		}
		return 0
	case o.Has("c"):
		return p.tarCreate(dir, o)
	}
	p.Unsupported("tar without -x, -t or -c")
	return 2
}

func (p *Proc) untar(b []byte, dir string, o Parsed) error {
	entries, err := ReadTar(b)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := dir + "/" + e.Name
		switch {
		case o.Has("t"):
			p.Printf("%s\n", e.Name)
			continue
		case e.Typeflag == tar.TypeDir:
			err = p.mkdirParents(name, fs.FileMode(e.Mode).Perm())
		case e.Typeflag == tar.TypeSymlink:
			_ = p.sys.Tree.Remove(p.Cred, p.Abs(name), false, true)
			err = p.sys.Tree.Symlink(p.Cred, e.Linkname, p.Abs(name))
		case e.Typeflag == tar.TypeReg:
			if err = p.mkdirParents(path.Dir(name), 0o755); err != nil {
				return err
			}
			_ = p.sys.Tree.Remove(p.Cred, p.Abs(name), false, true)
			perm := fs.FileMode(e.Mode).Perm()
			if p.Cred.UID != 0 && !o.Has("p") {
				perm &^= p.Umask
			}
			var h *Handle
			if h, err = p.sys.Tree.Open(p.Cred, p.Abs(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm); err == nil {
				_, err = h.Write(e.Data)
			}
		default:
			err = errors.New("unsupported entry " + e.Name)
		}
		if err == nil && p.Cred.UID == 0 && !o.Has("O") {
			err = p.sys.Tree.Chown(p.Cred, p.Abs(name), e.Uid, e.Gid, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TarEntry is one file of an archive.
type TarEntry struct {
	*tar.Header
	Data []byte
}

// ReadTar reads an archive, gzipped or not.
func ReadTar(b []byte) ([]TarEntry, error) {
	var r io.Reader = bytes.NewReader(b)
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = z
	}
	var out []TarEntry
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
		out = append(out, TarEntry{h, data})
	}
}

func (p *Proc) tarCreate(dir string, o Parsed) int {
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
			if data, err = p.ReadAll(dir + "/" + name); err != nil {
				return err
			}
			h.Size = int64(len(data))
		}
		if err := w.WriteHeader(h); err != nil {
			return syscall.EIO
		}
		_, _ = w.Write(data)
		if i.IsDir() {
			infos, err := p.sys.Tree.ReadDir(p.Cred, p.Abs(dir+"/"+name))
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
	if o.Value["E"] != "" {
		p.Unsupported("tar -c --exclude")
	}
	for _, a := range o.Args {
		if err := add(a); err != nil {
			p.Errorf("tar: %s: Cannot stat: %s\ntar: Exiting with failure status due to previous errors\n", a, Strerror(err))
			return 2
		}
	}
	_ = w.Close()
	out := b.Bytes()
	if o.Has("z") {
		var z bytes.Buffer
		g := gzip.NewWriter(&z)
		_, _ = g.Write(out)
		_ = g.Close()
		out = z.Bytes()
	}
	if f := o.Value["f"]; f != "" && f != "-" {
		h, err := p.Open(f, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		if err != nil {
			p.Errorf("tar: %s: Cannot open: %s\n", f, Strerror(err))
			return 2
		}
		_, _ = h.Write(out)
		return 0
	}
	_, _ = p.Stdout().Write(out)
	return 0
}

// gzipMain is gzip [-c] and gzip -d between standard input and output.
func gzipMain(p *Proc) int {
	o := p.Anywhere("cdn", "", nil)
	if len(o.Args) > 0 {
		p.Unsupported("gzip of files")
	}
	b, err := io.ReadAll(p.Stdin())
	if err != nil {
		p.Fatalf(1, "%s", Strerror(err))
	}
	if o.Has("d") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err == nil {
			b, err = io.ReadAll(z)
		}
		if err != nil {
			p.Fatalf(1, "stdin: not in gzip format")
		}
		_, _ = p.Stdout().Write(b)
		return 0
	}
	g := gzip.NewWriter(p.Stdout())
	_, _ = g.Write(b)
	_ = g.Close()
	return 0
}
