package buildcontext

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Context is a build context. Everything that decides the image is in it, and so in its hash; where packages come from (index, proxy) is not: those are
// build arguments.
type Context struct {
	Tar   []byte   // uncompressed; the same input gives the same bytes
	Hash  string   // 16 hex digits
	Files []string // sorted
}

// Bytes is the tar.
func (c Context) Bytes() ([]byte, error) { return c.Tar, nil }

// Tree is the content of a build context, by slash-separated path. Directories are implied by what is in them.
type Tree map[string]Entry

// Entry is a file or a symbolic link.
type Entry struct {
	Content    []byte
	Executable bool
	Link       string // target, if it is a symbolic link
}

// Context makes the tar: sorted, with fixed times, owners and modes.
func (t Tree) Context() (Context, error) {
	dirs := map[string]bool{}
	for name := range t {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			dirs[dir+"/"] = true
		}
	}
	names := make([]string, 0, len(t)+len(dirs))
	for name := range t {
		names = append(names, name)
	}
	c := Context{Files: slices.Sorted(slices.Values(names))}
	for dir := range dirs {
		names = append(names, dir)
	}
	slices.Sort(names)

	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range names {
		e := t[name]
		h := &tar.Header{Name: name, ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(e.Content))}
		switch {
		case strings.HasSuffix(name, "/"):
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		case e.Link != "":
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.Link, 0o777
		case e.Executable:
			h.Mode = 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			return Context{}, fmt.Errorf("pack %s: %w", name, err)
		}
		if _, err := w.Write(e.Content); err != nil {
			return Context{}, fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return Context{}, err
	}
	sum := sha256.Sum256(buf.Bytes())
	c.Tar, c.Hash = buf.Bytes(), hex.EncodeToString(sum[:])[:16]
	return c, nil
}

// AddFS adds the files of a directory of fsys that match one of the patterns, below another path. Only entrypoints are executable.
func (t Tree) AddFS(fsys fs.FS, dir, below string, patterns ...string) error {
	for _, pattern := range patterns {
		names, err := fs.Glob(fsys, path.Join(dir, pattern))
		if err != nil {
			return err
		}
		if len(names) == 0 {
			return fmt.Errorf("nothing matches %s in %s", pattern, dir)
		}
		for _, name := range names {
			content, err := fs.ReadFile(fsys, name)
			if err != nil {
				return err
			}
			t[path.Join(below, strings.TrimPrefix(name, dir+"/"))] = Entry{Content: content, Executable: bytes.HasPrefix(content, []byte("#!"))}
		}
	}
	return nil
}

// AddCertificates adds extra authorities (PEM), each ended by a newline so that they can be joined.
func (t Tree) AddCertificates(pem []byte) {
	if pem = bytes.TrimSpace(pem); len(pem) > 0 {
		t["ca/extra.pem"] = Entry{Content: append(slices.Clone(pem), '\n')}
	}
}

// imageName is an image's name as a Dockerfile can have it.
var imageName = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9._:/@-]*$`)

func CheckImageName(name string) error {
	if !imageName.MatchString(name) {
		return fmt.Errorf("%q is not a valid image name", name)
	}
	return nil
}
