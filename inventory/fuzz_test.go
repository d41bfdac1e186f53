package inventory

import (
	"path/filepath"
	"strings"
	"testing"

	"provision/inventory/strict"
)

// FuzzLoad wants an answer to any text: no panic, every problem on one printable line with its file and line,
// and nothing in it of a literal where a secret's reference belongs.
func FuzzLoad(f *testing.F) {
	const canary = "c4naryc4nary"
	forms := []string{`"` + canary + `"`, `'` + canary + `'`, canary, `"""` + canary + `"""`, `{ env = "` + canary + `!" }`, `[ "` + canary + `" ]`, `{ value = ` + canary + ` }`, `"` + canary, canary + `" }`}
	for _, c := range badCases {
		f.Add(c.text, "", uint8(len(c.text)))
	}
	for n, layout := range []Layout{LayoutSingle, LayoutSplit} {
		f.Add("", layout.Text, uint8(n))
		f.Add(layout.Text, "", uint8(n))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, before, after string, form uint8) {
		if strings.Contains(before+after, "/dev/") || strings.Contains(before+after, canary[:4]) {
			return
		}
		text := before + "\n[sudo]\npassword = " + forms[int(form)%len(forms)] + "\n" + after
		inv, problems := parseAndLoad(filepath.Join(dir, "onprem.toml"), text)
		if inv == nil && problems.Err() == nil {
			t.Fatal("neither an inventory nor a problem")
		}
		for _, p := range problems {
			line := p.String()
			if p.Line < 1 || p.Line > 1+strings.Count(text, "\n") || p.File == "" || strings.ContainsFunc(line, strict.Control) {
				t.Errorf("%q: %q", text, line)
			}
			if strings.Contains(line, canary) {
				t.Errorf("%q: the message has the secret in it: %s", text, line)
			}
		}
		if inv != nil {
			inv.Server()
			inv.Agents()
			inv.ServerIP()
		}
	})
}
