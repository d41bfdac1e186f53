//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completing is a directory with inventories whose hosts nobody could connect to, and the environment
// in which a shell finds the command.
func completing(t *testing.T) (dir string, env []string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"onprem.toml":  "[hosts.prefect]\naddress = \"192.0.2.11\"\nroles = [\"server\"]\n[hosts.worker-1]\naddress = \"192.0.2.21\"\nroles = [\"agent\"]\n[hosts.worker-2]\naddress = \"192.0.2.22\"\nroles = [\"agent\"]\n",
		"default.toml": "[hosts.alone]\naddress = \"192.0.2.11\"\nroles = [\"server\", \"agent\"]\n",
		"broken.toml":  "[hosts.prefect\n",
		"wrong.toml":   "[hosts.prefect]\nadress = \"192.0.2.11\"\nroles = [\"server\"]\n",
		"prod.toml":    "url = \"https://prefect.example.org\"\n[digitalocean]\nname = \"prod\"\nregion = \"fra1\"\nssh_keys = [\"id.pub\"]\nadmin_cidrs = [\"203.0.113.7/32\"]\n[droplets.prefect]\nroles = [\"server\"]\n[droplets.worker]\nroles = [\"agent\"]\ncount = 2\n",
		"id.pub":       somePublicKey(t),
		"notes.txt":    "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Dir(itself(t, "provision"))
	return dir, []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "TERM=xterm", "PROVISION_INVENTORY=default.toml"}
}

// completions are command lines with the cursor at their end, and all that may stand there; with ...
// at the end, some of it.
var completions = map[string]string{
	"provision pl":                                         "plan",
	"provision dr":                                         "droplet",
	"provision droplet d":                                  "destroy",
	"provision completion ":                                "bash fish zsh",
	"provision plan --deta":                                "--detailed-exitcode",
	"provision apply -i onprem.toml --limit ":              "agent prefect server worker-1 worker-2",
	"provision apply -i onprem.toml --limit w":             "worker-1 worker-2",
	"provision apply --inventory=onprem.toml --limit s":    "server",
	"provision apply --limit ":                             "agent alone server",
	"provision apply -i broken.toml --limit ":              "",
	"provision apply -i wrong.toml --limit ":               "",
	"provision apply -i none.toml --limit ":                "",
	"provision plan -i ":                                   "broken.toml default.toml onprem.toml prod.toml wrong.toml",
	"provision rotate -i onprem.toml poll":                 "poll poll:worker-1 poll:worker-2",
	"provision rotate -i onprem.toml database da":          "",
	"provision dest":                                       "destroy",
	"provision graph --format m":                           "mermaid",
	"provision droplet destroy -i prod.toml w":             "worker-1 worker-2",
	"provision droplet create -i onprem.toml ":             "",
	"provision apply -i onprem.toml --limit worker-1,work": "worker-1,worker-2",
}

// shellCompletes asks a shell for each of the lines and compares what it would offer.
func shellCompletes(t *testing.T, offer func(line string) []string) {
	t.Helper()
	for line, want := range completions {
		got := offer(line)
		slices.Sort(got)
		if got = slices.Compact(got); strings.Join(got, " ") != want {
			t.Errorf("%q: offered %q, want %q", line, got, want)
		}
	}
}

func shell(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("skipped: there is no %s here", name)
	}
}

func output(t *testing.T, dir string, env []string, name string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, env
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%s: %v\n%s%s", name, err, out, errs.String())
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	shell(t, "bash")
	library := "/usr/share/bash-completion/bash_completion"
	if _, err := os.Stat(library); err != nil {
		t.Skip("skipped: there is no bash-completion here")
	}
	dir, env := completing(t)
	// What bash does for the Tab key: words of the line, the one at the cursor, and the function that was named for the command.
	const script = `source "$1"; source <(provision completion bash)
read -ra COMP_WORDS <<< "$2"; [[ $2 == *' ' ]] && COMP_WORDS+=("")
COMP_LINE=$2 COMP_POINT=${#2} COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_TYPE=9
complete -p provision | grep -q __start_provision || exit 1
compopt() { :; }
__start_provision provision "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]%% *}"`
	shellCompletes(t, func(line string) []string {
		var words []string
		for _, word := range output(t, dir, env, "bash", "--norc", "-c", script, "bash", library, line) {
			words = append(words, strings.ReplaceAll(word, `\`, "")) // as the shell will read it
		}
		return words
	})
}

func TestCompletionInFish(t *testing.T) {
	t.Parallel()
	shell(t, "fish")
	dir, env := completing(t)
	shellCompletes(t, func(line string) []string {
		var words []string
		for _, offer := range output(t, dir, env, "fish", "--no-config", "-c", `provision completion fish | source; complete --do-complete $argv[1]`, line) {
			word, _, _ := strings.Cut(offer, "\t")
			if ends := filepath.Ext(word); !strings.HasSuffix(line, "-i ") || ends == ".toml" { // fish cannot be told which files
				words = append(words, word)
			}
		}
		return words
	})
}

// TestCompletionInZsh presses the Tab key.
func TestCompletionInZsh(t *testing.T) {
	t.Parallel()
	shell(t, "zsh")
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Fatal(err)
	}
	dir, env := completing(t)
	s := start(t, dir, 120, 30, append(env, "PS1=ready> "), zsh, "-f", "-i")
	seen := 0
	shows := func(text string) {
		t.Helper()
		s.waitAfter(seen, text)
		seen += strings.Index(s.text()[seen:], text) + len(text)
	}
	shows("ready> ")
	s.typed("unset zle_bracketed_paste; zmodload zsh/complist; autoload -Uz compinit; compinit -D -u; source <(provision completion zsh); print com''plete\r")
	shows("complete\r\n")
	for _, press := range []struct{ line, shown string }{
		{"provision pl", "an"},
		{"provision apply -i onprem.toml --limit s", "erver"},
		{"provision apply -i onprem.toml --limit ", "worker-2"},
		{"provision apply --limit al", "one"},
		{"provision droplet destroy -i prod.toml p", "refect"},
	} {
		shows("ready> ")
		s.typed(press.line)
		shows(press.line[len(press.line)-2:])
		s.typed("\t")
		shows(press.shown)
		s.typed("\x15\r") // away with the line, and another prompt
	}
	for _, file := range []string{"broken", "wrong", "none"} {
		shows("ready> ")
		s.typed("provision apply -i " + file + ".toml --limit \t\x15print not''hing\r")
		shows("nothing\r\n")
	}
	s.typed("exit\r")
	<-s.ended
	if strings.Contains(s.text(), "error") || strings.Contains(s.text(), "not TOML") {
		t.Errorf("an error is shown:\n%q", s.text())
	}
}
