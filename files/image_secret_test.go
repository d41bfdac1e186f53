package files

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecretiveFilesAreNamed(t *testing.T) {
	t.Parallel()
	packed := map[string]string{
		".env": "A=1", "sub/.env.production": "A=1", "deploy/id_rsa": "x", "deploy/id_ed25519": "x", "certs/site.key": "x", "certs/site.PEM": "x", ".aws/credentials": "x", ".netrc": "x",
		".docker/config.json": "{}", "state/terraform.tfstate": "{}",
		// None of them.
		".env.example": "A=", "deploy/id_rsa.pub": "x", "env.py": "", "keys.py": "", "config.json": "{}", "monkey": "", "data/table.csv": "",
	}
	want := []string{
		".aws/credentials", ".docker/config.json", ".env", ".netrc", "certs/site.PEM", "certs/site.key", "deploy/id_ed25519", "deploy/id_rsa", "state/terraform.tfstate", "sub/.env.production",
	}
	if diff := cmp.Diff(want, Secretive(business(t, projectDir(t, packed)))); diff != "" {
		t.Error(diff)
	}
	packed[".dockerignore"] = "**/.env*\n**/id_*\n**/*.key\n**/*.[pP][eE][mM]\n.aws\n.netrc\n.docker\n**/*.tfstate\n"
	if got := Secretive(business(t, projectDir(t, packed))); got != nil {
		t.Errorf("excluded, and named all the same: %v", got)
	}
}
