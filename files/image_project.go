package files

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

	"github.com/BurntSushi/toml"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// A project is held in memory and sent to every agent host.
const (
	maxProjectBytes = 64 << 20
	maxProjectFiles = 20000
)

// Never part of an image, whatever .dockerignore says: history, environments and caches of the machine that the project was written on.
var neverPacked = []string{".git", ".venv", "__pycache__"}

// readProject reads what belongs to an image from a directory. Symbolic links stay links, and must not lead out of the directory.
func readProject(dir string) (tree, error) {
	ignore, err := readIgnore(dir)
	if err != nil {
		return nil, err
	}
	t, total := tree{}, int64(0)
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
		e, err := readEntry(dir, name, d, maxProjectBytes-total)
		if err != nil {
			return err
		}
		if total += int64(len(e.content)); total > maxProjectBytes || len(t) >= maxProjectFiles {
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
func readEntry(dir, name string, d fs.DirEntry, limit int64) (entry, error) {
	file := filepath.Join(dir, filepath.FromSlash(name))
	switch {
	case d.Type()&fs.ModeSymlink != 0:
		target, err := os.Readlink(file)
		if err != nil {
			return entry{}, err
		}
		target = filepath.ToSlash(target)
		if path.IsAbs(target) || !filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(name), target))) {
			return entry{}, fmt.Errorf("the symbolic link %s leads out of the project, to %s", name, target)
		}
		return entry{link: target}, nil
	case !d.Type().IsRegular():
		return entry{}, fmt.Errorf("%s is neither a file, a directory nor a symbolic link", name)
	}
	f, err := os.Open(file)
	if err != nil {
		return entry{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return entry{}, err
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	return entry{content: content, executable: info.Mode()&0o111 != 0}, err
}

func tooLarge(t tree, name string, e entry) error {
	if len(t) >= maxProjectFiles {
		return fmt.Errorf("more than %d files; name what does not belong in the image in .dockerignore", maxProjectFiles)
	}
	largest, size := name, len(e.content)
	for other, o := range t {
		if len(o.content) > size || len(o.content) == size && other < largest {
			largest, size = other, len(o.content)
		}
	}
	return fmt.Errorf("larger than %d MiB (%s is the largest file so far); name what does not belong in the image in .dockerignore", maxProjectBytes>>20, largest)
}

// checkPoetry says what would fail in the build, or worse, only later: no project of Poetry 1.8, or another Prefect than the server's. local is true if
// dependencies are directories or files of the project.
func checkPoetry(t tree, version string) (local bool, err error) {
	for _, name := range []string{"pyproject.toml", "poetry.lock"} {
		if _, ok := t[name]; !ok {
			return false, fmt.Errorf("the project has no %s (or .dockerignore leaves it out); a Poetry project with its lock is needed: run `poetry lock` and keep both files", name)
		}
	}
	var project struct {
		Tool struct{ Poetry map[string]any }
	}
	if _, err := toml.Decode(string(t["pyproject.toml"].content), &project); err != nil {
		return false, fmt.Errorf("read pyproject.toml: %w", err)
	}
	if project.Tool.Poetry["dependencies"] == nil {
		return false, errors.New("pyproject.toml has no [tool.poetry.dependencies]; Poetry 1.8.5, the last for Python 3.8, reads nothing else")
	}
	var lock struct {
		Package []struct {
			Name, Version string
			Source        struct{ Type string }
		}
	}
	if _, err := toml.Decode(string(t["poetry.lock"].content), &lock); err != nil {
		return false, fmt.Errorf("read poetry.lock: %w", err)
	}
	locked := "none"
	for _, p := range lock.Package {
		local = local || p.Source.Type == "directory" || p.Source.Type == "file"
		if p.Name == "prefect" {
			locked = p.Version
		}
	}
	if locked != version {
		return local, fmt.Errorf("poetry.lock has prefect %s, the stack %s: run `poetry add prefect@%s` with Poetry 1.8.5 in the project", locked, version, version)
	}
	return local, nil
}
