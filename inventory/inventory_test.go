package inventory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"provision/inventory/strict"
)

// loadText loads the text as DIR/onprem.toml. Problems come as lines without DIR.
func loadText(t testing.TB, dir, text string) (*Inventory, string) {
	t.Helper()
	inv, problems := parseAndLoad(filepath.Join(dir, "onprem.toml"), text)
	return inv, strings.ReplaceAll(problems.Error(), dir+string(filepath.Separator), "")
}

func parseAndLoad(path, text string, clouds ...Cloud) (*Inventory, strict.Problems) {
	doc, problems := strict.Parse(path, []byte(text))
	if problems != nil {
		return nil, problems
	}
	return load(doc, clouds)
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoadFillsInDefaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "keys/ops", "key")
	inv, problems := loadText(t, dir, `
stack = "stack.toml"
[ssh]
user = "ops"
identity_file = "keys/ops"
jump = "bastion.example.org"
[hosts.zeta]
address = "10.0.0.21"
roles = ["agent"]
queues = ["heavy"]
concurrency = 3
user = "root"
jump = ""
[hosts."alpha.one"]
address = "2001:DB8::11"
internal_address = "192.168.7.11"
port = 2222
roles = ["server", "agent"]
[hosts.gone]
address = "Gone.Example.org."
roles = []
`)
	if problems != "" {
		t.Fatal(problems)
	}
	common := Host{IdentityFile: filepath.Join(dir, "keys/ops"), HostKeyChecking: "strict"}
	alpha, gone, zeta := common, common, common
	alpha.Name, alpha.Address, alpha.InternalAddress, alpha.Port = "alpha.one", "2001:db8::11", "192.168.7.11", 2222
	alpha.User, alpha.Jump, alpha.Roles = "ops", "bastion.example.org", []Role{RoleServer, RoleAgent}
	gone.Name, gone.Address, gone.User, gone.Jump, gone.Roles = "gone", "gone.example.org", "ops", "bastion.example.org", []Role{}
	zeta.Name, zeta.Address, zeta.User, zeta.Roles, zeta.Queues, zeta.Concurrency = "zeta", "10.0.0.21", "root", []Role{RoleAgent}, []string{"heavy"}, 3
	want := &Inventory{
		File: filepath.Join(dir, "onprem.toml"), Dir: dir,
		Stack: filepath.Join(dir, "stack.toml"),
		URL:   "https://[2001:db8::11]",
		TLS:   TLS{Mode: TLSInternal},
		SSH: SSH{
			User: "ops", IdentityFile: common.IdentityFile, Jump: "bastion.example.org",
			HostKeyChecking: "strict",
		},
		Hosts: []Host{alpha, gone, zeta},
	}
	if diff := cmp.Diff(want, inv, cmpopts.IgnoreUnexported(Inventory{})); diff != "" {
		t.Error(diff)
	}
	if got := inv.Server().Name; got != "alpha.one" {
		t.Errorf("server is %s", got)
	}
	var agents []string
	for _, a := range inv.Agents() {
		agents = append(agents, a.Name)
	}
	if diff := cmp.Diff([]string{"alpha.one", "zeta"}, agents); diff != "" {
		t.Error(diff)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, head, server, url, host, ip string }{
		{"address", ``, `address = "10.0.0.11"`, "https://10.0.0.11", "10.0.0.11", ""},
		{"address is a name", ``, `address = "web.lan"`, "https://web.lan", "web.lan", ""},
		{"off", "[tls]\nmode = \"off\"\nallow_plaintext = true", `address = "10.0.0.11"`, "http://10.0.0.11:4200", "10.0.0.11", ""},
		{"off, IPv6", "[tls]\nmode = \"off\"\nallow_plaintext = true", `address = "fd00::11"`, "http://[fd00::11]:4200", "fd00::11", ""},
		{"name", `url = "https://Prefect.Example.org/"`, `address = "10.0.0.11"`, "https://prefect.example.org", "prefect.example.org", "10.0.0.11"},
		{"name, port", `url = "https://prefect.example.org:443"`, `address = "10.0.0.11"`, "https://prefect.example.org", "prefect.example.org", "10.0.0.11"},
		{"name, internal", `url = "https://prefect.lan"`, "address = \"10.0.0.11\"\ninternal_address = \"192.168.7.11\"", "https://prefect.lan", "prefect.lan", "192.168.7.11"},
		{"name for a name", `url = "https://prefect.lan"`, `address = "web.lan"`, "https://prefect.lan", "prefect.lan", ""},
		{"IP, internal", `url = "https://203.0.113.5"`, "address = \"10.0.0.11\"\ninternal_address = \"192.168.7.11\"", "https://203.0.113.5", "203.0.113.5", ""},
		{"acme", "url = \"https://prefect.example.org\"\n[tls]\nmode = \"acme\"", `address = "10.0.0.11"`, "https://prefect.example.org", "prefect.example.org", ""},
		{"acme, internal", "url = \"https://prefect.example.org\"\n[tls]\nmode = \"acme\"", "address = \"10.0.0.11\"\ninternal_address = \"192.168.7.11\"", "https://prefect.example.org", "prefect.example.org", "192.168.7.11"},
		{"private acme", "url = \"https://prefect.lan\"\n[tls]\nmode = \"acme\"\nacme_ca = \"https://ca.lan/directory\"", `address = "10.0.0.11"`, "https://prefect.lan", "prefect.lan", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inv, problems := loadText(t, t.TempDir(), c.head+"\n[hosts.prefect]\nroles = [\"server\"]\n"+c.server)
			if problems != "" {
				t.Fatal(problems)
			}
			if diff := cmp.Diff([]string{c.url, c.host, c.ip}, []string{inv.URL, inv.Hostname(), inv.ServerIP()}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The file of the design page, literally.
func TestDesignExample(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	write(t, home, ".ssh/id_ed25519", "key")
	text, err := os.ReadFile("testdata/design/onprem.toml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "corporate-root.pem", newCertificate(t, "Corporate", time.Now().Add(time.Hour)).cert)
	inv, problems := loadText(t, dir, string(text))
	if problems != "" {
		t.Fatal(problems)
	}
	if inv.Sudo.Password.Env != "SUDO_PASSWORD" || inv.Hosts[0].InternalAddress != "192.168.7.11" ||
		inv.Hosts[1].IdentityFile != filepath.Join(home, ".ssh/id_ed25519") {
		t.Errorf("%+v", inv)
	}
}

func TestTemplatesPass(t *testing.T) {
	t.Parallel()
	for _, layout := range []Layout{LayoutSingle, LayoutSplit} {
		if _, problems := loadText(t, t.TempDir(), layout.Text); problems != "" {
			t.Errorf("%s: %s", layout.Name, problems)
		}
	}
}

// A commented key is as good as its comment sign removed: each is tried alone, and only values that name files may be refused.
func TestTemplatesCommentedKeysAreKnown(t *testing.T) {
	t.Parallel()
	for _, layout := range []Layout{LayoutSingle, LayoutSplit} {
		lines := strings.Split(layout.Text, "\n")
		tried := 0
		for n, line := range lines {
			key, isComment := strings.CutPrefix(line, "# ")
			if !isComment || !strings.Contains(key, " = ") || strings.ContainsAny(key[:strings.Index(key, " = ")], " :") {
				continue
			}
			tried++
			changed := append([]string{}, lines...)
			changed[n] = key
			for up := n - 1; up >= 0 && strings.HasPrefix(changed[up], "#"); up-- { // the key's table may be a comment, too
				if table, ok := strings.CutPrefix(changed[up], "# ["); ok {
					changed[up] = "[" + table
					break
				}
			}
			_, problems := loadText(t, t.TempDir(), strings.Join(changed, "\n"))
			for _, bad := range []string{"unknown key", "not TOML", "must be a"} {
				if strings.Contains(problems, bad) {
					t.Errorf("%s: %s: %s", layout.Name, key, problems)
				}
			}
		}
		if tried < 10 {
			t.Errorf("%s: only %d commented keys were found", layout.Name, tried)
		}
	}
}
