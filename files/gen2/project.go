package gen2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"provision/files/glue"
	"provision/inventory/strict"
)

// poetry is what images are built with: the last one for Python 3.8. It writes and reads lock files of this version.
const (
	poetry      = "1.8.5"
	lockVersion = "2.0"
)

// checkProject checks what can be known of a Poetry project without running Poetry. Only its first mistake is of use to anyone:
// the command that fixes it writes the lock file anew. The directory is shown as the user wrote it.
func checkProject(dir, shown, _ string) (problem, hint string) {
	run := func(command string) string {
		return fmt.Sprintf("with Poetry %s and a Python 3.8 run: cd %s && poetry %s", poetry, glue.ShellWord(shown), command)
	}
	var project struct {
		Tool struct {
			Poetry map[string]any `toml:"poetry"`
		} `toml:"tool"`
	}
	switch err := glue.ReadTOML(filepath.Join(dir, "pyproject.toml"), "Poetry", &project); {
	case errors.Is(err, os.ErrNotExist):
		return strict.Show(shown) + " has no pyproject.toml", run(`init --no-interaction --python ">=3.8,<3.9" --dependency prefect==` + prefectVersion + " && poetry lock")
	case err != nil:
		return fmt.Sprintf("pyproject.toml of %s: %s", strict.Show(shown), err), ""
	case project.Tool.Poetry == nil:
		return fmt.Sprintf("pyproject.toml of %s has no [tool.poetry], which Poetry %s needs", strict.Show(shown), poetry), "Poetry 2 and [project] need a newer Python than 3.8"
	}

	var lock struct {
		Package []struct {
			Name    string `toml:"name"`
			Version string `toml:"version"`
		} `toml:"package"`
		Metadata struct {
			LockVersion string `toml:"lock-version"`
		} `toml:"metadata"`
	}
	switch err := glue.ReadTOML(filepath.Join(dir, "poetry.lock"), "Poetry", &lock); {
	case errors.Is(err, os.ErrNotExist):
		return strict.Show(shown) + " has no poetry.lock", run("lock")
	case err != nil:
		return fmt.Sprintf("poetry.lock of %s: %s", strict.Show(shown), err), run("lock")
	}
	if v := lock.Metadata.LockVersion; v != lockVersion {
		written := "was written by another Poetry"
		if strings.HasPrefix(v, "2.") {
			written = "was written by Poetry 2"
		}
		return fmt.Sprintf("poetry.lock of %s %s (lock-version %s); images are built with Poetry %s, which writes %s",
			strict.Show(shown), written, strict.Show(v), poetry, lockVersion), run("lock --no-update")
	}
	for _, p := range lock.Package {
		if strings.EqualFold(p.Name, "prefect") {
			if p.Version != prefectVersion {
				return fmt.Sprintf("poetry.lock of %s has prefect %s, the stack has %s", strict.Show(shown), strict.Show(p.Version), prefectVersion),
					run("add --lock prefect==" + prefectVersion)
			}
			return "", ""
		}
	}
	return fmt.Sprintf("poetry.lock of %s has no prefect", strict.Show(shown)), run("add --lock prefect==" + prefectVersion)
}
