package resource

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
)

// A one-shot that ends between the listing and the look at what was listed makes `docker inspect`
// fail once. That is no reason to know nothing.
func TestListingOfWhatVanishes(t *testing.T) {
	for name, c := range map[string]struct {
		fails int // how often inspect fails
		code  string
		want  string
	}{
		"nothing vanishes":           {0, "1", "containers=of a b\nnetworks=of a b\n"},
		"vanishes once":              {1, "1", "containers=of a b\nnetworks=of a b\n"},
		"always":                     {9, "1", ""},
		"no answer: not asked again": {1, "124", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			program := `#!/bin/sh
case "$*" in
*inspect*)
	kind=${1}; n=$(cat "` + dir + `/$kind" 2>/dev/null || echo 0); echo $((n + 1)) >"` + dir + `/$kind"
	[ "$n" -ge ` + string(rune('0'+c.fails)) + ` ] || { echo "Error: No such object: b" >&2; exit ` + c.code + `; }
	while [ "$1" != --format ]; do shift; done; shift 2; echo "of $*" ;;
'ps '*|*'ls -q'*) echo a; echo b ;;
esac`
			if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(program), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", "-c", "v() { printf '%s=%s\\n' \"$1\" \"$2\"; }\nV=no\n"+dockerListing("prefect", nil))
			cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for line := range strings.Lines(string(out)) {
				if !strings.HasPrefix(line, "built=") {
					got.WriteString(line)
				}
			}
			if got.String() != c.want {
				t.Errorf("got\n%s\nwant\n%s", got.String(), c.want)
			}
		})
	}
}

func TestListingThatIsNotWhole(t *testing.T) {
	e := &Engine{Host: "a", Stack: "prefect"}
	for name, c := range map[string]struct {
		fact Fact
		want bool
	}{
		"whole":         {yes("containers", "", "networks", "", "volumes", "", "built", ""), false},
		"no networks":   {yes("containers", "", "volumes", ""), true},
		"no containers": {yes("networks", "", "volumes", ""), true},
		"no engine":     {no(), false},
	} {
		if got := e.Doubt(world{facts: facts{e.ID(): c.fact}}); (got != "") != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A one-shot has no health check. The client's own types, which the format names, take that; the
// engine's bare answer, which the client falls back to for a name that they do not have, does not.
func TestContainerWithoutHealthCheck(t *testing.T) {
	type state struct {
		Status, StartedAt string
		Health            *struct{ Status string }
		ExitCode          int
		OOMKilled         bool
	}
	type config struct {
		Image  string
		Labels map[string]string
	}
	oneShot := struct {
		ID, Name, Image string
		RestartCount    int
		State           *state
		Config          *config
	}{"c0ffee", "/one", "sha256:1", 0, &state{Status: "running"}, &config{"x:1", map[string]string{}}}
	var out strings.Builder
	if err := template.Must(template.New("").Parse(containerFormat)).Execute(&out, oneShot); err != nil {
		t.Fatal(err)
	}
	e := EngineID("a")
	d, know := docker(world{facts: facts{e: yes("containers", out.String(), "networks", "", "volumes", "", "built", "")}}, "a")
	if c := d.Containers["one"]; know != Yes || c.ID != "c0ffee" || c.State != "running" || c.Health != "" {
		t.Errorf("%v: %+v", know, c)
	}
}
