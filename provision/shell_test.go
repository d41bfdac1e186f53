package provision

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"mvdan.cc/sh/v3/syntax"

	"provision/files"
	"provision/provision/platform"
	"provision/provision/resource"
	"provision/remote"
)

// sent records the scripts that are sent to hosts, by what sends them. It answers as a blank host of a family.
type sent struct {
	scripts   map[string]string
	name      string
	osRelease string
}

func (s *sent) put(script string) { s.scripts[fmt.Sprintf("%s %d", s.name, len(s.scripts))] = script }

func (s *sent) Sh(_ context.Context, script string) (string, error) {
	s.put(script)
	return "", nil
}

// Get answers what makes the changes go on: a clock, an engine that is missing, and an identity.
func (s *sent) Get(_ context.Context, script string) (string, error) {
	s.put(script)
	switch {
	case strings.HasSuffix(script, "date +%s"):
		return "1700000000\n", nil
	case strings.HasSuffix(script, "head -c 8192 /etc/os-release\n"):
		return "missing\n" + s.osRelease, nil
	case strings.Contains(script, "docker exec \"$@\""):
		return "", errors.New("Caddy gives no answer") // which is waited for otherwise
	case strings.Contains(script, ".provision.described"):
		return "{}", nil
	case strings.Contains(script, "/id'"):
		return "prefect 00000000-0000-4000-8000-000000000000\n", nil
	}
	return "", nil
}

func (s *sent) Stage(context.Context, string, []byte) (string, error) {
	return "/var/tmp/.provision-XXXXXXXX/1-x", nil
}

// allScripts are the scripts of every resource of some stacks: what looks, and each change that there is, possible here or not.
func allScripts(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, inventory := range []string{"../examples/single/onprem.toml", "../examples/split/onprem.toml", droplets(t), databaseElsewhere(t)} {
		s, err := Load(t.Context(), inventory, "")
		if err != nil {
			t.Fatal(err)
		}
		to := &sent{scripts: all, name: filepath.Base(filepath.Dir(inventory)) + ": observe", osRelease: "ID=debian\nVERSION_ID=13\nVERSION_CODENAME=trixie\n"}
		observe := resource.NewScript("00000000000000000000000000000000")
		for _, r := range s.Resources {
			r.Probe(observe)
		}
		resource.ProbeLock(observe, "a")
		to.put(observe.String())
		host := func(context.Context, string) (resource.Host, error) { return to, nil }
		for _, r := range s.Resources {
			for _, act := range []resource.Act{resource.Add, resource.Modify, resource.Replace, resource.Remove, resource.Reload, resource.Await} {
				for _, id := range []resource.ID{r.ID(), {Host: r.ID().Host, Kind: "container", Name: "x"}, {Host: r.ID().Host, Kind: "networks", Name: "x"}, {Host: r.ID().Host, Kind: "backups"}, {Host: r.ID().Host, Kind: "files in", Name: "x"}} {
					if _, ok := r.(*resource.Leftovers); !ok && id != r.ID() {
						continue
					}
					to.name = fmt.Sprintf("%s: %s %s", filepath.Base(filepath.Dir(inventory)), act, id)
					run := &resource.Run{Resources: s.ByID, Host: host}
					func() {
						defer func() { _ = recover() }() // a cloud's resource without an account
						_ = r.Do(t.Context(), run, resource.Change{ID: id, Act: act, Diff: "-/etc/provision/prefect/x\n"})
					}()
				}
			}
		}
		to.name = "drain and wake"
		run := &resource.Run{Resources: s.ByID, Host: host, Redial: func(context.Context, string) error { return nil }}
		for _, do := range []error{resource.Drain(t.Context(), run, "a", "prefect"), resource.Wake(t.Context(), run, "a", "prefect")} {
			if do != nil {
				t.Fatal(do)
			}
		}
		to.name = "stop before a rotation"
		if err := (&resource.Paused{Host: "a", Container: "x"}).Do(t.Context(), run, resource.Change{}); err != nil {
			t.Fatal(err)
		}
		to.name = "packages"
		for _, family := range []string{"debian", "rocky"} {
			f, _ := platform.Find(family)
			from := platform.Repository{URL: "https://mirror.example.org", Suite: "9"}
			for _, script := range []string{f.Packages.Update(), f.Packages.Install("a", "b"), f.Packages.Installed("a", "b"), f.Packages.Ask(from), f.Packages.OfficialRepository(from, "a key\n")} {
				if _, err := run.Sh(t.Context(), "a", script); err != nil {
					t.Fatal(err)
				}
			}
		}
		to.name = "lock and login"
		lock := remote.ReadScripts(os.DirFS("fleet"))
		const note = resource.NotePath
		for _, script := range []string{
			lock.With("lock_take", "root", resource.Root, "lock", resource.LockPath, "code", "75"), lock.With("lock_begin", "note", note, "who", "ada"),
			lock.With("lock_read", "note", note), lock.With("lock_own", "note", note, "mark", "pid 1 2") + `touch -c "$note"`,
			lock.With("lock_await", "label", resource.LabelStack), lock.With("lock_end", "p", "1", "s", "2"), scripts.With("login_read", "f", "/f"), scripts.With("backup_make", "program", "/p"), scripts.With("backup_list", "dir", "/d"),
		} {
			to.put(script)
		}
		to.name = "host key"
		hostKey := remote.ReadScripts(os.DirFS("cloud/digitalocean")) // the account that its change needs is not here
		to.put(hostKey.With("hostkey_make", "key", "/key", "born", "x"))
		to.put(hostKey.With("hostkey_show", "key", "/key"))
		to.name = "remote"
		own := remote.ReadScripts(os.DirFS("../remote"))
		to.put(own.With("upload_cat", "f", "/f", "t", "/t", "size", "1", "mode", "600"))
		to.put(own.With("download", "f", "/f"))
		to.put(own.With("stop", "g", "2"))
		to.name = "look"
		for _, source := range []string{"auto", "official", "distro", "present"} {
			to.put(observing(t, platform.Look("https://mirror.example.org", source)))
		}
	}
	return all
}

