package gen3

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"provision/files/generation"
)

// TestEverythingIsPinnedByHash holds what is installed: an exact version and hashes for each package, and no place to fetch it from.
func TestEverythingIsPinnedByHash(t *testing.T) {
	t.Parallel()
	entry := regexp.MustCompile(`^[A-Za-z0-9._-]+==[A-Za-z0-9.]+( ;[^#]*)?( --hash=sha256:[0-9a-f]{64})+$`)
	for name, least := range map[string]int{"prefect/tools.txt": 1, "prefect/base/requirements.txt": 80} {
		text, err := prefectFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for line := range strings.Lines(strings.ReplaceAll(string(text), " \\\n   ", "")) {
			if found++; !entry.MatchString(strings.TrimSpace(line)) {
				t.Errorf("%s: not pinned: %.80s", name, line)
			}
		}
		if found < least {
			t.Errorf("%s: %d packages", name, found)
		}
	}
	text, _ := prefectFiles.ReadFile("prefect/base/requirements.txt")
	for _, want := range []string{"prefect==" + prefectVersion, "asyncpg==", "prefect-redis==", "tzdata==2026.6 \\"} {
		if !bytes.Contains(text, []byte("\n"+want)) {
			t.Errorf("the built-in project has no %s", want)
		}
	}
}

// TestLocks: each kind of lock is installed by the same step, and a project without one is refused.
func TestLocks(t *testing.T) {
	t.Parallel()
	const (
		uvLock     = "version = 1\n[[package]]\nname = \"prefect\"\nversion = \"3.9.1\"\n"
		poetryLock = "[[package]]\nname = \"prefect\"\nversion = \"3.9.1\"\n[metadata]\nlock-version = \"2.1\"\n"
	)
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // in the Dockerfile
		wrong string // in the error
	}{
		{"built in", nil, "COPY project/pyproject.toml project/requirements.txt ./", ""},
		{"uv", map[string]string{"pyproject.toml": "", "uv.lock": uvLock}, "COPY project/pyproject.toml project/uv.lock ./", ""},
		{"Poetry", map[string]string{"pyproject.toml": "", "poetry.lock": poetryLock}, "COPY project/pyproject.toml project/poetry.lock ./", ""},
		{"both", map[string]string{"pyproject.toml": "", "uv.lock": uvLock, "poetry.lock": poetryLock}, "", "both uv.lock and poetry.lock"},
		{"none", map[string]string{"pyproject.toml": ""}, "", "neither uv.lock nor poetry.lock"},
		{"no project", map[string]string{"uv.lock": uvLock}, "", "no pyproject.toml"},
		{"left out", map[string]string{"pyproject.toml": "", "uv.lock": uvLock, ".dockerignore": "*.lock"}, "", ".dockerignore leaves it out"},
		{"another Prefect", map[string]string{"pyproject.toml": "", "uv.lock": strings.Replace(uvLock, "3.9.1", "3.9.0", 1)}, "", "uv add prefect==3.9.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := ""
			if c.files != nil {
				dir = t.TempDir()
			}
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := images.Build(generation.ImageBusiness, generation.BuildInput{Base: "python:3.13-slim", Project: dir})
			switch {
			case c.wrong != "":
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("%v, want one with %q", err, c.wrong)
				}
			case err != nil:
				t.Error(err)
			case !bytes.Contains(got.Tar, []byte(c.want)):
				t.Errorf("no %q in the Dockerfile", c.want)
			}
		})
	}
}

func TestAccepts(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]bool{
		"": true, ">=3.12": true, ">=3.12,<3.14": true, ">= 3.12, < 4.0": true, "^3.12": true, "~3.13": true, "==3.13.*": true, "~=3.12": true, ">=3.13.1": true, "!=3.12.*,>=3.10": true, "<4": true,
		"<3.13": false, ">=3.8,<3.9": false, ">=3.14": false, "~3.12": false, "==3.12.*": false, ">3.13": false, "!=3.13.*": false, "~=3.12.1": false,
	} {
		if got := accepts(spec, "3.13"); got != want {
			t.Errorf("%q takes 3.13: %v", spec, got)
		}
	}
	for image, want := range map[string]string{"python:3.13-slim": "3.13", "registry.example.org/mirror/python:3.12.4": "3.12", "own/base:1": "", "python:3.13-slim@sha256:00": "3.13"} {
		if got := pythonOf(image); got != want {
			t.Errorf("%s has Python %q", image, got)
		}
	}
}
