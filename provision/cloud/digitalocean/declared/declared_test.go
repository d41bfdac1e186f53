package declared

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"provision/inventory"
)

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func publicKeyText(t testing.TB) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(key))
}

// home is a home directory with a key of the usual name.
func home(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	if err := os.Mkdir(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, ".ssh/id_ed25519.pub", publicKeyText(t))
}

// The file of the design page, literally.
func TestDesignExample(t *testing.T) {
	home(t)
	text, err := os.ReadFile("testdata/design.toml")
	if err != nil {
		t.Fatal(err)
	}
	// What it shares with the file of hosts that exist stands in that one.
	inv, problems := load(t, t.TempDir(), "url = \"https://prefect.example.org\"\n"+string(text))
	if problems != "" {
		t.Fatal(problems)
	}
	own := In(inv)
	if own.Droplets[0].Volume != 20 || own.Droplets[1].Region != "fra1" || own.Droplets[1].Size != "s-4vcpu-8gb" || !own.Account.Monitoring {
		t.Errorf("%+v %+v", own.Account, own.Droplets)
	}
	var names []string
	for _, h := range inv.Hosts {
		if h.Machine == nil || h.User != "root" || h.Address != "" {
			t.Errorf("%+v", h)
		}
		names = append(names, h.Name)
	}
	if !slices.Equal(names, []string{"prefect", "worker-1", "worker-2"}) {
		t.Error(names)
	}
	if got := own.Account.HostOf([]string{own.Account.NameTag("Worker-1")}); got != "worker-1" {
		t.Errorf("the host of a tag with other letter case is %q", got)
	}
}

// TestNone: an inventory that was not loaded with the cloud, or has none of its tables, declares nothing in it.
func TestNone(t *testing.T) {
	t.Parallel()
	with, problems := load(t, t.TempDir(), "[hosts.a]\naddress = \"10.0.0.1\"\nroles = [\"server\"]\n")
	if problems != "" {
		t.Fatal(problems)
	}
	for _, inv := range []*inventory.Inventory{with, {}} {
		if own := In(inv); own.Account != nil || len(own.Members()) > 0 || own.Domain() != "" || own.DestroyAll() != "" {
			t.Errorf("%+v", own)
		}
	}
}

// commented is a key that the template has as a comment.
var commented = regexp.MustCompile(`(?m)^# ([a-z_]+ = .*)$`)

// TestLayout: an inventory to begin with has no mistake but for what it names that is not there, and every key that it has as a
// comment is known: each is tried alone.
func TestLayout(t *testing.T) {
	home(t)
	if _, problems := load(t, t.TempDir(), Layout.Text); problems != "" {
		t.Error(problems)
	}
	all := commented.FindAllString(Layout.Text, -1)
	if len(all) < 12 {
		t.Errorf("only %d keys are there as comments", len(all))
	}
	for _, line := range all {
		_, problems := load(t, t.TempDir(), strings.Replace(Layout.Text, line, strings.TrimPrefix(line, "# "), 1))
		for _, bad := range []string{"unknown key", "not TOML", "must be a"} {
			if strings.Contains(problems, bad) {
				t.Errorf("%s: %s", line, problems)
			}
		}
	}
}

// TestDraft: a wrong answer in a list is told as the file's mistake.
func TestDraft(t *testing.T) {
	t.Parallel()
	d := inventory.NewDraft(Layout, New)
	if d.Text() != Layout.Text || d.File != "prod.toml" {
		t.Errorf("the draft %s is not the template", d.File)
	}
	d.Set("digitalocean.admin_cidrs", []string{"10.0.0.0/8", "203.0.113.7"})
	if p := d.Problem("digitalocean.admin_cidrs"); p == nil || p.Key != "digitalocean.admin_cidrs[1]" || p.Hint != `one address is "203.0.113.7/32"` {
		t.Error(p)
	}
}
