package gen3

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"provision/files/buildcontext"
	"provision/files/glue"
	"provision/inventory/strict"
)

// tool is a tool that locks projects.
type tool struct {
	name, lock string
	relock     string // the command that writes the lock anew
	add        string // and the one that takes in a version of Prefect, which follows
}

var (
	uv     = tool{"uv", "uv.lock", "uv lock", "uv add prefect=="}
	poetry = tool{"Poetry 2", "poetry.lock", "poetry lock", "poetry add --lock prefect=="}
	tools  = []tool{uv, poetry}
)

// lockFile is what is read of a lock of either tool.
type lockFile struct {
	Version        int    `toml:"version"`         // of uv's format
	RequiresPython string `toml:"requires-python"` // by uv
	Package        []struct {
		Name    string         `toml:"name"`
		Version string         `toml:"version"`
		Source  map[string]any `toml:"source"`
	} `toml:"package"`
	Metadata struct {
		LockVersion    string `toml:"lock-version"`    // of Poetry's format
		PythonVersions string `toml:"python-versions"` // by Poetry
	} `toml:"metadata"`
}

// problem says what is wrong with a lock, "" if nothing is; then which command helps, or what else to do.
func (l lockFile) problem(t tool, python string) (problem, command, otherwise string) {
	format, want, spec := l.Metadata.LockVersion, "2.1", l.Metadata.PythonVersions
	if t.lock == uv.lock {
		format, want, spec = strconv.Itoa(l.Version), "1", l.RequiresPython
	}
	if format != want {
		return fmt.Sprintf("has the format %s, and format %s is read", strict.Show(format), want), t.relock, ""
	}
	if python != "" && !accepts(spec, python) {
		return fmt.Sprintf("is for Python %s, the stack's image has %s", strict.Show(spec), python), t.relock, "write a requires-python that takes it into pyproject.toml, then "
	}
	locked := ""
	for _, p := range l.Package {
		if strings.EqualFold(p.Name, "prefect") {
			locked = p.Version
		}
		for _, kind := range []string{"directory", "editable", "path", "git", "file"} {
			place, of := p.Source[kind].(string)
			if typed, _ := p.Source["type"].(string); typed == kind {
				place, of = p.Source["url"].(string)
			}
			if of && place != "." { // the project itself is named, too
				return fmt.Sprintf("has %s from %s, which no hash vouches for", strict.Show(p.Name), strict.Show(place)), "",
					"put it into the project's own directory: flows import what lies beside them, and what lies in src"
			}
		}
	}
	switch locked {
	case prefectVersion:
		return "", "", ""
	case "":
		return "has no prefect", t.add + prefectVersion, ""
	}
	return fmt.Sprintf("has prefect %s, the stack has %s", strict.Show(locked), prefectVersion), t.add + prefectVersion, ""
}

// checkProject checks what can be known of a project without running its tool. Only its first mistake is of use to anyone: the command that fixes it
// writes the lock file anew. The directory is shown as the user wrote it.
func checkProject(dir, shown, image string) (problem, hint string) {
	run := func(command string) string { return fmt.Sprintf("run: cd %s && %s", glue.ShellWord(shown), command) }
	var project struct {
		Project map[string]any `toml:"project"`
		Tool    struct {
			Poetry map[string]any `toml:"poetry"`
		} `toml:"tool"`
	}
	switch err := glue.ReadTOML(filepath.Join(dir, "pyproject.toml"), "uv or Poetry", &project); {
	case errors.Is(err, os.ErrNotExist):
		return strict.Show(shown) + " has no pyproject.toml", run("uv init --bare --python 3.13 && uv add prefect==" + prefectVersion)
	case err != nil:
		return fmt.Sprintf("pyproject.toml of %s: %s", strict.Show(shown), err), ""
	}
	if exists(dir, uv.lock) && exists(dir, poetry.lock) {
		return fmt.Sprintf("%s has both uv.lock and poetry.lock", strict.Show(shown)), "keep the one of the tool that you use"
	}
	for _, t := range tools {
		var lock lockFile
		err := glue.ReadTOML(filepath.Join(dir, t.lock), t.name, &lock)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return fmt.Sprintf("%s of %s: %s", t.lock, strict.Show(shown), err), run(t.relock)
		}
		problem, command, hint := lock.problem(t, pythonOf(image))
		if problem == "" {
			return "", ""
		}
		if command != "" {
			hint += run(command)
		}
		return fmt.Sprintf("%s of %s %s", t.lock, strict.Show(shown), problem), hint
	}
	t := uv
	if project.Tool.Poetry != nil {
		t = poetry
	}
	return fmt.Sprintf("%s has neither uv.lock nor poetry.lock", strict.Show(shown)), run(t.relock)
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

// checkPacked says what would fail in the build of what is packed of a project.
func checkPacked(t buildcontext.Tree) (glue.Locked, error) {
	if _, ok := t["pyproject.toml"]; !ok {
		return glue.Locked{}, errors.New("the project has no pyproject.toml (or .dockerignore leaves it out)")
	}
	if t[uv.lock].Content != nil && t[poetry.lock].Content != nil {
		return glue.Locked{}, errors.New("the project has both uv.lock and poetry.lock: keep the one of the tool that you use")
	}
	for _, tool := range tools {
		file, ok := t[tool.lock]
		if !ok {
			continue
		}
		var lock lockFile
		if _, err := toml.Decode(string(file.Content), &lock); err != nil {
			return glue.Locked{}, fmt.Errorf("read %s: %w", tool.lock, err)
		}
		if problem, command, otherwise := lock.problem(tool, ""); problem != "" {
			if command != "" {
				otherwise += "run `" + command + "` in the project"
			}
			problem += ": " + otherwise
			return glue.Locked{}, fmt.Errorf("%s %s", tool.lock, problem)
		}
		return glue.Locked{Lock: tool.lock}, nil
	}
	return glue.Locked{}, errors.New("the project has neither uv.lock nor poetry.lock (or .dockerignore leaves it out): run `uv lock` or `poetry lock` and keep the file")
}

var imagePython = regexp.MustCompile(`(?:^|/)python:(3\.[0-9]+)`)

// pythonOf is the version of Python in an image, by its name; "" where that does not say it.
func pythonOf(image string) string {
	if m := imagePython.FindStringSubmatch(image); m != nil {
		return m[1]
	}
	return ""
}

var clause = regexp.MustCompile(`^(\^|~=|~|>=|<=|>|<|==|!=|)\s*([0-9]+)(?:\.([0-9]+))?(\.[0-9]+)?(?:\.\*)?$`)

// accepts tells whether what a project says of its Python takes some release of a minor version, such as 3.13. What cannot be read does.
func accepts(spec, python string) bool {
	number := func(major, minor string) int {
		a, _ := strconv.Atoi(major)
		b, _ := strconv.Atoi(minor)
		return a*1000 + b
	}
	major, minor, _ := strings.Cut(python, ".")
	have := number(major, minor)
	for part := range strings.SplitSeq(spec, ",") {
		m := clause.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			continue
		}
		given, release := number(m[2], m[3]), m[4] != ""
		good := true
		switch m[1] {
		case ">=":
			good = have >= given
		case "^":
			good = have >= given && have/1000 == given/1000
		case ">":
			good = have > given || release && have == given
		case "<":
			good = have < given || release && have == given
		case "<=":
			good = have <= given
		case "~=":
			good = have == given || !release && have > given && have/1000 == given/1000
		case "~", "==", "":
			good = have == given || m[3] == "" && have/1000 == given/1000
		case "!=":
			good = have != given || release
		}
		if !good {
			return false
		}
	}
	return true
}
