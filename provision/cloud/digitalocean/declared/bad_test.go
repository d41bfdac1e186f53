package declared

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"provision/inventory"
)

// badCases are texts with every line that must be said about them, and nothing else.
var badCases = []struct{ name, text, want string }{
	{"empty", "", `onprem.toml:1: hosts: there is no host; add [hosts.NAME] with address and roles, or [droplets.NAME]`},
	{"droplets as a list", "[[droplets]]\nname = \"a\"", `
onprem.toml:1: droplets: must be tables, not a list; write [droplets.NAME]
onprem.toml:1: hosts: there is no host; add [hosts.NAME] with address and roles, or [droplets.NAME]`},
	{"unknown tables", account + "[droplet.a]\n[digitalocan]\n", `
onprem.toml:1: hosts: there is no host; add [droplets.NAME]; to have nothing at all, put back what there was, then: provision droplet destroy --all
onprem.toml:7: droplet: unknown key; did you mean droplets?
onprem.toml:8: digitalocan: unknown key; did you mean digitalocean?`},
	{"secret forms", strings.Replace(account, `{ env = "T" }`, `{ command = "pass show canary" }`, 1) + "[hosts.prefect]\naddress = \"10.0.0.11\"\nroles = [\"server\"]\n", `
onprem.toml:6: digitalocean.token: command must be a list of strings, the program first; for example { command = ["pass", "show", "sudo"] }`},
	{"droplets without an account", "[droplets.a]\nroles = [\"server\"]", `onprem.toml:1: droplets.a: there is no [digitalocean] to create it in`},
	{"account", "[digitalocean]\n[droplets.a]\nroles = [\"server\"]", `
onprem.toml:1: digitalocean.admin_cidrs: missing: nobody could reach port 22; the networks of the operators: admin_cidrs = ["203.0.113.7/32"]
onprem.toml:1: digitalocean.name: missing; it is in the names and tags of all that is created: name = "prod"
onprem.toml:1: digitalocean.region: missing; where everything is created: region = "fra1"
onprem.toml:1: digitalocean.ssh_keys: missing: without a key nobody can log in; ssh_keys = ["~/.ssh/id_ed25519.pub"]
onprem.toml:1: url: missing: the server is a droplet, whose address is not known beforehand; url = "https://prefect.example.org"`},
	{"account's values", "url = \"https://prefect.example.net\"\n[digitalocean]\nname = \"Prod_1\"\ntoken = { env = \"T\" }\napi_url = \"x\"\nregion = \"fra 1\"\nsize = \"-x\"\nssh_keys = [\"text\", \"site.key\", \"id.pub\"]\nadmin_cidrs = [\"203.0.113.7\", \"10.0.0.1/8\", \"x\"]\ndomain = \"example.org\"\nvpc = \"a\\tb\"\n[droplets.a]\nroles = [\"server\"]\ncount = 0\nvolume = \"20GB\"", `
onprem.toml:1: url: prefect.example.net is not in the domain example.org, which gets its record
onprem.toml:3: digitalocean.name: "Prod_1" is not a name for tags; lower-case letters, digits and dashes, at most 32
onprem.toml:5: digitalocean.api_url: must begin with https:// or http://; for example https://host.example.org
onprem.toml:6: digitalocean.region: "fra 1" is not a name that DigitalOcean uses; ` + "`doctl compute region list` shows them" + `
onprem.toml:7: digitalocean.size: "-x" is not a name that DigitalOcean uses; ` + "`doctl compute size list` shows them" + `
onprem.toml:8: digitalocean.ssh_keys[0]: "text" has no public key in OpenSSH's form
onprem.toml:8: digitalocean.ssh_keys[1]: "site.key" is a private key; the public one ends in .pub
onprem.toml:9: digitalocean.admin_cidrs[0]: "203.0.113.7" is not a network; one address is "203.0.113.7/32"
onprem.toml:9: digitalocean.admin_cidrs[1]: "10.0.0.1/8" has bits set behind its prefix; did you mean "10.0.0.0/8"?
onprem.toml:9: digitalocean.admin_cidrs[2]: "x" is not a network; write it like "10.0.0.0/24"
onprem.toml:11: digitalocean.vpc: has control characters
onprem.toml:14: droplets.a.count: must be 1 to 500; remove the table to have none
onprem.toml:15: droplets.a.volume: not a size; write it as "20GiB", 1 to 16384`},
	{"droplets", "url = \"https://prefect.example.org\"\n" + account + "[droplets.a]\nroles = [\"server\"]\ncount = 2\nreserved_ip = true\nvolume = \"1GiB\"\n[droplets.b]\nroles = [\"agent\"]\n[hosts.b]\naddress = \"10.0.0.1\"\nroles = []", `
onprem.toml:9: droplets.a.roles: there are two servers: a-1 and a-2; one host has the server role
onprem.toml:11: droplets.a.reserved_ip: is for one droplet, and there are several
onprem.toml:12: droplets.a.volume: is for one droplet, and there are several
onprem.toml:13: droplets.b: there is a host named "b" already, in line 15`},
	{"a volume's name is too long", "url = \"https://prefect.example.org\"\n" + strings.Replace(account, `"a"`, `"production"`, 1) + "[droplets." + strings.Repeat("a", 48) + "]\nroles = [\"server\"]\nvolume = \"1GiB\"", `onprem.toml:10: droplets.` + strings.Repeat("a", 48) + `.volume: its name would have 69 characters, and DigitalOcean allows 64; choose shorter names`},
	{"a name server", "url = \"https://prefect.example.org\"\n" + account + "resolver = \"10.0.0.1 # x\"\n[droplets.a]\nroles = [\"server\"]", `onprem.toml:8: digitalocean.resolver: "10.0.0.1 # x" is not a DNS server; write its address, for example "192.168.7.1" or "192.168.7.1:5353"`},
	{"a token in the clear", "url = \"https://prefect.example.org\"\n" + account + "api_url = \"http://api.example.org\"\n[droplets.a]\nroles = [\"server\"]", `onprem.toml:8: digitalocean.api_url: the token would be sent in the clear; write https://; http:// is for this machine alone`},
	{"volumes of one name", "url = \"https://prefect.example.org\"\n" + account + "[droplets.a-b]\nroles = [\"server\"]\nvolume = \"1GiB\"\n[droplets.\"a.b\"]\nroles = [\"agent\"]\nvolume = \"1GiB\"", `onprem.toml:13: droplets."a.b".volume: is called provision-a-a-b, as that of a-b: a volume's name has no dots; give one of the two another name`},
	{"nothing is declared any more", "url = \"https://prefect.example.org\"\n" + account, `onprem.toml:1: hosts: there is no host; add [droplets.NAME]; to have nothing at all, put back what there was, then: provision droplet destroy --all`},
	{"a droplet's url is an address", "url = \"https://203.0.113.9\"\n" + account + "[droplets.a]\nroles = [\"server\"]", `onprem.toml:1: url: must have a DNS name: the server is a droplet, whose address is not known beforehand; url = "https://prefect.example.org"`},
}

const account = "[digitalocean]\nname = \"a\"\nregion = \"fra1\"\nssh_keys = [\"id.pub\"]\nadmin_cidrs = [\"10.0.0.0/8\"]\ntoken = { env = \"T\" }\n"

// load loads the text as DIR/onprem.toml. Problems come as lines without DIR.
func load(t testing.TB, dir, text string) (*inventory.Inventory, string) {
	t.Helper()
	write(t, dir, "onprem.toml", text)
	inv, problems := inventory.Load(filepath.Join(dir, "onprem.toml"), New)
	return inv, strings.ReplaceAll(problems.Error(), dir+string(filepath.Separator), "")
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range badCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "id.pub", publicKeyText(t))
			write(t, dir, "text", "nothing of the kind\n")
			write(t, dir, "site.key", "-----BEGIN PRIVATE KEY-----\n")
			_, got := load(t, dir, c.text)
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(got, "canary") {
				t.Error("the message has the secret in it")
			}
		})
	}
}
