package glue

import "testing"

func TestShellWord(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"flows": "flows", "../my flows": "'../my flows'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "-x": "'-x'"} {
		if got := ShellWord(path); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
}
