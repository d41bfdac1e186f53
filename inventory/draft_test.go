package inventory

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestDraft: answers stand in the place of examples, what is commented out becomes a key, and the file reads as it was meant.
func TestDraft(t *testing.T) {
	t.Parallel()
	d := NewDraft(LayoutSplit)
	d.Set("hosts.prefect.address", "10.0.0.11")
	d.Agents([]string{"10.0.0.21", "10.0.0.22", "10.0.0.23"})
	d.Agents([]string{"10.0.0.31", "w2.example.org"}) // answered again
	d.Set("ssh.user", "ops")
	d.Set("tls.mode", "off")
	d.Set("tls.allow_plaintext", true)
	d.Set("url", "http://prefect.example.org:4200")
	inv, problems := d.Check()
	if problems != nil {
		t.Fatal(problems)
	}
	var hosts []string
	for _, h := range inv.Hosts {
		hosts = append(hosts, h.Name+" "+h.User+"@"+h.Address)
	}
	if want := []string{"prefect ops@10.0.0.11", "worker-1 ops@10.0.0.31", "worker-2 ops@w2.example.org"}; !reflect.DeepEqual(hosts, want) {
		t.Errorf("hosts are %v, want %v", hosts, want)
	}
	if inv.URL != "http://prefect.example.org:4200" || inv.TLS.Mode != TLSOff {
		t.Errorf("%s %s", inv.URL, inv.TLS.Mode)
	}
	for _, line := range []string{
		`address = "10.0.0.11"                      # an IP address or a DNS name`,
		`allow_plaintext = true                     # off: passwords and tokens travel in clear`,
		`# email = "ops@example.org"                # acme: a contact for the account`,
	} {
		if !strings.Contains(d.Text(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, d.Text())
		}
	}
}

// TestDraftSaysWhatLoadSays: the mistake in an answer has the words that it has in a file.
func TestDraftSaysWhatLoadSays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		key   string
		value any
	}{
		"address":      {"hosts.prefect.address", "10.0.0.11:22"},
		"none":         {"hosts.prefect.address", ""},
		"control":      {"hosts.prefect.address", "10.0.0.11\x1b[2J"},
		"quote":        {"hosts.prefect.address", `a" b`},
		"newline":      {"ssh.user", "ops\n[sudo]"},
		"url":          {"url", "http://prefect.example.org"},
		"localhost":    {"url", "https://localhost"},
		"mode":         {"tls.mode", "acne"},
		"mode off":     {"tls.mode", "off"},
		"certificate":  {"tls.certificate", "none.pem"},
		"list element": {"hosts.worker-1.queues", []string{"heavy", "-"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := NewDraft(LayoutSplit)
			d.Set(test.key, test.value)
			got := d.Problem(test.key)
			if got == nil {
				t.Fatalf("nothing is said of %v", test.value)
			}
			file := filepath.Join(t.TempDir(), d.File)
			if err := os.WriteFile(file, []byte(d.Text()), 0o600); err != nil {
				t.Fatal(err)
			}
			_, problems := Load(file)
			for _, p := range problems {
				if p.Key == got.Key {
					if p.Problem != got.Problem || p.Hint != got.Hint || p.Line != got.Line {
						t.Errorf("the draft says %v, the file %v", got, p)
					}
					return
				}
			}
			t.Errorf("Load does not say %v but %v", got, problems)
		})
	}
}

// TestDraftUnanswered: what nobody changed is the template.
func TestDraftUnanswered(t *testing.T) {
	t.Parallel()
	for _, layout := range []Layout{LayoutSingle, LayoutSplit} {
		if NewDraft(layout).Text() != layout.Text {
			t.Errorf("%s: the draft is not the template", layout.Name)
		}
	}
}

// TestDraftHoldsAnything: whatever is answered is the value of its key and of no other, or is refused.
func TestDraftHoldsAnything(t *testing.T) {
	t.Parallel()
	odd := []string{"\"\nroot = true\n#", "'''", `\u0022`, "a # b", "a  # b", "\xff"}
	rapid.Check(t, func(t *rapid.T) {
		answer := rapid.OneOf(rapid.String(), rapid.SampledFrom(odd)).Draw(t, "answer")
		d := NewDraft(LayoutSingle)
		d.Set("ssh.user", answer)
		inv, problems := d.Check()
		switch {
		case !utf8.ValidString(answer):
			if d.Problem("ssh.user") == nil {
				t.Fatalf("nothing is said of %q", answer)
			}
		case inv == nil:
			t.Fatalf("%q breaks the file: %v", answer, problems)
		case inv.SSH.User != answer:
			t.Fatalf("%q is read as %q", answer, inv.SSH.User)
		}
		for _, p := range problems {
			if inv != nil && p.Key != "ssh.user" {
				t.Fatalf("%q is taken for something else: %v", answer, p)
			}
		}
	})
}
