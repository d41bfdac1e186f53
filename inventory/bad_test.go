package inventory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"provision/inventory/strict"
)

// host is a server, for cases that are about something else. It takes three lines.
const host = "[hosts.prefect]\naddress = \"10.0.0.11\"\nroles = [\"server\", \"agent\"]\n"

// badCases are texts with every line that must be said about them, and nothing else.
var badCases = []struct{ name, text, want string }{
	{"empty", "", `onprem.toml:1: hosts: there is no host; add [hosts.NAME] with address and roles`},
	{"syntax", "url = \"x\"\n[hosts\n", "onprem.toml:2: not TOML: expected '.' or ']' to end table name, but got '\\n' instead"},
	{"duplicate key", "[hosts.a]\n[hosts.a]\n", "onprem.toml:2: not TOML: Key 'hosts.a' has already been defined."},

	{"unknown key", host + "adress = \"10.0.0.12\"", `onprem.toml:4: hosts.prefect.adress: unknown key; did you mean address?`},
	{"misspelt and therefore missing", "[hosts.a]\nAddress = \"10.0.0.11\"\nrole = [\"server\"]", `
onprem.toml:2: hosts.a.Address: unknown key; did you mean address?
onprem.toml:3: hosts.a.role: unknown key; did you mean roles?`},
	{"unknown table", host + "[tsl]\nmode = \"internal\"", `onprem.toml:4: tsl: unknown key; did you mean tls?`},
	{"nothing near", host + "[sudo]\nnopasswd = true", `onprem.toml:5: sudo.nopasswd: unknown key; known here: password`},
	{
		"unknown in an inline table", "hosts = { a = { address = \"10.0.0.1\", roles = [\"server\"], colour = 1 } }",
		`onprem.toml:1: hosts.a.colour: unknown key; known here: address, concurrency, host_key, identity_file, internal_address, jump, port, queues, roles, user`,
	},
	{
		"not of a host but of all", host + "known_hosts = \"x\"",
		`onprem.toml:4: hosts.prefect.known_hosts: unknown key; known here: address, concurrency, host_key, identity_file, internal_address, jump, port, queues, roles, user`,
	},
	{
		"dots without quotes", "[hosts.web.example]\naddress = \"10.0.0.11\"\nroles = [\"server\"]",
		`onprem.toml:1: hosts.web.example: unknown key; a host's name with dots is written in quotes: [hosts."web.example"]`,
	},

	{"wrong types", "url = 5\nstack = [\"a\"]\n[ssh]\nuser = true\nconnect_timeout = 10\n[site]\nno_proxy = \"a\"\n[hosts.a]\naddress = 10.5\nport = \"22\"\nroles = \"server\"\nqueues = [1]\n[hosts]\nb = 3\n", `
onprem.toml:1: url: must be a string, not a whole number; put it in quotes
onprem.toml:2: stack: must be a string, not a list
onprem.toml:4: ssh.user: must be a string, not true or false; put it in quotes
onprem.toml:5: ssh.connect_timeout: must be a duration, not a whole number; write a number with its unit, in quotes: "10s"
onprem.toml:7: site.no_proxy: must be a list, not a string; put it in brackets
onprem.toml:9: hosts.a.address: must be a string, not a number with a fraction; put it in quotes
onprem.toml:10: hosts.a.port: must be a whole number, not a string; write it without quotes
onprem.toml:11: hosts.a.roles: must be a list, not a string; put it in brackets
onprem.toml:12: hosts.a.queues[0]: must be a string, not a whole number; put it in quotes
onprem.toml:14: hosts.b: must be a table, not a whole number`},
	{"hosts as a list", "[[hosts]]\nname = \"a\"", `onprem.toml:1: hosts: must be tables, not a list; write [hosts.NAME]`},
	{"durations", host + "[ssh]\nconnect_timeout = \"10\"", `onprem.toml:5: ssh.connect_timeout: "10" is not a duration; write a number with its unit: "30s", "15m", "24h"`},
	{"negative duration", host + "[ssh]\nconnect_timeout = \"-1s\"", `onprem.toml:5: ssh.connect_timeout: must be longer than nothing`},
	{"too fine a duration", host + "[ssh]\nconnect_timeout = \"1500ms\"", `onprem.toml:5: ssh.connect_timeout: must be whole seconds`},

	{"no server", "[hosts.a]\naddress = \"10.0.0.11\"\nroles = [\"agent\"]", `onprem.toml:1: hosts: no host has the server role; give one roles = ["server"], or ["server", "agent"] for both on one host`},
	{"two servers", host + "[hosts.zwei]\naddress = \"10.0.0.12\"\nroles = [\"server\"]", `onprem.toml:6: hosts.zwei.roles: there are two servers: prefect and zwei; one host has the server role`},
	{
		"no roles", host + "[hosts.b]\naddress = \"10.0.0.12\"",
		`onprem.toml:4: hosts.b.roles: missing; what the host is for: roles = ["server"], ["agent"] or both; [] cleans it of the stack`,
	},
	{"unknown role", "[hosts.a]\naddress = \"10.0.0.11\"\nroles = [\n  \"sever\",\n  \"worker\",\n]", `
onprem.toml:4: hosts.a.roles[0]: "sever" is unknown here; did you mean "server"?
onprem.toml:5: hosts.a.roles[1]: "worker" is unknown here; known: server, agent`},
	{"role twice", "[hosts.a]\naddress = \"10.0.0.11\"\nroles = [\"server\", \"server\"]", `onprem.toml:3: hosts.a.roles[1]: "server" is named twice`},

	{"names of hosts", "[hosts.prefect]\naddress = \"10.0.0.1\"\nroles = [\"server\"]\n[hosts.-x]\naddress = \"10.0.0.2\"\nroles = []\n[hosts.\"a b\"]\naddress = \"10.0.0.3\"\nroles = []\n" +
		"[hosts.\"a\\u001b[31m\"]\naddress = \"10.0.0.4\"\nroles = []\n[hosts.\"..\"]\naddress = \"10.0.0.5\"\nroles = []\n[hosts.\"\"]\naddress = \"10.0.0.6\"\nroles = []\n[hosts.a_b]\naddress = \"10.0.0.7\"\nroles = []\n", `
onprem.toml:4: hosts.-x: a host's name is letters, digits, dots and dashes, with a letter or digit first and last
onprem.toml:7: hosts."a b": a host's name is letters, digits, dots and dashes, with a letter or digit first and last
onprem.toml:10: hosts."a\x1b[31m": a host's name is letters, digits, dots and dashes, with a letter or digit first and last
onprem.toml:13: hosts."..": a host's name is letters, digits, dots and dashes, with a letter or digit first and last
onprem.toml:16: hosts."": a host's name is letters, digits, dots and dashes, with a letter or digit first and last
onprem.toml:19: hosts.a_b: a host's name is letters, digits, dots and dashes, with a letter or digit first and last`},
	{
		"long name", host + "[hosts." + strings.Repeat("a", 49) + "]\naddress = \"10.0.0.12\"\nroles = []",
		"onprem.toml:4: hosts." + strings.Repeat("a", 49) + ": a host's name has at most 48 characters, not 49",
	},
	{
		"names differ in case alone", host + "[hosts.Prefect]\naddress = \"10.0.0.12\"\nroles = []",
		`onprem.toml:1: hosts.prefect: there is a host named "Prefect" already, in line 4`,
	},
	{
		"named like another's role", "[hosts.a]\naddress = \"10.0.0.1\"\nroles = [\"server\", \"agent\"]\n[hosts.agent]\naddress = \"10.0.0.2\"\nroles = [\"agent\"]",
		`onprem.toml:4: hosts.agent: is named like the role of "a", so --limit agent would be ambiguous; give it another name`,
	},

	{"no address", "[hosts.a]\nroles = [\"server\"]", `onprem.toml:1: hosts.a.address: missing; where the host is reached: address = "10.0.0.11"`},
	{"addresses", "[hosts.a]\naddress = \"10.0.0.11:22\"\nroles = [\"server\"]\n[hosts.b]\naddress = \"ops@web\"\nroles = []\n[hosts.c]\naddress = \"https://web\"\nroles = []\n" +
		"[hosts.d]\naddress = \"10.0.0.256\"\nroles = []\n[hosts.e]\naddress = \"-oProxyCommand=x\"\nroles = []\n[hosts.f]\naddress = \"0.0.0.0\"\nroles = []\n[hosts.g]\naddress = \"fe80::1%eth0\"\nroles = []\n" +
		"[hosts.h]\naddress = \"a\\u0000b\"\nroles = []\n[hosts.i]\naddress = \"[fd00::1]:22\"\nroles = []\n[hosts.j]\naddress = \"a;reboot\"\nroles = []", `
onprem.toml:2: hosts.a.address: "10.0.0.11:22" is neither an IP address nor a DNS name; a port is written apart: port = 22
onprem.toml:5: hosts.b.address: "ops@web" is neither an IP address nor a DNS name; the user is written apart: user = ...
onprem.toml:8: hosts.c.address: "https://web" is neither an IP address nor a DNS name; give the host alone, without a scheme
onprem.toml:11: hosts.d.address: "10.0.0.256" is neither an IP address nor a DNS name; for example "10.0.0.11", "2001:db8::11" or "web-1.example.org"
onprem.toml:14: hosts.e.address: "-oProxyCommand=x" is neither an IP address nor a DNS name; for example "10.0.0.11", "2001:db8::11" or "web-1.example.org"
onprem.toml:17: hosts.f.address: 0.0.0.0 is not the address of a host
onprem.toml:20: hosts.g.address: an address with a zone holds on one machine only
onprem.toml:23: hosts.h.address: a value with unprintable characters is neither an IP address nor a DNS name; for example "10.0.0.11", "2001:db8::11" or "web-1.example.org"
onprem.toml:26: hosts.i.address: "[fd00::1]:22" is neither an IP address nor a DNS name; a port is written apart: port = 22
onprem.toml:29: hosts.j.address: "a;reboot" is neither an IP address nor a DNS name; for example "10.0.0.11", "2001:db8::11" or "web-1.example.org"`},
	{
		"duplicate address", host + "[hosts.worker]\naddress = \"::ffff:10.0.0.11\"\nport = 22\nroles = [\"agent\"]",
		`onprem.toml:5: hosts.worker.address: is the address and port of "prefect", too; one machine is one host: give it both roles`,
	},
	{
		"duplicate name", "[hosts.a]\naddress = \"Web.example.org\"\nroles = [\"server\"]\n[hosts.b]\naddress = \"web.example.org.\"\nroles = []",
		`onprem.toml:5: hosts.b.address: is the address and port of "a", too; one machine is one host: give it both roles`,
	},
	{
		"internal address", host + "internal_address = \"prefect.lan\"",
		`onprem.toml:4: hosts.prefect.internal_address: "prefect.lan" is not an IP address; containers map the url's host to it, so a name will not do`,
	},
	{"ports", host + "port = 0\n[hosts.b]\naddress = \"10.0.0.12\"\nroles = []\nport = 65536", `
onprem.toml:4: hosts.prefect.port: 0 is not a port; a port is 1 to 65535
onprem.toml:8: hosts.b.port: 65536 is not a port; a port is 1 to 65535`},
	{"users", host + "user = \"-l\"\n[ssh]\nuser = \"a b\"", `
onprem.toml:4: hosts.prefect.user: "-l" is not a user's name
onprem.toml:6: ssh.user: "a b" is not a user's name`},
	{"jumps", host + "jump = \"a,-oX\"\n[ssh]\njump = \"bastion:0\"", `
onprem.toml:4: hosts.prefect.jump: "-oX" is not a host to go through; write [user@]host[:port], several with commas between; an IPv6 address in brackets
onprem.toml:6: ssh.jump: "bastion:0" is not a host to go through; write [user@]host[:port], several with commas between; an IPv6 address in brackets`},
	{"host key checking", host + "[ssh]\nhost_key_checking = \"off\"", `onprem.toml:5: ssh.host_key_checking: "off" is unknown here; "strict" or "accept-new"; host keys are always verified`},
	{
		"host key", host + "host_key = \"prefect ssh-ed25519 AAAA\"",
		`onprem.toml:4: hosts.prefect.host_key: not a host key; the type and the key as in known_hosts, without the host: "ssh-ed25519 AAAA..."`,
	},
	{"files", host + "identity_file = \"none\"\n[ssh]\nidentity_file = \"dir\"\nknown_hosts = \"a\\nb\"", `
onprem.toml:4: hosts.prefect.identity_file: "none" does not exist
onprem.toml:6: ssh.identity_file: "dir" is a directory, not a file
onprem.toml:7: ssh.known_hosts: has control characters`},
	{"work", "[hosts.a]\naddress = \"10.0.0.1\"\nroles = [\"server\"]\nconcurrency = 5\nqueues = [\"x\"]\n[hosts.b]\naddress = \"10.0.0.2\"\nroles = [\"agent\"]\nconcurrency = 0\nqueues = [\"ok\", \"-x\", \"ok\", \"host-a\", \"a b\"]", `
onprem.toml:4: hosts.a.concurrency: is for hosts with the agent role, which this one does not have; add "agent" to its roles, or remove the key
onprem.toml:5: hosts.a.queues: is for hosts with the agent role, which this one does not have; add "agent" to its roles, or remove the key
onprem.toml:9: hosts.b.concurrency: must be 1 or more; how many flow runs the host executes at once
onprem.toml:10: hosts.b.queues[1]: "-x" is not a queue's name: letters, digits, dots, dashes and underscores, at most 64, no dash first
onprem.toml:10: hosts.b.queues[2]: "ok" is named twice
onprem.toml:10: hosts.b.queues[3]: "host-a" is a name for a host's own queue, which it polls in any case
onprem.toml:10: hosts.b.queues[4]: "a b" is not a queue's name: letters, digits, dots, dashes and underscores, at most 64, no dash first`},

	{"url without a scheme", "url = \"prefect.example.org\"\n" + host, `onprem.toml:1: url: must begin with https:// or http://; for example https://host.example.org`},
	{"url with a password", "url = \"https://ops:canary@prefect.example.org\"\n" + host, `onprem.toml:1: url: a URL here must not hold a user or password: it would end up in images and logs`},
	{"url with a path", "url = \"https://example.org/prefect\"\n" + host, `onprem.toml:1: url: must have no path: Prefect answers at a host's root only; give it a host name of its own`},
	{"url with a query", "url = \"https://example.org?a\"\n" + host, `onprem.toml:1: url: a URL here has no ? and no #`},
	{"url with a port", "url = \"https://example.org:8443\"\n" + host, `onprem.toml:1: url: the port is 443; leave it out`},
	{"url with a bad host", "url = \"https://exa_mple.org\"\n" + host, `onprem.toml:1: url: the URL's host is neither an IP address nor a DNS name, or its port is not a number; for example https://host.example.org`},
	{"url of http", "url = \"http://example.org:4200\"\n" + host, `onprem.toml:1: url: must begin with https://; for http without TLS set [tls] mode = "off" and allow_plaintext = true`},
	{"url of https without TLS", "url = \"https://example.org\"\ntls = { mode = \"off\", allow_plaintext = true }\n" + host, `onprem.toml:1: url: must begin with http://, as [tls] mode is "off"`},
	{"url without TLS and port", "url = \"http://example.org\"\ntls = { mode = \"off\", allow_plaintext = true }\n" + host, `onprem.toml:1: url: without TLS the port is 4200; write http://example.org:4200`},
	{"url of IPv6 without TLS and port", "url = \"http://[fd00::1]\"\ntls = { mode = \"off\", allow_plaintext = true }\n" + host, `onprem.toml:1: url: without TLS the port is 4200; write http://[fd00::1]:4200`},
	{"url of localhost", "url = \"https://localhost\"\n" + host, `onprem.toml:1: url: localhost is another machine for everyone who opens it`},
	{"url empty", "url = \"\"\n" + host, `onprem.toml:1: url: is empty; without the key it is made from the server's address`},

	{"tls mode", host + "[tls]\nmode = \"ACME\"", `onprem.toml:5: tls.mode: "ACME" is unknown here; did you mean "acme"?`},
	{
		"tls off", host + "[tls]\nmode = \"off\"",
		`onprem.toml:5: tls.mode: with "off" passwords and tokens travel in clear; "internal" needs nothing else; to go without all the same, set allow_plaintext = true`,
	},
	{"tls keys of another mode", host + "[tls]\nemail = \"a@example.org\"\ncertificate = \"ca.pem\"", `
onprem.toml:5: tls.email: is for mode "acme", and the mode is "internal"
onprem.toml:6: tls.certificate: is for mode "files", and the mode is "internal"`},
	{
		"acme without a name", host + "[tls]\nmode = \"acme\"",
		`onprem.toml:1: url: missing: mode "acme" needs a public DNS name; for example url = "https://prefect.example.org"`,
	},
	{
		"acme with an address", "url = \"https://203.0.113.5\"\n" + host + "[tls]\nmode = \"acme\"",
		`onprem.toml:1: url: mode "acme" needs a DNS name, not an IP address; with a private name use mode "internal" or "files"`,
	},
	{"acme with a private name", "url = \"https://prefect.lan\"\n" + host + "[tls]\nmode = \"acme\"\nemail = \"ops\"\nacme_ca_root = \"none.pem\"", `
onprem.toml:1: url: prefect.lan is not a public DNS name, and mode "acme" needs one; with a private name use mode "internal" or "files"
onprem.toml:7: tls.email: "ops" is not an e-mail address
onprem.toml:8: tls.acme_ca_root: is the root of acme_ca, which is not given`},
	{"acme at a CA of plain http", "url = \"https://prefect.example.org\"\n" + host + "[tls]\nmode = \"acme\"\nacme_ca = \"http://ca.lan\"\nacme_ca_root = \"none.pem\"", `
onprem.toml:7: tls.acme_ca: must begin with https://; for example https://host.example.org
onprem.toml:8: tls.acme_ca_root: "none.pem" does not exist`},
	{"files missing", host + "[tls]\nmode = \"files\"\ncertificate = \"ca.pem\"", `onprem.toml:4: tls.key: missing, with mode "files"; the path of a PEM file`},
	{"files absent", host + "[tls]\nmode = \"files\"\ncertificate = \"a.pem\"\nkey = \"b.pem\"", `
onprem.toml:6: tls.certificate: "a.pem" does not exist
onprem.toml:7: tls.key: "b.pem" does not exist`},
	{"files swapped", "url = \"https://prefect.lan\"\n" + host + "[tls]\nmode = \"files\"\ncertificate = \"site.key\"\nkey = \"site.pem\"", `onprem.toml:7: tls.certificate: "site.key" has no certificate in PEM form`},
	{
		"files of different pairs", "url = \"https://prefect.lan\"\n" + host + "[tls]\nmode = \"files\"\ncertificate = \"ca.pem\"\nkey = \"site.key\"",
		`onprem.toml:8: tls.key: "site.key" is not the key of "ca.pem"; the server's own certificate comes first in its file, then the chain`,
	},
	{"files for another name", host + "[tls]\nmode = \"files\"\ncertificate = \"site.pem\"\nkey = \"site.key\"", `onprem.toml:6: tls.certificate: "site.pem" is not for 10.0.0.11, the url's host; it is for "prefect.lan"`},
	{"files ended", "url = \"https://prefect.lan\"\n" + host + "[tls]\nmode = \"files\"\ncertificate = \"old.pem\"\nkey = \"old.key\"", `onprem.toml:7: tls.certificate: "old.pem" ended on ` + ended.Format(time.DateOnly)},
	{"files without a key", "url = \"https://prefect.lan\"\n" + host + "[tls]\nmode = \"files\"\ncertificate = \"site.pem\"\nkey = \"text\"", `onprem.toml:8: tls.key: "text" has no private key in PEM form`},

	{"site", host + "[site]\npip_index = \"ftp://a\"\ndocker_repository = \"https://u:p@a.org\"\nimage_mirror = \"https://registry.lan\"\nca_certificates = [\"text\", \"site.key\", \"ca.pem\", \"\"]\nproxy = \"proxy:3128\"\nno_proxy = [\"ok.org\", \"a,b\", \"10.0.0.0/8\"]", `
onprem.toml:5: site.pip_index: must begin with https:// or http://; for example https://host.example.org
onprem.toml:6: site.docker_repository: a URL here must not hold a user or password: it would end up in images and logs
onprem.toml:7: site.image_mirror: not a registry's host and path; without a scheme, for example "registry.example.org/hub"
onprem.toml:8: site.ca_certificates[0]: "text" has no certificate in PEM form
onprem.toml:8: site.ca_certificates[1]: "site.key" has a private key, which does not belong among certificates
onprem.toml:8: site.ca_certificates[3]: is empty; the path of a PEM file
onprem.toml:9: site.proxy: must begin with http:// or https://; for example http://host.example.org
onprem.toml:10: site.no_proxy[1]: "a,b" is not a name, an address or a network; one entry each, for example ".example.org" or "10.0.0.0/8"`},
	{"broken certificate", host + "[site]\nca_certificates = [\"broken.pem\"]", `onprem.toml:5: site.ca_certificates[0]: "broken.pem" has a broken certificate, its number 1`},

	{
		"secret in the file", host + "[sudo]\npassword = \"canary\"",
		`onprem.toml:5: sudo.password: a secret does not belong in this file, which is read, copied and committed by many; ` + strict.SecretForms,
	},
	{"secret forms", host + "sudo.password.env = \"not a name: canary\"\n[sudo]\npassword = { command = \"pass show canary\" }", `
onprem.toml:4: hosts.prefect.sudo: unknown key; known here: address, concurrency, host_key, identity_file, internal_address, jump, port, queues, roles, user
onprem.toml:6: sudo.password: command must be a list of strings, the program first; for example { command = ["pass", "show", "sudo"] }`},
	{
		"secret with a bad name", host + "[sudo]\npassword = { env = \"canary!\" }",
		`onprem.toml:5: sudo.password: env must be the name of an environment variable; for example { env = "SUDO_PASSWORD" }; the secret itself does not belong here`,
	},
	{"secret with two forms", host + "[sudo]\npassword = { env = \"A\", file = \"canary\" }", `onprem.toml:5: sudo.password: must have exactly one of env, file and command; ` + strict.SecretForms},
	{"secret with an unknown form", host + "[sudo]\npassword = { value = \"canary\" }", `onprem.toml:5: sudo.password: unknown form of a secret; ` + strict.SecretForms},
	{"secret without quotes", host + "[sudo]\npassword = canary", `onprem.toml:5: not TOML: the value is not well formed; ` + strict.SecretForms},
}

