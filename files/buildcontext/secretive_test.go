package buildcontext

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// packed is the context of a project with these files.
func packed(t *testing.T, files map[string]string) Context {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	project, err := ReadProject(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := Tree{}
	for name, e := range project {
		all["project/"+name] = e
	}
	c, err := all.Context()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSecretiveFilesAreNamed(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		".env": "A=1", "sub/.env.production": "A=1", "deploy/id_rsa": "x", "deploy/id_ed25519": "x", "certs/site.key": "x", "certs/site.PEM": "x", ".aws/credentials": "x", ".netrc": "x",
		".docker/config.json": "{}", "state/terraform.tfstate": "{}",
		// None of them.
		".env.example": "A=", "deploy/id_rsa.pub": "x", "env.py": "", "keys.py": "", "config.json": "{}", "monkey": "", "data/table.csv": "",
	}
	want := []string{
		".aws/credentials", ".docker/config.json", ".env", ".netrc", "certs/site.PEM", "certs/site.key", "deploy/id_ed25519", "deploy/id_rsa", "state/terraform.tfstate", "sub/.env.production",
	}
	if diff := cmp.Diff(want, Secretive(packed(t, files))); diff != "" {
		t.Error(diff)
	}
	files[".dockerignore"] = "**/.env*\n**/id_*\n**/*.key\n**/*.[pP][eE][mM]\n.aws\n.netrc\n.docker\n**/*.tfstate\n"
	if got := Secretive(packed(t, files)); got != nil {
		t.Errorf("excluded, and named all the same: %v", got)
	}
}
