package buildcontext

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// A project is held in memory and sent to every agent host.
const (
	MaxProjectBytes = 64 << 20
	MaxProjectFiles = 20000
)

// neverPacked is never part of an image, whatever .dockerignore says: history, environments and caches of the machine that the project was written on.
var neverPacked = []string{".git", ".venv", "__pycache__"}

// ReadProject reads what belongs to an image from a directory. Symbolic links stay links, and must not lead out of the directory.
func ReadProject(dir string) (Tree, error) {
	ignore, err := readIgnore(dir)
	if err != nil {
		return nil, err
	}
	t, total := Tree{}, int64(0)
	err = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil || rel == "." {
			return err
		}
		name := filepath.ToSlash(rel)
		if slices.Contains(neverPacked, d.Name()) {
			return skip(d)
		}
		ignored, err := ignore.MatchesOrParentMatches(rel)
		if err != nil {
			return fmt.Errorf("match %s with .dockerignore: %w", name, err)
		}
		if ignored {
			if ignore.Exclusions() {
				return nil // something below it may be taken in again
			}
			return skip(d)
		}
		if d.IsDir() || name == ".dockerignore" {
			return nil
		}
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("the name %q has control characters", name)
		}
		e, err := readEntry(dir, name, d, MaxProjectBytes-total)
		if err != nil {
			return err
		}
		if total += int64(len(e.Content)); total > MaxProjectBytes || len(t) >= MaxProjectFiles {
			return tooLarge(t, name, e)
		}
		t[name] = e
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the project %s: %w", dir, err)
	}
	return t, nil
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func readIgnore(dir string) (*patternmatcher.PatternMatcher, error) {
	name := filepath.Join(dir, ".dockerignore")
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name) // a pipe would be waited for
	}
	content, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("read %s/.dockerignore: %w", dir, err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, fmt.Errorf("read %s/.dockerignore: %w", dir, err)
	}
	return matcher, nil
}

// readEntry reads a file or a link, of a file at most one byte more than the limit.
func readEntry(dir, name string, d fs.DirEntry, limit int64) (Entry, error) {
	file := filepath.Join(dir, filepath.FromSlash(name))
	switch {
	case d.Type()&fs.ModeSymlink != 0:
		target, err := os.Readlink(file)
		if err != nil {
			return Entry{}, err
		}
		target = filepath.ToSlash(target)
		if path.IsAbs(target) || !filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(name), target))) {
			return Entry{}, fmt.Errorf("the symbolic link %s leads out of the project, to %s", name, target)
		}
		return Entry{Link: target}, nil
	case !d.Type().IsRegular():
		return Entry{}, fmt.Errorf("%s is neither a file, a directory nor a symbolic link", name)
	}
	f, err := os.Open(file)
	if err != nil {
		return Entry{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Entry{}, err
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	return Entry{Content: content, Executable: info.Mode()&0o111 != 0}, err
}

func tooLarge(t Tree, name string, e Entry) error {
	if len(t) >= MaxProjectFiles {
		return fmt.Errorf("more than %d files; name what does not belong in the image in .dockerignore", MaxProjectFiles)
	}
	largest, size := name, len(e.Content)
	for other, o := range t {
		if len(o.Content) > size || len(o.Content) == size && other < largest {
			largest, size = other, len(o.Content)
		}
	}
	return fmt.Errorf("larger than %d MiB (%s is the largest file so far); name what does not belong in the image in .dockerignore", MaxProjectBytes>>20, largest)
}
