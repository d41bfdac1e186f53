//go:build linux

package lab

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"provision/files"
)

func TestMirrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ sources, mirror, security string }{
		"deb822": {
			"Types: deb\nURIs: http://mirror.example/debian/\nSuites: bookworm bookworm-updates\nComponents: main\n\n" +
				"Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\n",
			"http://mirror.example/debian", "http://mirror.example/security",
		},
		"one line": {
			"# deb http://old.example/debian bookworm main\ndeb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian bookworm main contrib\n" +
				"deb https://mirror.example/security bookworm-security main\ndeb-src https://source.example/debian bookworm main\n",
			"https://mirror.example/debian", "https://mirror.example/security",
		},
		"others' repositories are no mirror of Debian": {
			"deb https://vendor.example/apt stable main\n\nTypes: deb\nURIs: https://vendor.example/node\nSuites: nodistro\n", "", "",
		},
	} {
		mirror, security := mirrors(tc.sources, "bookworm")
		if diff := cmp.Diff([]string{tc.mirror, tc.security}, []string{mirror, security}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestValidityConf(t *testing.T) {
	t.Parallel()
	conf := "APT::Foo \"1\";\nAcquire::Check-Valid-Until \"false\";\n// Acquire::Check-Date \"false\";\nAcquire::Check-Date \"false\";\nAcquire::Languages \"none\";\n"
	want := "Acquire::Check-Valid-Until \"false\";\nAcquire::Check-Date \"false\";\n"
	if diff := cmp.Diff(want, validityConf(conf)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExtraRootsAreThoseThatDebianDoesNotShip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shipped, own := pemCertificate([]byte("shipped")), pemCertificate([]byte("own"))
	bundle := filepath.Join(dir, "bundle")
	write(t, filepath.Join(dir, "ships/mozilla/a.crt"), string(shipped))
	write(t, bundle, string(shipped)+string(own)+string(own))
	got, err := extraRoots(bundle, filepath.Join(dir, "ships"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(own), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := extraRoots(filepath.Join(dir, "none"), filepath.Join(dir, "none either")); len(got) > 0 || err != nil {
		t.Errorf("without files: %q, %v", got, err)
	}
}

func TestStartTimeTellsALivingProcessFromItsNumber(t *testing.T) {
	t.Parallel()
	if got := startTime(os.Getpid()); got == "" || got != startTime(os.Getpid()) {
		t.Errorf("own start time %q", got)
	}
	if got := startTime(1 << 30); got != "" {
		t.Errorf("start time of no process: %q", got)
	}
}

func TestMirrorServesImagesToPullersOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := newLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	layer, err := l.blob(layerType, func(w io.Writer) error { _, err := io.WriteString(w, "layer"); return err })
	if err != nil {
		t.Fatal(err)
	}
	if err := l.add("python:3.8-slim", imageConfig{Cmd: []string{"python3"}}, layer); err != nil {
		t.Fatal(err)
	}
	if err := l.finish(); err != nil {
		t.Fatal(err)
	}
	other, err := newLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(other.add("valkey/valkey:8", imageConfig{Cmd: []string{"valkey-server"}}), other.finish()); err != nil {
		t.Fatal(err)
	}
	handler, err := mirrorHandler(other.dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Code, w.Body.String()
	}
	_, body := ask("GET", "/v2/hub/library/python/manifests/3.8-slim")
	var m manifest
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("manifest %q: %v", body, err)
	}
	if diff := cmp.Diff([]descriptor{layer}, m.Layers); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	if _, got := ask("GET", "/v2/python/blobs/"+layer.Digest); got != "layer" {
		t.Errorf("blob %q", got)
	}
	byDigest := l.index.Manifests[0].Digest
	if _, got := ask("GET", "/v2/python/manifests/"+byDigest); got != body {
		t.Errorf("manifest by digest %q", got)
	}
	for path, want := range map[string]int{
		"GET /v2/":                                 http.StatusOK,
		"HEAD /v2/python/manifests/3.8-slim":       http.StatusOK,
		"GET /v2/python/manifests/3.9":             http.StatusNotFound,
		"GET /v2/hub/valkey/valkey/manifests/8":    http.StatusOK,
		"GET /v2/other/manifests/3.8-slim":         http.StatusNotFound,
		"GET /v2/python/blobs/sha256:00":           http.StatusNotFound,
		"GET /v2/python/blobs/sha256:..":           http.StatusBadRequest,
		"GET /v2/python/blobs/sha256:../../i.json": http.StatusBadRequest,
		"GET /":                          http.StatusNotFound,
		"POST /v2/python/blobs/uploads/": http.StatusMethodNotAllowed,
		"DELETE /v2/python/manifests/" + byDigest:  http.StatusMethodNotAllowed,
		"PUT /v2/python/manifests/3.8-slim":        http.StatusMethodNotAllowed,
		"GET /v2/python/manifests/" + layer.Digest: http.StatusNotFound,
	} {
		method, p, _ := strings.Cut(path, " ")
		if got, _ := ask(method, p); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := writeFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestGroupRoots(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		mountinfo string
		want      []string
	}{
		"unified": {"25 21 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n26 21 0:23 / /sys/fs/pstore rw - pstore pstore rw\n", []string{"/sys/fs/cgroup"}},
		"hybrid": {"30 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n31 25 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n" +
			"32 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"}},
	} {
		if diff := cmp.Diff(tc.want, groupRoots(tc.mountinfo)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestImageSets(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for _, s := range imageSets {
		for _, im := range s.images() {
			if im.suite == "" {
				t.Errorf("%s has no Debian in %s", im.name, s.name)
			}
			got[s.name] = append(got[s.name], im.name)
		}
	}
	if diff := cmp.Diff(map[string][]string{
		"gen2": {"python:3.8-slim", "postgres:13.3", "caddy:2", "restic/restic:0.18.1"},
		"gen3": {"python:3.13-slim", "postgres:17", "valkey/valkey:8", "caddy:2", "restic/restic:0.18.1"},
	}, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	// Whatever a stack has hosts pull is there.
	for _, g := range files.Generations {
		for _, image := range append(g.Parts.Images(), g.Python, g.Postgres) {
			if strings.Contains(image, ":") && !slices.Contains(got["gen"+g.Major()], image) {
				t.Errorf("Prefect %s pulls %s, which has no row in imageTable of images.go", g.Prefect, image)
			}
		}
	}
	for _, tc := range []struct{ names, want []string }{
		{nil, []string{"gen2"}},
		{[]string{"gen3"}, []string{"gen3"}},
		{[]string{"gen3", "gen2", "gen3"}, []string{"gen2", "gen3"}},
	} {
		if got, err := chosenSets(tc.names); err != nil || !cmp.Equal(tc.want, got) {
			t.Errorf("%q: %q, %v", tc.names, got, err)
		}
	}
	if _, err := chosenSets([]string{"gen1"}); err == nil {
		t.Error("a set that there is not is taken")
	}
}

// Addresses that others have left may be given out in any order.
func TestHostsInOrder(t *testing.T) {
	t.Parallel()
	hosts := []*Host{{Name: "second", Number: 1, Address: "10.77.0.12"}, {Name: "first", Number: 0, Address: "10.77.0.15"}}
	inOrder(hosts)
	if hosts[0].Name != "first" {
		t.Errorf("%s comes first", hosts[0].Name)
	}
}
