package declared

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPublicKeys reads every key of each file, each key once, and nothing that is half a key.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	one, two, three := publicKeyText(t), publicKeyText(t), publicKeyText(t)
	short := func(text string) string { return strings.TrimSpace(text) }
	for name, test := range map[string]struct {
		files []string
		want  []string
		fails string
	}{
		"one":                {[]string{one}, []string{one}, ""},
		"several in a file":  {[]string{"# ours\n" + short(one) + " ann@example\n\n" + two + three}, []string{one, two, three}, ""},
		"the same twice":     {[]string{one + two, two + one}, []string{one, two}, ""},
		"no newline, CR":     {[]string{short(one) + "\r\n" + short(two)}, []string{one, two}, ""},
		"half a key":         {[]string{one + two[:40] + "\n"}, nil, "has something else than a public key in OpenSSH's form in its line 2"},
		"with options":       {[]string{one + `from="10.0.0.0/8" ` + two}, nil, "has a key with options in its line 2"},
		"none":               {[]string{"# nothing\n"}, nil, "has no public key"},
		"a private one, too": {[]string{one + "-----BEGIN OPENSSH PRIVATE KEY-----\n"}, nil, "is a private key"},
	} {
		d := &Account{}
		for n, text := range test.files {
			file := filepath.Join(t.TempDir(), "keys"+string(rune('0'+n)))
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			d.SSHKeys = append(d.SSHKeys, file)
		}
		keys, err := d.PublicKeys()
		if test.fails != "" {
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || len(keys) != len(test.want) {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
			continue
		}
		for n, k := range keys {
			if k.Text != short(test.want[n]) {
				t.Errorf("%s: key %d is %q", name, n, k.Text)
			}
		}
	}
}