// observing is a function look of the observing script, with what that has for it.
func observing(t *testing.T, look string) string {
	t.Helper()
	s := resource.NewScript("0")
	s.Once("look", look)
	s.Record(resource.EngineID("a"), "look")
	return s.String()
}

// databaseElsewhere writes the files of a stack whose database is not its own.
func databaseElsewhere(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"onprem.toml":  "stack = \"stack.toml\"\n[hosts.prefect]\naddress = \"192.0.2.11\"\nroles = [\"server\", \"agent\"]\n",
		"stack.toml":   fmt.Sprintf("[prefect]\nversion = %q\n", files.Generations[1].Prefect) + "[postgres]\nurl = { file = \"database-url\" }\n",
		"database-url": "postgresql://user:password@db.example.org/prefect",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "onprem.toml")
}

// droplets writes the example with droplets where its files are.
func droplets(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../examples/droplets/prod.toml")
	if err != nil {
		t.Fatal(err)
	}
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"prod.toml": strings.NewReplacer("~/.ssh/id_ed25519.pub", "key.pub", "region = ", "token = { file = \"token\" }\nregion = ").Replace(string(text)),
		"key.pub":   string(ssh.MarshalAuthorizedKey(key)),
		"token":     "dop_v1_0\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "prod.toml")
}

// shellFiles are the .sh files of what is sent to hosts, by path.
func shellFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, dir := range []string{".", "../remote", "../files"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "testdata" {
				return fs.SkipDir
			}
			if err == nil && strings.HasSuffix(path, ".sh") {
				text, readErr := os.ReadFile(path)
				files[path], err = string(text), readErr
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestShellFiles: what is sent of a file means the same as what stands in it, and each file is in some script that TestShellcheck
// judges.
func TestShellFiles(t *testing.T) {
	t.Parallel()
	var rendered strings.Builder
	for _, script := range allScripts(t) {
		rendered.WriteString(script + "\n")
	}
	files := shellFiles(t)
	if len(files) < 60 {
		t.Fatalf("only %d files were found", len(files))
	}
	for path, text := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".sh")
		stripped := remote.ReadScripts(os.DirFS(filepath.Dir(path))).With(name)
		quoted := remote.Quote(stripped) // within a script that another is handed to
		if want, got := minified(t, path, text), minified(t, path, stripped); want != got {
			t.Errorf("%s means something else without its comments and indentation:\n%s", path, got)
		}
		if !strings.Contains(rendered.String(), strings.TrimSpace(stripped)) && !strings.Contains(rendered.String(), quoted[1:len(quoted)-1]) {
			t.Errorf("%s is in no script that was rendered: a resource's is if one of the inventories in allScripts has the resource; any other is added there", path)
		}
	}
}

// minified prints a script without comments and without the marks of its layout.
func minified(t *testing.T, name, script string) string {
	t.Helper()
	f, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(script), name)
	if err != nil {
		t.Error(err)
		return ""
	}
	var b bytes.Buffer
	if err := syntax.NewPrinter(syntax.Minify(true)).Print(&b, f); err != nil {
		t.Error(err)
	}
	return b.String()
}

// allowed are the findings of shellcheck that are none here.
var allowed = map[string]string{
	"SC1091": "os-release is the host's and cannot be followed",
	"SC2015": "A && B || C is meant as it is: C is for a failure of B, too",
	"SC3013": "-nt is in dash and in busybox",
	"SC2016": "values stand in single quotes, and are not to be expanded",
}

// TestShellcheck has the real shellcheck judge every script that is sent, as it is sent.
func TestShellcheck(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed")
	}
	dir := t.TempDir()
	texts := map[string]bool{}
	var paths []string
	all := allScripts(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if texts[all[name]] {
			continue
		}
		texts[all[name]] = true
		path := filepath.Join(dir, fmt.Sprintf("%03d-%s.sh", len(paths), strings.Map(func(r rune) rune {
			if r == '/' || r == ' ' || r == ':' {
				return '_'
			}
			return r
		}, name)))
		if err := os.WriteFile(path, []byte(all[name]), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	t.Logf("%d scripts", len(paths))
	for chunk := range slices.Chunk(paths, 50) {
		out, err := exec.CommandContext(t.Context(), "shellcheck", append([]string{"--shell=sh", "--format=gcc", "--exclude=" + strings.Join(slices.Sorted(maps.Keys(allowed)), ",")}, chunk...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, strings.ReplaceAll(string(out), dir+"/", ""))
		}
	}
}
