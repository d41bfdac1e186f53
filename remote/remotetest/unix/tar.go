package unix

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// tarMain is tar -cf FILE -C DIR NAME...
func tarMain(p *Proc) int {
	o := p.Anywhere("c", "f:C:", map[string]string{"create": "c", "file": "f:", "directory": "C:"})
	dir := "."
	if v, ok := o.Value["C"]; ok {
		dir = v
		if i, err := p.Stat(dir); err != nil || !i.IsDir() {
			p.Errorf("tar: %s: Cannot open: No such file or directory\ntar: Error is not recoverable: exiting now\n", dir)
			return 2
		}
	}
	if !o.Has("c") {
		p.Unsupported("tar other than -c")
	}
	return p.tarCreate(dir, o)
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
	for _, a := range o.Args {
		if err := add(a); err != nil {
			p.Errorf("tar: %s: Cannot stat: %s\ntar: Exiting with failure status due to previous errors\n", a, Strerror(err))
			return 2
		}
	}
	_ = w.Close()
	out := b.Bytes()
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
