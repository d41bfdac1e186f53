package resource_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	. "provision/provision/resource"
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
'ps '*) echo 'a|prefect|one|net'; echo 'b|prefect|two|net'; echo 'c|x|prefect|theirs|net'; echo 'd||prefect|net' ;;
*'ls -q'*) echo a; echo b ;;
esac`
			if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(program), 0o755); err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for line := range strings.Lines(listed(t, dir, nil)) {
				if strings.HasPrefix(line, "containers=") || strings.HasPrefix(line, "networks=") {
					got.WriteString(line)
				}
			}
			if got.String() != c.want {
				t.Errorf("got\n%s\nwant\n%s", got.String(), c.want)
			}
		})
	}
}

// listed is what the listing prints with the docker in a directory.
func listed(t *testing.T, dir string, images []string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", "v() { printf '%s=%s\\n' \"$1\" \"$2\"; }\nV=no\n"+DockerListing("prefect", images)+":")
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// That an image is missing is an answer; that the engine took too long to look for it is none.
func TestListingOfImages(t *testing.T) {
	for name, c := range map[string]struct {
		asked []string
		does  string
		want  bool
	}{
		"not asked":  {nil, "exit 124", true},
		"there":      {[]string{"i:1"}, "echo 'sha256:1|i:1'", true},
		"missing":    {[]string{"i:1"}, "echo 'Error response from daemon: No such image: i:1' >&2; exit 1", true},
		"timed out":  {[]string{"i:1"}, "exit 124", false},
		"cut in two": {[]string{"i:1", "i:2"}, "echo 'sha256:1|i:1'; exit 124", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\ncase \"$*\" in 'image inspect'*) "+c.does+" ;; esac\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			if out := listed(t, dir, c.asked); strings.Contains(out, "images=") != c.want {
				t.Errorf("%s", out)
			}
		})
	}
	unlisted := engine()
	delete(unlisted.Fields, "images")
	w := world{Facts: facts{EngineID("a"): unlisted, SystemID("a"): answer("disk", "x\n/dev/vda1 1 1 1048576 1% /\n")}}
	i, s := &BuiltImage{Host: "a", Ref: "i:1"}, &System{Host: "a", Image: "i:1", MinDisk: 3000}
	if got := append(i.Diff(w), s.Diff(w)...); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestListingThatIsNotWhole(t *testing.T) {
	e := &Engine{Host: "a", Stack: "prefect"}
	for name, c := range map[string]struct {
		fact Fact
		want bool
	}{
		"whole":         {yes("containers", "", "networks", "", "volumes", "", "built", "", "images", ""), false},
		"no images":     {yes("containers", "", "networks", "", "volumes", "", "built", ""), true},
		"no networks":   {yes("containers", "", "volumes", ""), true},
		"no containers": {yes("networks", "", "volumes", ""), true},
		"no engine":     {no(), false},
	} {
		if got := e.WhyUnknown(world{Facts: facts{e.ID(): c.fact}}); (got != "") != c.want {
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
	if err := template.Must(template.New("").Parse(ContainerFormat)).Execute(&out, oneShot); err != nil {
		t.Fatal(err)
	}
	e := EngineID("a")
	d, know := DockerOf(world{Facts: facts{e: yes("containers", out.String(), "networks", "", "volumes", "", "built", "", "images", "")}}, "a")
	if c := d.Containers["one"]; know != Yes || c.ID != "c0ffee" || c.State != "running" || c.Health != "" {
		t.Errorf("%v: %+v", know, c)
	}
}
