package remote

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"
)

// TestScripts has a real shell read back what values and lists became, and what of a file is sent.
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts := ReadScripts(fstest.MapFS{
		"show.sh": {Data: []byte("# a comment\nfor x; do\n\t# another\n\tprintf '<%s>' \"$x\"\ndone\nprintf '[%s]' \"$a\" \"$b\"\n# shellcheck disable=SC2086 # directives stay\n")},
		"other":   {Data: []byte("no script")},
	})
	const sent = "for x; do\nprintf '<%s>' \"$x\"\ndone\nprintf '[%s]' \"$a\" \"$b\"\n# shellcheck disable=SC2086 # directives stay\n"
	if got := scripts.With("show"); got != sent || len(scripts) != 1 {
		t.Errorf("%d scripts; sent is %q, want %q", len(scripts), got, sent)
	}
	hostile := []string{"", " ", "it's", "$(id) `id` \\ \"", "two\nlines\n", "-n", "*"}
	want := ""
	for _, v := range hostile {
		want += "<" + v + ">"
	}
	want += "[" + hostile[3] + "][" + hostile[4] + "]"
	out, err := exec.CommandContext(t.Context(), "/bin/sh", "-euc", Args(hostile...)+scripts.With("show", "a", hostile[3], "b", hostile[4])).CombinedOutput()
	if err != nil || string(out) != want {
		t.Errorf("%v: got %q, want %q", err, out, want)
	}
	for name, wrong := range map[string]func(){
		"no such script": func() { scripts.With("other") },
		"no name":        func() { Set("a;id", "x") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: it is taken", name)
				}
			}()
			wrong()
		}()
	}
}

// TestFrames has the real shellcheck judge what stands around a script on its way.
func TestFrames(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed")
	}
	const begin, end = "PROVISIONX-0-BEGIN", "PROVISIONX-0-END"
	j := newJob("PROVISIONX", 0, 0, nil)
	for name, text := range map[string]string{
		"login":    commandLine("X-REACHED", "", "exec /bin/sh"),
		"sudo":     commandLine("X-REACHED", "sudo -n", "exec /bin/sh"),
		"password": sudoLine("X-REACHED", "sudo -S -p X-PASSWORD", "X-READY", "exec /bin/sh", false),
		"terminal": commandLine("X-REACHED", "", readScript),
		"screen":   onTerminal(j, "echo a"),
		"account":  onTerminal(j, ""),
		"start":    startProgram(begin, "exec flock -n /run/lock sh"),
		"script":   wrap(begin, end, "echo 'a'"),
		"stream":   wrapped(begin, end, "cat", fmt.Sprintf(tellGroup, Quote(begin+groupMark)), "", `exit "$1"`),
	} {
		cmd := exec.CommandContext(t.Context(), "shellcheck", "--shell=sh", "--format=gcc", "--exclude=SC2016", "-") // quoted for another shell
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, text)
		}
	}
}
