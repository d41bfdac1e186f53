package provision

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"provision/files"
	"provision/files/naming"
)

// sources are the files of the product, without tests, by their path in the repository: what users and hosts get, and the simulated hosts.
func sources(t *testing.T) map[string]string {
	t.Helper()
	root := ".."
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Skipf("no list of the files: %v", err)
	}
	all := map[string]string{}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		top, _, _ := strings.Cut(name, "/")
		if !slices.Contains([]string{"cmd", "files", "inventory", "provision", "remote"}, top) || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "/testdata/") || strings.Contains(name, "/prefect/tests/") || strings.Contains(name, "/python/tests/") || strings.HasSuffix(name, ".lock") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			continue // removed and not committed
		}
		all[name] = string(text)
	}
	if len(all) < 300 {
		t.Fatalf("only %d files were looked at", len(all))
	}
	return all
}

// owned tells whether a path is of one of these folders and files.
func owned(name string, owners []string) bool {
	return slices.ContainsFunc(owners, func(o string) bool { return strings.HasPrefix(name, o) })
}

// found are the lines that match, as FILE:LINE: TEXT, outside of the folders and files that own what is looked for.
func found(all map[string]string, pattern string, owners ...string) (places []string) {
	look := regexp.MustCompile(pattern)
	for name, text := range all {
		if owned(name, owners) || !look.MatchString(text) {
			continue
		}
		for n, line := range strings.Split(text, "\n") {
			if look.MatchString(line) {
				places = append(places, name+":"+strconv.Itoa(n+1)+": "+strings.TrimSpace(line))
			}
		}
	}
	slices.Sort(places)
	return places
}

// TestArchitectureGenerations: what is true of one generation of Prefect stands in its folder, what several share in files/glue, and what simulated hosts
// know of either in files named after them.
func TestArchitectureGenerations(t *testing.T) {
	t.Parallel()
	all := sources(t)
	shared := []string{"files/glue/", "remote/remotetest/glue"}
	for _, g := range files.Generations {
		shared = append(shared, "files/gen"+g.Major()+"/", "remote/remotetest/gen"+g.Major())
	}
	outside := func(what, pattern string, owners ...string) {
		t.Helper()
		places, inside := found(all, pattern), false
		for _, place := range places {
			if owned(place, owners) {
				inside = true
				continue
			}
			t.Errorf("%s, and outside of %s: %s", what, owners, place)
		}
		if !inside {
			t.Errorf("nothing in %s has %q: the pattern is of no use", owners, pattern)
		}
	}
	for _, pattern := range []string{`provision_glue|provision_guard|provision-bridge|received\.py`, `prefect agent |"agent start|prefect server `, `/api/`, `poetry\.lock|uv\.lock`} {
		outside("of generations", pattern, shared...)
	}
	for _, g := range files.Generations {
		own := []string{"files/gen" + g.Major() + "/", "remote/remotetest/gen" + g.Major()}
		for _, place := range found(all, `\b`+regexp.QuoteMeta(fmt.Sprintf("%s:%d", g.Routes.Server, g.Routes.Port))+`\b`, shared...) {
			t.Errorf("the address of the server: %s", place)
		}
		for _, pattern := range []string{`\bv?` + regexp.QuoteMeta(g.Prefect) + `\b`, `\bPrefect ` + g.Major() + `\b`, regexp.QuoteMeta(g.Python), regexp.QuoteMeta(g.Postgres)} {
			outside("of Prefect "+g.Prefect, pattern, own...)
		}
	}
	outside("of Prefect 2", `Python 3\.8|>=3\.8|1\.8\.5`, "files/gen2/", "files/glue/python/", "remote/remotetest/gen2")
}

// TestArchitectureNames: a name that belongs to a stack is put together in files/naming, and handed to whoever needs it: Go, shell, templates and Python.
func TestArchitectureNames(t *testing.T) {
	t.Parallel()
	all := sources(t)
	roles := naming.RoleServer + "|" + naming.RoleAgent
	for _, g := range files.Generations {
		for _, p := range g.Parts {
			roles += "|" + regexp.QuoteMeta(p.Name)
		}
	}
	for _, name := range []struct{ what, pattern, example string }{
		{"a label", `["=]provision\.(stack|id|definition|mounts)\b`, `{{.Label "provision.stack"}}`},
		{"the directory on hosts", "[\"'`]" + naming.Root + "\\b[^-]", `"/var/lib/provision/prefect"`},
		{"a user id", `\b(` + naming.PrefectUID + `|` + naming.CaddyUID + `)\b`, "USER 10001:10001"},
		{"the prefix of a queue", "[\"'`]" + naming.HostQueuePrefix + "[\"'`]", `"host-" + host`},
		{"a tag of deployments", "[\"'`]provision:[\"'`]", `"provision:" + stack`},
		{"a container in Go", "\\+ *[\"'`]-(" + roles + ")[\"'`]", `stack + "-server"`},
		{"a container in shell", `[%}]-(` + roles + `)\b`, "a=${container%-business-logic}-agent"},
		{"a network", "-network[\"'`]", `name + "-network"`},
	} {
		if !regexp.MustCompile(name.pattern).MatchString(name.example) {
			t.Errorf("%s is not found in %s", name.what, name.example)
		}
		for _, place := range found(all, name.pattern) {
			// What a cloud calls its things, and marks them with, is its own.
			if !strings.HasPrefix(place, "files/naming/") && !strings.HasPrefix(place, "provision/cloud/") {
				t.Errorf("%s outside of files/naming: %s", name.what, place)
			}
		}
	}
}

// TestArchitectureForeign: what is decided is decided by types, codes and exit statuses, or by foreign.go, and shell stands in .sh files.
func TestArchitectureForeign(t *testing.T) {
	t.Parallel()
	all := sources(t)
	maps.DeleteFunc(all, func(name, _ string) bool { return !strings.HasSuffix(name, ".go") })
	for _, rule := range []struct{ what, pattern, example string }{
		{"the text of an error decides", `(Contains|HasPrefix|HasSuffix|EqualFold|MatchString)\([^()]*\.Error\(\)`, `if strings.Contains(err.Error(), "denied") {`},
		{"shell in Go", `^\s*(if \[.*; then|while .*; do|for .*; do|fi|esac)$`, `if [ -e "$f" ]; then`},
	} {
		if !regexp.MustCompile(rule.pattern).MatchString(rule.example) {
			t.Errorf("%s is not found in %s", rule.what, rule.example)
		}
		for _, place := range found(all, rule.pattern, "remote/remotecontract/") {
			t.Errorf("%s: %s", rule.what, place)
		}
	}
}
