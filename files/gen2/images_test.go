package gen2

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/files/buildcontext"
	"provision/files/generation"
)

const (
	pyproject = "[tool.poetry]\nname = \"x\"\n[tool.poetry.dependencies]\npython = \">=3.8,<3.9\"\nprefect = \"2.20.25\"\n"
	lock      = "[[package]]\nname = \"prefect\"\nversion = \"2.20.25\"\n"
	pem       = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
)

// projectDir writes a directory: a name that ends with "/" is a directory, content "-> X" a symbolic link.
func projectDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"pyproject.toml": pyproject, "poetry.lock": lock, "flow.py": "print()\n"}
	for name, content := range files {
		all[name] = content
	}
	for name, content := range all {
		file := filepath.Join(dir, filepath.FromSlash(name))
		var err error
		if target, link := strings.CutPrefix(content, "-> "); link {
			err = errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.Symlink(target, file))
		} else if content != "absent" {
			err = errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func business(t *testing.T, dir string) buildcontext.Context {
	t.Helper()
	c, err := images.Build(generation.ImageBusiness, generation.BuildInput{Base: "python:3.8-slim", Project: dir})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// unpack gives the tar's entries; every one has to have the fixed times and owners.
func unpack(t *testing.T, c buildcontext.Context) map[string]*tar.Header {
	t.Helper()
	found := map[string]*tar.Header{}
	var names []string
	for r := tar.NewReader(bytes.NewReader(c.Tar)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(time.Unix(0, 0)) || h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("%s: %v %d:%d %q", h.Name, h.ModTime, h.Uid, h.Gid, h.Uname)
		}
		found[h.Name] = h
		names = append(names, h.Name)
	}
	if !slices.IsSorted(names) {
		t.Errorf("not sorted: %v", names)
	}
	return found
}

func TestContextsAreDeterministic(t *testing.T) {
	t.Parallel()
	files := map[string]string{"a/b/c.py": "1\n", "z.py": "2\n", "run.sh": "#!/bin/sh\n", "link.py": "-> z.py"}
	one, two := projectDir(t, files), projectDir(t, files)
	for _, name := range []string{"z.py", "a/b/c.py"} {
		if err := errors.Join(os.Chtimes(filepath.Join(two, name), time.Unix(99, 0), time.Unix(99, 0)), os.Chmod(filepath.Join(two, name), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	first, second := business(t, one), business(t, two)
	if first.Hash != second.Hash || !bytes.Equal(first.Tar, second.Tar) {
		t.Error("the same content gives another context")
	}
	if len(first.Hash) != 16 {
		t.Errorf("Hash = %q", first.Hash)
	}
	entries := unpack(t, first)
	if h := entries["project/link.py"]; h == nil || h.Linkname != "z.py" {
		t.Errorf("the link is %+v", h)
	}
	for _, name := range []string{"guard/provision_guard.pth", "guard/provision_guard.py"} {
		if entries[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"provision/entrypoint", "provision/bin/provision-bridge"} {
		if h := entries[name]; h == nil || h.Mode != 0o755 {
			t.Errorf("%s is %+v", name, h)
		}
	}
}

func TestWhatDecidesAnImage(t *testing.T) {
	t.Parallel()
	base := business(t, projectDir(t, nil)).Hash
	same := map[string]map[string]string{
		"ignored":      {".git/HEAD": "x", ".venv/bin/python": "x", "__pycache__/flow.pyc": "x", "sub/__pycache__/x.pyc": "x", "sub/.git": "x"},
		"dockerignore": {".dockerignore": "*.log\ndata\n!data/none", "x.log": "1", "data/big.csv": "1"},
	}
	for name, files := range same {
		if got := business(t, projectDir(t, files)).Hash; got != base {
			t.Errorf("%s: the hash changed", name)
		}
	}
	other := map[string]map[string]string{
		"content":     {"flow.py": "print(1)\n"},
		"another":     {"new.py": ""},
		"lock":        {"poetry.lock": lock + "# \n"},
		"not ignored": {".dockerignore": "*.log\n!keep.log", "x.log": "1", "keep.log": "1"},
	}
	seen := map[string]string{base: "base"}
	for name, files := range other {
		got := business(t, projectDir(t, files)).Hash
		if before, twice := seen[got]; twice {
			t.Errorf("%s has the hash of %s", name, before)
		}
		seen[got] = name
	}
	dir := projectDir(t, nil)
	if err := os.Chmod(filepath.Join(dir, "flow.py"), 0o755); err != nil {
		t.Fatal(err)
	}
	if business(t, dir).Hash == base {
		t.Error("the executable bit does not count")
	}
}

func TestImagesDifferByBaseAndCertificates(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(base string, ca []byte) (buildcontext.Context, error){
		"prefect": func(b string, ca []byte) (buildcontext.Context, error) {
			return images.Build(generation.ImagePrefect, generation.BuildInput{Base: b, CACertificates: ca})
		},
		"business": func(b string, ca []byte) (buildcontext.Context, error) {
			return images.Build(generation.ImageBusiness, generation.BuildInput{Base: b, CACertificates: ca})
		},
		"caddy": func(b string, ca []byte) (buildcontext.Context, error) {
			return images.Build(generation.ImageCaddy, generation.BuildInput{Caddy: "caddy:2", Base: b, CACertificates: ca})
		},
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hash := func(base, ca string) string {
				c, err := kind(base, []byte(ca))
				if err != nil {
					t.Fatal(err)
				}
				unpack(t, c)
				return c.Hash
			}
			plain := hash("python:3.8-slim", "")
			if plain != hash("python:3.8-slim", "\n") {
				t.Error("no certificate and a blank one differ")
			}
			if hash("python:3.8-slim", pem) != hash("python:3.8-slim", pem+"\n\n") {
				t.Error("blank lines behind a certificate count")
			}
			if len(map[string]bool{plain: true, hash("python:3.8", ""): true, hash("python:3.8-slim", pem): true}) != 3 {
				t.Error("the base or a certificate does not count")
			}
			if _, err := kind("python:3.8\nRUN evil", nil); err == nil {
				t.Error("a base that is no image's name was taken")
			}
		})
	}
	if _, err := images.Build(generation.ImageCaddy, generation.BuildInput{Caddy: "caddy 2", Base: "python:3.8-slim"}); err == nil {
		t.Error("a Caddy image that is no image's name was taken")
	}
}

func TestProjectsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"link out":      {map[string]string{"x": "-> ../../etc/passwd"}, "leads out of the project"},
		"absolute link": {map[string]string{"x": "-> /etc/passwd"}, "leads out of the project"},
		"link up":       {map[string]string{"a/b": "-> ../.."}, "leads out of the project"},
		"no lock":       {map[string]string{"poetry.lock": "absent"}, "poetry lock"},
		"lock ignored":  {map[string]string{".dockerignore": "poetry.lock"}, "leaves it out"},
		"no poetry":     {map[string]string{"pyproject.toml": "[project]\nname = \"x\"\n"}, "[tool.poetry.dependencies]"},
		"no toml":       {map[string]string{"pyproject.toml": "x = ["}, "read pyproject.toml"},
		"other prefect": {map[string]string{"poetry.lock": strings.ReplaceAll(lock, "2.20.25", "2.19.0")}, "poetry add prefect@2.20.25"},
		"no prefect":    {map[string]string{"poetry.lock": ""}, "prefect none"},
		"too large":     {map[string]string{"a.bin": strings.Repeat("x", buildcontext.MaxProjectBytes/2), "b.bin": strings.Repeat("x", buildcontext.MaxProjectBytes/2+1)}, "b.bin is the largest"},
		"bad pattern":   {map[string]string{".dockerignore": "[a"}, ".dockerignore"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := images.Build(generation.ImageBusiness, generation.BuildInput{Base: "python:3.8-slim", Project: projectDir(t, test.files)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestLocalDependenciesAreThereBeforeTheyAreInstalled(t *testing.T) {
	t.Parallel()
	local := lock + "\n[[package]]\nname = \"mine\"\nversion = \"1\"\n[package.source]\ntype = \"directory\"\nurl = \"mine\"\n"
	for _, test := range []struct{ lock, want string }{{lock, "COPY project/pyproject.toml project/poetry.lock ./"}, {local, "COPY project/ ./\nRUN index"}} {
		c := business(t, projectDir(t, map[string]string{"poetry.lock": test.lock}))
		if !bytes.Contains(c.Tar, []byte(test.want)) {
			t.Errorf("no %q in the Dockerfile", test.want)
		}
	}
}

func TestTheLockNamesNoMirror(t *testing.T) {
	t.Parallel()
	text, err := prefectFiles.ReadFile("prefect/base/poetry.lock")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("[package.source]")) || bytes.Contains(text, []byte("://")) {
		t.Error("the lock names a place")
	}
	if !bytes.Contains(text, []byte("name = \"prefect\"\nversion = \""+prefectVersion+"\"")) {
		t.Errorf("the lock is not of Prefect %s", prefectVersion)
	}
}