var ended = time.Now().Add(-24 * time.Hour).UTC()

func badCaseFiles(t testing.TB, dir string) {
	t.Helper()
	site, old := newCertificate(t, "prefect.lan", time.Now().Add(time.Hour)), newCertificate(t, "prefect.lan", ended)
	write(t, dir, "site.pem", site.cert)
	write(t, dir, "site.key", site.key)
	write(t, dir, "old.pem", old.cert)
	write(t, dir, "old.key", old.key)
	write(t, dir, "ca.pem", newCertificate(t, "ca", time.Now().Add(time.Hour)).cert)
	write(t, dir, "text", "nothing of the kind\n")
	write(t, dir, "broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	write(t, dir, "dir/file", "")
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	badCaseFiles(t, dir)
	for _, c := range badCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, got := loadText(t, dir, c.text)
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(got, "canary") {
				t.Error("the message has the secret in it")
			}
		})
	}
}

func TestLoadOfNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large.toml")
	if err := os.WriteFile(large, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none.toml"): "does not exist",
		large:                           "is larger than 1024 KiB",
		dir:                             "is a directory, not a file",
		"/dev/zero":                     "is not a regular file",
	} {
		inv, problems := Load(path)
		if inv != nil || problems.Err() == nil || problems[0].Problem != want {
			t.Errorf("%s: %v", path, problems)
		}
	}
	if (strict.Problems{}).Err() != nil {
		t.Error("no problems are an error")
	}
}
