package remote

import (
	"os/exec"
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
