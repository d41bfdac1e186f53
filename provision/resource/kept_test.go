package resource

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// machine runs what a change runs, here.
type machine struct{ Host }

func (machine) Sh(ctx context.Context, script string) (string, error) {
	out, err := exec.CommandContext(ctx, "sh", "-c", script).CombinedOutput()
	return string(out), err
}

// A file without content never takes the place of one with it, on either side. The mark that the
// stack was born here has none by right.
func TestKept(t *testing.T) {
	t.Parallel()
	const missing = "-"
	for name, c := range map[string]struct {
		used, kept         string // before
		lost, differs      bool
		restored, keptThen string // the one in use after restore, the kept one after Do without it
	}{
		"both":           {"a", "a", false, false, "a", "a"},
		"new":            {"a", missing, false, true, "a", "a"},
		"changed":        {"b", "a", false, true, "b", "b"},
		"gone":           {missing, "a", true, false, "a", "a"},
		"emptied":        {"", "a", true, false, "a", "a"},
		"a mark":         {"", missing, false, true, "", ""},
		"a mark, kept":   {"", "", false, false, "", ""},
		"a mark, gone":   {missing, "", true, false, "", ""},
		"emptied beside": {"a", "", false, true, "a", "a"},
		"nowhere":        {missing, missing, false, false, missing, missing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			k := &Kept{Host: "h", Base: dir + "/used", Dir: dir + "/kept", Files: []string{"sub/f"}}
			put := func() {
				for at, content := range map[string]string{k.Base: c.used, k.Dir: c.kept} {
					f := filepath.Join(at, "sub/f")
					if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
						t.Fatal(err)
					}
					os.Remove(f)
					if content == missing {
						continue
					}
					if err := os.WriteFile(f, []byte(content), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			read := func(at string) string {
				b, err := os.ReadFile(filepath.Join(at, "sub/f"))
				if err != nil {
					return missing
				}
				return string(b)
			}
			put()
			s := NewScript("n")
			k.Probe(s)
			s.Record(ID{"h", "disk", ""}, k.lost()+"\nyes")
			out, err := machine{}.Sh(t.Context(), s.String())
			if err != nil {
				t.Fatal(err, out)
			}
			got, _ := s.Parse([]byte(out))
			if lost := got[ID{"h", "disk", ""}].Fields["lost"] != ""; lost != c.lost {
				t.Errorf("lost: %t", lost)
			}
			if differs := got[k.ID()].Fields["differ"] != ""; differs != c.differs {
				t.Errorf("differs: %t", differs)
			}
			run := &Run{Host: func(context.Context, string) (Host, error) { return machine{}, nil }}
			if err := k.Do(t.Context(), run, Change{}); err != nil {
				t.Fatal(err)
			}
			if got := read(k.Dir); got != c.keptThen {
				t.Errorf("kept is %q", got)
			}
			put()
			if _, err := run.Sh(t.Context(), "h", k.restore()); err != nil {
				t.Fatal(err)
			}
			if got := read(k.Base); got != c.restored {
				t.Errorf("in use is %q", got)
			}
		})
	}
}
