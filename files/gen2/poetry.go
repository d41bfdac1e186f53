package gen2

import (
	"errors"
	"fmt"

	"github.com/BurntSushi/toml"

	"provision/files/buildcontext"
	"provision/files/glue"
)

// checkPoetry says what would fail in the build, or worse, only later: no project of Poetry 1.8, or another Prefect than the server's.
func checkPoetry(t buildcontext.Tree) (glue.Locked, error) {
	for _, name := range []string{"pyproject.toml", "poetry.lock"} {
		if _, ok := t[name]; !ok {
			return glue.Locked{}, fmt.Errorf("the project has no %s (or .dockerignore leaves it out); a Poetry project with its lock is needed: run `poetry lock` and keep both files", name)
		}
	}
	var project struct {
		Tool struct{ Poetry map[string]any }
	}
	if _, err := toml.Decode(string(t["pyproject.toml"].Content), &project); err != nil {
		return glue.Locked{}, fmt.Errorf("read pyproject.toml: %w", err)
	}
	if project.Tool.Poetry["dependencies"] == nil {
		return glue.Locked{}, errors.New("pyproject.toml has no [tool.poetry.dependencies]; Poetry 1.8.5, the last for Python 3.8, reads nothing else")
	}
	var lock struct {
		Package []struct {
			Name, Version string
			Source        struct{ Type string }
		}
	}
	if _, err := toml.Decode(string(t["poetry.lock"].Content), &lock); err != nil {
		return glue.Locked{}, fmt.Errorf("read poetry.lock: %w", err)
	}
	locked, local := "none", false
	for _, p := range lock.Package {
		local = local || p.Source.Type == "directory" || p.Source.Type == "file"
		if p.Name == "prefect" {
			locked = p.Version
		}
	}
	if locked != prefectVersion {
		return glue.Locked{}, fmt.Errorf("poetry.lock has prefect %s, the stack %s: run `poetry add prefect@%s` with Poetry 1.8.5 in the project", locked, prefectVersion, prefectVersion)
	}
	return glue.Locked{Lock: "poetry.lock", Whole: local}, nil
}
