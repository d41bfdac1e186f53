//go:build unix

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"

	"provision/inventory"
	"provision/remote/remotetest"
)

// notRun are the lines of the documentation that no test carries out, and why. Lines that call make are
// held to name a target of the Makefile: the targets are what CI runs.
var notRun = map[string]string{
	"go build -o bin/provision ./cmd/provision": "the program that is tested stands for it",
	"export DIGITALOCEAN_TOKEN=...":             "the token of the account's fake is there already",
	"export DATABASE_URL=...":                   "the url of a simulated database is there already",
}

// howHosts tells how the hosts of a page are, where they are not blank machines that root logs in to.
var howHosts = map[string]remotetest.HostOptions{
	"docs/howto/sudo.md":      {User: "ops", Privilege: remotetest.SudoPassword, Password: sudoPassword},
	"docs/howto/jump-host.md": {User: "ops"},
}

const sudoPassword = "hunter2"

const repository = "../.."

// pages are README.md and all of docs and examples.
func pages(t *testing.T) []string {
	t.Helper()
	all := []string{repository + "/README.md"}
	for _, dir := range []string{"docs", "examples"} {
		all = append(all, repositoryFiles(t, filepath.Join(repository, dir), ".md")...)
	}
	return all
}

// block is a fenced part of a page.
type block struct {
	language, text string
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

func blocks(text string) []block {
	var all []block
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all
}

// shell tells the blocks that are typed into one. Those without a language may be drawings.
func (b block) shell() bool {
	first, _, _ := strings.Cut(strings.TrimSpace(b.text), " ")
	return b.language == "sh" || b.language == "" && slices.Contains([]string{"provision", "bin/provision", "make", "go", "export", "git"}, first)
}

var fileName = regexp.MustCompile(`^# ([a-z0-9/._-]+\.(?:toml|py))\n`)

// file is the file that a block stands for: its first line is a comment with the name.
func (b block) file() string {
	if m := fileName.FindStringSubmatch(b.text); m != nil && (b.language == "toml" || b.language == "python") {
		return m[1]
	}
	return ""
}

// script is all that the page asks its reader to do, in its order, without the lines that are not run.
func script(t *testing.T, text string, skipped *sync.Map) string {
	t.Helper()
	targets := readText(t, repository+"/Makefile")
	var b strings.Builder
	for _, part := range blocks(text) {
		if name := part.file(); name != "" {
			b.WriteString("mkdir -p \"$(dirname " + name + ")\"; cat > " + name + " <<'EOF'\n" + part.text + "EOF\n")
			continue
		}
		if !part.shell() {
			continue
		}
		for line := range strings.Lines(part.text) {
			command, _, _ := strings.Cut(strings.TrimSpace(line), "  #")
			command = strings.TrimSpace(command)
			if target, ok := strings.CutPrefix(command, "make "); ok {
				if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`).MatchString(targets) {
					t.Errorf("the Makefile has no target %q", target)
				}
				continue
			}
			if notRun[command] != "" {
				skipped.Store(command, true)
				continue
			}
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestDocs does what the documentation says, page by page, as somebody who types it: on blank simulated
// hosts at the addresses that it names, and with the account's fake.
func TestDocs(t *testing.T) {
	t.Parallel()
	var skipped sync.Map
	all := pages(t)
	var ran atomic.Int32
	t.Cleanup(func() { // after the pages
		if t.Failed() || int(ran.Load()) < len(all) { // -run chose some of them
			return
		}
		for line := range notRun {
			if _, ok := skipped.Load(line); !ok {
				t.Errorf("no page has the line %q any more, which is not run", line)
			}
		}
	})
	for _, file := range all {
		name := strings.TrimPrefix(file, repository+"/")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ran.Add(1)
			text := readText(t, file)
			seen(t, name, text)
			understood(t, text)
			leads(t, file, text)
			typed := script(t, text, &skipped)
			if !strings.Contains(typed, "provision") {
				return
			}
			p := settle(t, howHosts[name], text, inventory.LayoutSplit.Text, readText(t, examples+"/flows/onprem.toml"))
			p.copies(repository + "/examples")
			if name == "docs/howto/database-elsewhere.md" {
				db, err := p.fleet.Database()
				if err != nil {
					t.Fatal(err)
				}
				p.write(filepath.Join(p.dir, "provider.pem"), string(db.CA()))
				p.env = append(p.env, "DATABASE_URL="+db.URL())
			}
			p.write(filepath.Join(p.home, "bin", "pass"), "#!/bin/sh\necho "+sudoPassword+"\n")
			if err := os.Chmod(filepath.Join(p.home, "bin", "pass"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(p.dir, "bin"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(itself(t, "provision"), filepath.Join(p.dir, "bin", "provision")); err != nil {
				t.Fatal(err)
			}
			p.env = append(p.env, "EDITOR=true", "PATH="+filepath.Join(p.home, "bin")+":"+p.path)
			if name == "docs/digitalocean.md" && !strings.Contains(typed, "provision init") { // it begins after the file was written
				typed = "provision init --digitalocean\n" + typed
			}
			p.follows(typed)
		})
	}
}

// seen wants no command to stand where this test does not look for it.
func seen(t *testing.T, name, text string) {
	t.Helper()
	rest := fence.ReplaceAllString(text, "")
	if strings.Contains(rest, "```") {
		t.Error("there is a block that is indented, not closed, or in a language with other letters than a to z")
	}
	for _, b := range blocks(text) {
		switch {
		case !slices.Contains([]string{"", "sh", "text", "toml", "python", "yaml", "json"}, b.language):
			t.Errorf("a block is in %q; commands are in sh", b.language)
		case name == "docs/reference/commands.md": // made of the help, whose examples TestHelp looks at
		case !b.shell() && b.language != "yaml" && regexp.MustCompile(`(?m)^(bin/)?provision |^make `).MatchString(b.text):
			t.Errorf("a block has a command and is not in sh:\n%s", b.text)
		}
	}
}

var inline = regexp.MustCompile("`(provision [^`]+)`")

// TestMentions: each command that running text names is run, with the flags that it has there, by a
// script of the tests or by what a page has its reader type.
func TestMentions(t *testing.T) {
	t.Parallel()
	ran := map[string][][]string{} // verb to the flags of each call
	note := func(calls [][]string) {
		for _, call := range calls {
			verb, flags := spelling(t, call)
			ran[verb] = append(ran[verb], flags)
		}
	}
	all, none := pages(t), &sync.Map{}
	for _, file := range all {
		note(called(t, script(t, readText(t, file), none)))
	}
	for _, file := range repositoryFiles(t, "testdata/script", ".txtar") {
		for _, m := range regexp.MustCompile(`(?m)^(?:! |\? |exec |exits \d+ |terminal \S+ \d+ )*(provision .*)$`).FindAllStringSubmatch(readText(t, file), -1) {
			note(called(t, strings.TrimSuffix(m[1], "&")))
		}
	}
	for _, file := range append(all, repository+"/CONTRIBUTING.md") {
		for _, m := range inline.FindAllStringSubmatch(fence.ReplaceAllString(readText(t, file), ""), -1) {
			for _, call := range called(t, m[1]) {
				verb, flags := spelling(t, call)
				if !slices.ContainsFunc(ran[verb], func(with []string) bool {
					return !slices.ContainsFunc(flags, func(f string) bool { return !slices.Contains(with, f) })
				}) {
					t.Errorf("%s: nothing runs %s with %v: `%s`", file, verb, flags, m[1])
				}
			}
		}
	}
}

// spelling is the verb of a call, and the names of its flags.
func spelling(t *testing.T, words []string) (verb string, flags []string) {
	t.Helper()
	root := (&cli{}).root()
	cmd, rest, err := root.Find(words[1:])
	if err != nil {
		return strings.Join(words, " "), nil // the tests of mistakes have some of these
	}
	_ = cmd.ParseFlags(rest)
	cmd.Flags().Visit(func(f *pflag.Flag) { flags = append(flags, f.Name) })
	return cmd.CommandPath(), flags
}

// understood wants every command in running text to be one, and every piece of TOML to be some.
func understood(t *testing.T, text string) {
	t.Helper()
	for _, b := range blocks(text) {
		var tree map[string]any
		if _, err := toml.Decode(b.text, &tree); b.language == "toml" && err != nil {
			t.Errorf("%v in\n%s", err, b.text)
		}
	}
	for _, m := range inline.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		for _, call := range called(t, m[1]) {
			accepts(t, call)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// leads wants the links to other files to lead somewhere.
func leads(t *testing.T, file, text string) {
	t.Helper()
	for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
			t.Errorf("a link leads nowhere: %s", m[1])
		}
	}
}

// TestIndex: every page can be found from docs/README.md, and that from README.md.
func TestIndex(t *testing.T) {
	t.Parallel()
	index := readText(t, repository+"/docs/README.md")
	for _, file := range repositoryFiles(t, repository+"/docs", ".md") {
		name, err := filepath.Rel(repository+"/docs", file)
		if err != nil {
			t.Fatal(err)
		}
		if name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/README.md does not link to %s", name)
		}
	}
	if !strings.Contains(readText(t, repository+"/README.md"), "](docs/README.md)") {
		t.Error("README.md does not link to docs/README.md")
	}
}
